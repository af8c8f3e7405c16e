#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A model of 0.5 billion random numbers, as `bench lm` writes it: archetype reads it, within the memory that is promised, and
# says so when the file is cut short meanwhile.
# usage: large_model.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
unset MALLOC_PERTURB_ # which touches memory that the program does not
"$third" shop 400 7
holds 'a workspace' "$genair" prepare -q -w ws --interactions shop/interactions.tsv --items shop/items.jsonl --item-core 10
run 0 bench lm --model-out model.gguf --sequences 2 --prompt-tokens 16 --new-tokens 4 --json
json_holds 'it is measured' '.lm.prompt.utilization > 0 and .lm.answer.utilization > 0 and .lm.prefix_tokens_saved == 16'
run 0 inspect model.gguf --json
json_holds 'and written' '.model.architecture == "qwen2" and .model.parameters == 494032768'
run 0 archetype -w ws --model model.gguf --max-new-tokens 8 --limit 3 --kv-memory 64 --json
json_holds 'no token ends an answer' '.items == 3 and .failed == 0 and .generated_tokens == 24'
file=$(($(stat -c %s model.gguf) / 1048576))
[ -n "${ASAN_OPTIONS:-}${TSAN_OPTIONS:-}${UBSAN_OPTIONS:-}" ] ||
    json_holds 'memory: the file, keys and values, 200 MB' ".peak_rss_mb <= $file + 64 + 200"

# ---- cut short under the process, while it reads the weights ----
"$genair" archetype -w ws --model model.gguf --max-new-tokens 8 --limit 4 --kv-memory 64 >out 2>err &
child=$!
for _ in $(seq 3000); do
    [ "$(awk '/rchar/ { print $2 }' /proc/$child/io 2>/dev/null || echo 0)" -gt 560000000 ] && break
    sleep 0.001
done
truncate -s 100000000 model.gguf
wait $child
holds 'a file cut short is exit status 1' test $? -eq 1
holds 'and is named' grep -q 'model.gguf' err
finish
