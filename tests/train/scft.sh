#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LLMEmb through the program, from the items' text to recommendations, with the bundled language model: fine-tuning runs
# when it is asked for and missing, goes on after an interruption, and nothing of it is needed later.
# usage: scft.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
"$third" shop 300 7 >/dev/null
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl --item-core 8 --quiet
n=$(wc -l <ws/items.jsonl)
size='--hidden 16 --batch 32 --epochs 2 --max-len 20'
run 0 train -w ws --method base --run b $size --quiet
cp -r ws plain
tune="--model $source/data/model/archetype-tiny.gguf --scft-steps 6 --scft-batch 8"
run 0 train -w ws --method llmemb --base-run b --run m $size $tune --json
json_holds 'trained' '.method == "llmemb" and .fine_tuned == true and .test.full["NDCG@10"] > 0'
holds 'and says how it came to its vectors' grep -q 'item vectors from the language model, 6 steps of fine-tuning' err
holds 'the vectors are recorded' jq -e ".stages.scft.result | .items == $n and .steps == 6 and .columns == 256" ws/manifest.json
holds 'the run says what it read, and that it stays' jq -e '.semantic == "scft" and .freeze == "yes"' ws/runs/m/config.json
holds 'nothing is left behind' test ! -e ws/scft.training
cp ws/scft.npy first.npy
cp ws/runs/m/model.safetensors first.safetensors

# ---- again: nothing; other backbones use the same vectors ----
run 0 train -w ws --method llmemb --base-run b --run m $size $tune
holds 'up to date' grep -q 'run m is up to date' err
for backbone in bert4rec gru4rec; do
    run 0 train -w ws --method llmemb --backbone $backbone --base-run b --run m-$backbone $size --json
    json_holds "$backbone" '.fine_tuned == true'
    holds "$backbone tunes nothing" sh -c '! grep -q "steps of fine-tuning" err'
done

# ---- stopped while it tunes ----
"$genair" train -w plain --method llmemb --base-run b --run m $size $tune --scft-steps 400 --threads 1 >/dev/null 2>err &
pid=$!
for _ in $(seq 1200); do # it saves every 50 steps
    [ -e plain/scft.training/checkpoint.safetensors ] && break
    sleep 0.1
done
kill -TERM $pid
wait $pid
holds 'it stops' test $? -eq 130
holds 'and keeps its state' test -e plain/scft.training/checkpoint.safetensors
run 0 train -w plain --method llmemb --base-run b --run m $size $tune --threads 3
same 'other steps begin anew: the same vectors' first.npy plain/scft.npy
same 'and the same model' first.safetensors plain/runs/m/model.safetensors

# ---- tuned elsewhere; not at all ----
run 0 train -w plain --method llmemb --base-run b --run given $size --model "$source/data/model/archetype-tiny.gguf" \
    --scft-adapter ws/scft.safetensors --json
json_holds 'adapters that are given' '.fine_tuned == true'
same 'give the same vectors' first.npy plain/scft.npy
run 0 train -w plain --method llmemb --base-run b --run file $size --semantic first.npy --json
json_holds 'a file of vectors' '.fine_tuned == false'
run 1 train -w plain --method llmemb --base-run b --run x $size --model "$source/data/model/archetype-tiny.gguf" \
    --scft-adapter first.npy
holds 'the message names the file' grep -q first.npy err

# ---- requests need neither ----
rm ws/scft.npy ws/scft.safetensors
run 0 evaluate -w ws --run m --protocol full --json
run 0 recommend -w ws --run m --history "$(head -n 1 ws/items.jsonl | jq -r .item_id)" -k 3 --json
json_holds 'recommendations' '.items | length == 3'
finish
