#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The paper's tables on a small made-up shop: rows, numbers that are those of train and compare, killed and gone on.
# usage: reproduce.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
"$third" shop 300 7
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl
run 0 embed -w ws --prefill shop/prefill.npy --decoding shop/decoding.npy --ids shop/vectors.ids
run 0 fuse -w ws --components 16
small='--hidden 16 --max-len 20 --epochs 2 --batch 64'
cp -r ws whole

# ---- table 6 ----
run 0 reproduce table6 -w ws --json
json_holds 'other data than the paper has' '.paper == null and (.rows | length) == 1 and (.note | test("none of the paper"))'
json_holds 'our statistics' '.rows[0].users > 0 and .rows[0].mean_length > 1'
run 0 reproduce table6 -w ws --paper fashion --json
json_holds 'the paper beside them' '.rows[1].users == 9049 and .rows[1].items == 4722 and .rows[1].mean_length == 3.82'

# ---- table 2 ----
run 0 reproduce table2 -w whole $small --seeds 2 --json --threads 3
json_holds 'a row a backbone and method' '[.rows[] | select(.method == "base" or .method == "GenAIR") | .backbone + " " + .method]
    == ["sasrec base", "sasrec GenAIR", "bert4rec base", "bert4rec GenAIR", "gru4rec base", "gru4rec GenAIR"]'
json_holds 'each with mean and deviation' 'all(.rows[]; .["HR@10"] > 0 and .["NDCG@10"] > 0 and has("HR@10_sd"))'
json_holds 'significance against base' 'all(.rows[] | select(.method == "GenAIR"); .p_over_users <= 1 and has("p_over_seeds"))
    and all(.rows[] | select(.method == "base"); has("p_over_users") | not)'
json_holds 'without the paper' 'all(.rows[]; has("HR@10_paper") | not)'
json_holds 'LLM-ESR too' '[.rows[] | select(.method == "LLM-ESR") | .["NDCG@10"] > 0 and .p_over_users <= 1] == [true, true, true]'
jq '.rows[] | select(.backbone == "gru4rec" and .method == "GenAIR")' out >row.json
jq 'del(.seconds, .peak_rss_mb)' out >printed.json
holds 'what is stored is what is printed' jq -es '.[0] == .[1]' whole/reproduce/table2.json printed.json
cp whole/reproduce/table2.json table2.json
run 0 train -w whole --run alone --backbone gru4rec --seed 45 $small --json
holds 'its runs are those of train' cmp whole/runs/alone/model.safetensors whole/runs/paper.gru4rec.genair.45/model.safetensors
run 0 evaluate -w whole --run paper.gru4rec.genair.44 --run paper.gru4rec.genair.45 --protocol sampled --json
holds 'its means are those of evaluate' jq -es '(.[0]["NDCG@10"] - .[1].test.sampled["NDCG@10"] | fabs) < 1e-12 and
    (.[0]["NDCG@10_sd"] - .[1].sd.sampled["NDCG@10"] | fabs) < 1e-12' row.json out
run 0 compare -w whole --run paper.gru4rec.genair.4{4,5} --run paper.gru4rec.base.4{4,5} --protocol sampled --json
holds 'its test is that of compare' jq -es '.[0].p_over_users == .[1].over_users.sampled["NDCG@10"].p and
    .[0].p_over_seeds == .[1].over_seeds.sampled["NDCG@10"].p' row.json out

# killed, then gone on with: the same table
for delay in 0.1 0.3; do
    rm -rf cut && cp -r ws cut
    "$genair" reproduce table2 -q -w cut $small --seeds 2 >/dev/null 2>&1 &
    child=$!
    sleep $delay
    kill -KILL $child 2>/dev/null
    wait $child 2>/dev/null
    run 0 reproduce table2 -w cut $small --seeds 2 --threads 1
    same "killed after $delay s and started again: the same table" cut/reproduce/table2.json table2.json
done
run 0 reproduce table2 -w whole $small --seeds 2
same 'a second time the same' whole/reproduce/table2.json table2.json
holds 'as a table' grep -q '^gru4rec  *GenAIR' out

# one of them, beside the paper's
run 0 reproduce table2 -w whole $small --seeds 1 --backbone gru4rec --method genair --paper beauty --json
json_holds 'base and the method' '[.rows[].method] == ["base", "GenAIR"]'
json_holds 'the paper and the difference' '.rows[1] | .["HR@10_paper"] == 0.5121 and .["NDCG@10_paper"] == 0.3338 and
    (.["HR@10"] - .["HR@10_paper"] - .["HR@10_difference"] | fabs) < 1e-12'

# options of single methods, and base runs of another backbone
rm -rf cut && cp -r ws cut
run 0 reproduce table2 -w cut $small --seeds 1 --backbone gru4rec --method llmemb --llmemb-tau 3 --json
json_holds 'a base run that is no row' '[.rows[].method] == ["base", "LLMEmb"] and all(.rows[]; .backbone == "gru4rec")'
holds 'is trained all the same' jq -e '.backbone == "sasrec" and .method == "base" and (has("llmemb-tau") | not)' \
    cut/runs/paper.sasrec.base.44/config.json
holds 'the option is of the method' jq -e '.["llmemb-tau"] == 3 and .["base-run"] == "paper.sasrec.base.44"' \
    cut/runs/paper.gru4rec.llmemb.44/config.json
tuned="--seeds 2 --method llmemb --backbone gru4rec --model $source/data/model/archetype-tiny.gguf --scft-steps 2 --scft-batch 8"
run 0 reproduce table2 -w cut $small $tuned
holds 'a language model is tuned once for all seeds' test "$(grep -c 'steps of fine-tuning' err)" = 1
holds 'and read by all' test "$(jq -r .semantic cut/runs/paper.gru4rec.llmemb.4[45]/config.json | sort -u)" = scft
run 0 reproduce table2 -w cut $small $tuned
holds 'and not again' sh -c '! grep -q "steps of fine-tuning" err'
run 2 reproduce table2 -w cut $small --seeds 1 --backbone gru4rec --method genair --llmemb-tau 3
holds 'one that no row has is refused' grep -q 'none of the methods here has an option --llmemb-tau; it belongs to: llmemb' err
run 0 reproduce table2 -w cut $small --seeds 1 --backbone gru4rec --method genair --alpha 0.1
holds 'nor is one of GenAIR alone given to base' jq -es '.[0].alpha == 0.1 and (.[1] | has("alpha") or has("gamma") | not)' \
    cut/runs/paper.gru4rec.{genair,base}.44/config.json
run 2 reproduce fig4 -w cut $small --llmemb-tau 3
run 2 reproduce table2 -w cut $small --base-run b1

# ---- table 3: the ablations, with item matrices of one part ----
run 0 reproduce table3 -w whole $small --seeds 1 --backbone sasrec --paper fashion --json
json_holds 'the ablations' '[.rows[].method] == ["GenAIR", "w/o prefill", "w/o decoding", "w/o calibration"]'
json_holds 'the paper' '.rows[1]["HR@10_paper"] == 0.5968 and .rows[3]["NDCG@10_paper"] == 0.5171 and .rows[0]["HR@10_paper"] == 0.6133'
json_holds 'four different models' '[.rows[]["NDCG@10"]] | unique | length >= 3'
run 0 inspect whole/fused-without-prefill.npy --json
json_holds 'half of the columns' '[.. | numbers] | any(. == 16)'
run 0 train -w whole --run prefill --items without-decoding $small
same 'train --items gives the same' whole/runs/prefill/model.safetensors whole/runs/paper.sasrec.genair-without-decoding.44/model.safetensors
run 2 train -w whole --run x --items nothing
holds 'a matrix that is not there is told how to be made' grep -q 'genair fuse .* --out nothing' err
printf x >>whole/fused-without-decoding.npy
run 1 train -w whole --run y --items without-decoding $small
holds 'a damaged one too' grep -q 'genair fuse .* --out without-decoding' err

# ---- table 4: item matrices of several models ----
run 0 fuse -w cut --out qwen2.5 --components 8
run 0 fuse -w cut --out llama2 --components 12
run 0 reproduce table4 -w cut $small --seeds 2 --items llama2 qwen2.5 --backbone sasrec --paper fashion --json
json_holds 'a row a model' '[.rows[].method] == ["llama2", "qwen2.5"] and .rows[0]["HR@10"] != .rows[1]["HR@10"]'
json_holds 'the paper' '.rows[1] | .["HR@10_paper"] == 0.6156 and .["NDCG@10_paper"] == 0.5226 and .p_over_users <= 1'
cp cut/reproduce/table4.json table4.json
run 0 reproduce table4 -w cut $small --seeds 2 --items llama2 qwen2.5 --backbone sasrec --paper fashion --threads 1
same 'a second time the same' cut/reproduce/table4.json table4.json
run 0 reproduce table4 -w cut $small --seeds 1 --items qwen2.5 --backbone gru4rec --paper yelp --json
json_holds 'other data: ours alone' '(.rows[0] | has("HR@10_paper") | not) and (.note | test("of fashion alone"))'
run 2 reproduce table4 -w cut $small
holds 'models are to be named' grep -q 'table4 needs --items.*fuse --out NAME' err
run 2 reproduce table4 -w cut $small --items llama2 llama2
run 2 reproduce table4 -w cut $small --items a-name-that-is-far-too-long-for-a-run
run 2 reproduce table4 -w cut $small --items llama3.1
holds 'a model that is not there' grep -q 'genair fuse .* --out llama3.1' err
run 2 reproduce table2 -w cut $small --items llama2

# ---- figures 2 and 5 ----
run 0 reproduce fig2 -w cut --json
json_holds 'a map' '.rows[0].parts == "both" and .rows[0].kl_divergence > 0 and (.note | test("without numbers"))'
holds 'with its places' jq -e '.maps[0].coordinates.decoding | length > 20' cut/analysis/tsne.json
run 0 reproduce fig5 -w cut $small --backbone bert4rec --json
json_holds 'a row a method' '[.rows[].method] == ["base", "LLMEmb", "GenAIR"] and
    all(.rows[]; .["most popular fifth"] > 0 and .["least popular fifth"] > 0 and .["variance in the plane"] <= 1)'
cp cut/reproduce/fig5.json fig5.json
run 0 analyze -w cut --run paper.bert4rec.genair.44 --json
holds 'its numbers are those of analyze' jq -es '.[0].rows[2].third == .[1].runs[0].entropy.third.entropy' fig5.json out
run 0 reproduce fig5 -w cut $small --backbone bert4rec
same 'a second time the same' cut/reproduce/fig5.json fig5.json

# ---- table 5, figure 4 ----
run 0 reproduce table5 -w whole $small --paper yelp --json
json_holds 'costs' '.rows[0].trainable_parameters > 1000 and .rows[0].inference_gflops > 0 and .rows[0].trainable_parameters_paper == 5720000'
run 0 reproduce table5 -w whole $small --paper yelp --backbone gru4rec --method genair --json
json_holds 'of that backbone and method, without numbers of another' '[.rows[] | .backbone + " " + .method] == ["gru4rec base", "gru4rec GenAIR"] and
    all(.rows[]; .trainable_parameters > 1000 and (has("trainable_parameters_paper") | not)) and (.note | test("of SASRec alone"))'
for target in table3 'table4 --items llama2' fig4; do
    expect 2 err "genair: ${target%% *} is of GenAIR alone; leave out --method llmemb" reproduce $target -w whole $small --method llmemb
done
for more in 'table2 --method pop' 'table5 --method melt' 'fig5 --method melt'; do
    expect 2 err 'genair: no row of this table is of that --backbone and --method' reproduce $more -w whole $small
done
run 0 reproduce fig4 -w whole $small --epochs 1 --backbone gru4rec --json
json_holds 'all of alpha and gamma' '(.rows | length) == 42 and all(.rows[]; .["NDCG@10"] >= 0) and .rows[7].alpha == "5e-4" and .rows[7].gamma == "1"'
holds 'as a sweep' test -s whole/sweeps/fig4.gru4rec.json
run 0 reproduce fig4 -w whole $small --epochs 1 --backbone gru4rec
holds 'as a matrix' grep -q '^ *alpha  gamma 0' out

# ---- what can go wrong ----
run 2 reproduce -w whole
run 2 reproduce table7 -w whole
run 2 reproduce table2
run 2 reproduce table2 -w whole --seeds 0
run 1 reproduce table2 -w nowhere
mkdir empty
run 2 reproduce table6 -w empty
holds 'prepare first' grep -q 'genair prepare' err
run 0 prepare -w bare --interactions shop/interactions.tsv --items shop/items.jsonl
run 2 reproduce table2 -w bare $small --seeds 1 --backbone gru4rec
holds 'without vectors the run and the step are named' grep -q 'run paper.gru4rec.*genair \(embed\|fuse\)' err
run 1 reproduce table3 -w bare $small
finish
