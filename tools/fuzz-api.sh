#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# For maintainers: a server built with sanitizers is asked what its own openapi.json makes schemathesis (PyPI) think of, right
# and wrong, and its answers are compared with the document. Fails on a finding, a report of a sanitizer, or an end other
# than in order. usage: fuzz-api.sh [BUILD] [CASES-OF-EACH-OPERATION]
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
build=$(realpath -m "${1:-$source/build-asan}") cases=${2:-1200}
[ -e "$build/build.ninja" ] || meson setup "$build" "$source" -Db_lundef=false -Db_sanitize=address,undefined
ninja -C "$build" genair genair-shop
genair=$build/genair work=$build/fuzz-api
[ -x "$build/schemathesis/bin/schemathesis" ] || {
    python3 -m venv "$build/schemathesis"
    "$build/schemathesis/bin/pip" install -q schemathesis==4.32.5
}
rm -rf "$work"
mkdir -p "$work"
cd "$work"
"$build/genair-shop" shop 300 7 >/dev/null
"$genair" prepare -q -w ws --interactions shop/interactions.tsv --items shop/items.jsonl >/dev/null
"$genair" embed -q -w ws --prefill shop/prefill.npy --decoding shop/decoding.npy --ids shop/vectors.ids >/dev/null
"$genair" fuse -q -w ws --components 8 >/dev/null
"$genair" train -q -w ws --run one --hidden 16 --max-len 20 --epochs 1 --batch 64 >/dev/null
head -c 32 /dev/urandom | base64 >token

export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=detect_leaks=1
"$genair" serve -w ws --run one --listen 127.0.0.1:0 --access-log access.jsonl --token-file token >/dev/null 2>server.log &
server=$!
trap 'kill -9 $server 2>/dev/null || true' EXIT
for _ in $(seq 200); do
    url=$(sed -n 's/^serving .* at \(http:.*\)$/\1/p' server.log)
    [ -n "$url" ] && break
    sleep 0.1
done
FUZZ_ITEMS=ws/items.jsonl FUZZ_WIDTH=$("$genair" inspect -q ws/prefill.npy --json | jq '.shape[1]')
export FUZZ_ITEMS FUZZ_WIDTH SCHEMATHESIS_HOOKS=fuzz_api_hooks PYTHONPATH=$source/tools
cat >schemathesis.toml <<'END'
# what is wrong because it is too large is refused for that
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 413]
END
status=0
"$build/schemathesis/bin/schemathesis" run "$url/openapi.json" -n "$cases" --continue-on-failure --no-color \
    --phases examples,coverage,fuzzing -H "Authorization: Bearer $(cat token)" ${FUZZ_SEED:+--seed "$FUZZ_SEED"} \
    >report.txt 2>&1 || status=$?
kill -TERM $server
wait $server || { status=$?; echo "the server ended with $status"; }
trap - EXIT
sed -n '/= SUMMARY =/,$p' report.txt
grep -E 'ERROR: |runtime error' server.log && status=1
jq -s 'group_by(.status) | map({(.[0].status | tostring): length}) | {requests: (map(add) | add), by_status: add}' access.jsonl
[ $status = 0 ] && echo 'no findings' || echo "findings: $work/report.txt, $work/server.log"
exit $status
