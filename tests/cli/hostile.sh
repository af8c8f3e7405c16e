#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A server among clients that mean no good (hostile.py): slow, silent, half-open, malformed, a thousand idle ones; decent ones
# are answered meanwhile, memory does not grow, nothing leaks, the end is in order. Under `make asan` the sanitizers watch.
# usage: hostile.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM PYTHON [SECONDS]; GENAIR_HOSTILE_SECONDS goes before it
. "$2/tests/cli/check.sh"
needs_jq
command -v curl >/dev/null || { echo 'SKIP: this test asks with curl'; exit 77; }
python=$4 seconds=${GENAIR_HOSTILE_SECONDS:-${5:-10}} timeout=3
ulimit -n 8192 2>/dev/null || { echo 'SKIP: a thousand connections are not allowed here (ulimit -n)'; exit 77; }
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=detect_leaks=1:quarantine_size_mb=16
"$third" shop 300 7
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl
run 0 embed -w ws --prefill shop/prefill.npy --decoding shop/decoding.npy --ids shop/vectors.ids
run 0 fuse -w ws --components 8
run 0 train -w ws --run one --hidden 16 --max-len 20 --epochs 1 --batch 64
run 0 inspect ws/prefill.npy --json
vector=$(jq -c '[range(.shape[1]) | . / 64]' out)
item=$(head -n 1 ws/items.jsonl | jq -r .item_id)
user=$(sed -n 2p shop/interactions.tsv | cut -f1)
. "$source/tests/cli/server.sh"
start one --timeout $timeout --max-connections 2000
port=${url##*:}
"$python" "$source/tests/cli/hostile.py" 127.0.0.1 "$port" $server "$seconds" "$item" "$user" "$vector" $timeout >told 2>told.err
status=$?
cat told told.err
holds "decent clients are served, the others are cut off: $(cat told)" test $status -eq 0
holds 'all kinds came' jq -e '.decent > 10 and .cut_off > 100 and .malformed > 10 and .idle > 900 and .half_open > 5' told
ask 200 /healthz
stop
holds "the server has nothing to say: $(head -c 3000 serve.err)" test "$(grep -c . serve.err)" -eq 1
finish
