#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every method to compare with, on every backbone: the same bytes for any number of threads and after an interruption,
# the stored item vectors give the metrics of the model that was trained, without text; wrong orders are refused.
# usage: methods.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
RANDOM=44
backbones='sasrec bert4rec gru4rec'
of_text='rlmrec llminit llm-esr llmemb alphafuse'
of_base='cities melt'

"$third" shop 300 7 >/dev/null
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl --quiet
expect 2 err "genair: ws: there is no prefill.npy; run \`genair archetype\` or \`genair embed\` first, or name another matrix with --semantic" \
    train -w ws --method llminit --run x
run 0 embed -w ws --prefill shop/prefill.npy --decoding shop/decoding.npy --quiet
size='--hidden 16 --batch 16 --epochs 3 --max-len 20 --quiet'
for backbone in $backbones; do
    run 0 train -w ws --method base --backbone $backbone --run base-$backbone $size
done

# options NAME: what a method needs beside its name
options() {
    case $1 in
    llmemb) echo --base-run base-sasrec ;;
    cities | melt) echo --base-run base-$2 ;;
    esac
}

# trained METHOD BACKBONE
trained() {
    local name=$1-$2 more ndcg
    more=$(options "$1" "$2")
    run 0 train -w ws --method $1 --backbone $2 --run r $size $more --threads 1 --json
    ndcg=$(jq '.test.full["NDCG@10"]' out)
    cp -r ws/runs/r first
    rm -rf other && cp -r ws other && rm -rf other/runs/r
    run 0 train -w other --method $1 --backbone $2 --run r $size $more --threads 3
    same "$name: model for 1 and 3 threads" first/model.safetensors other/runs/r/model.safetensors
    same "$name: metrics for 1 and 3 threads" first/metrics.jsonl other/runs/r/metrics.jsonl
    rm -rf other/runs/r
    timeout -s TERM "$(awk -v r=$RANDOM 'BEGIN { printf "%.3f", 0.02 + 0.2 * r / 32768 }')" \
        "$genair" train -w other --method $1 --backbone $2 --run r $size $more >/dev/null 2>&1
    run 0 train -w other --method $1 --backbone $2 --run r $size $more --resume
    same "$name: model after a resume" first/model.safetensors other/runs/r/model.safetensors
    same "$name: metrics after a resume" first/metrics.jsonl other/runs/r/metrics.jsonl
    mv ws/prefill.npy prefill.npy # requests read neither text vectors nor other runs
    rm -f ws/similar_users.npy
    run 0 evaluate -w ws --run r --protocol full --json
    holds "$name: evaluate gives the metrics of training" \
        jq -e --argjson n "$ndcg" ".test.full[\"NDCG@10\"] == \$n" out
    run 0 recommend -w ws --run r --history flour-tin-18 bike-lamp-15 --quiet
    run 0 similar -w ws --run r --item flour-tin-18 --quiet
    mv prefill.npy ws/prefill.npy
    rm -rf first
}

for method in $of_text $of_base; do
    for backbone in $backbones; do trained $method $backbone; done
done

# ---- cities: what is not rare stays as it was ----
of_table() { # of_table RUN: the item table's bytes, by the header of its file
    local file=ws/runs/$1/model.safetensors header from to
    header=$(od -An -tu8 -N8 $file | tr -d ' ')
    read -r from to < <(tail -c +9 $file | head -c "$header" | jq -r '.item_emb.data_offsets | "\(.[0]) \(.[1])"')
    tail -c +$((9 + header + from)) $file | head -c $((to - from))
}
# rows RUN: an item's values a line
rows() {
    of_table $1 | od -An -v -tx4 -w64
}
for backbone in $backbones; do
    run 0 train -w ws --method cities --base-run base-$backbone --backbone $backbone --cities-head-min 0 --run whole $size
    holds "$backbone: without rare items the metrics are the base run's" \
        cmp <(jq -S '{valid, test}' ws/runs/base-$backbone/result.json) <(jq -S '{valid, test}' ws/runs/whole/result.json)
    rows base-$backbone >base.rows
    rows whole >whole.rows
    same "$backbone: and the table" base.rows whole.rows
done
run 0 train -w ws --method cities --base-run base-sasrec --run rare $size --json
json_holds 'epochs of what infers' '.epochs == 3 and .best_epoch >= 1'
holds 'a curve of its error' jq -es 'length == 3 and all(.[]; .loss > 0 and .valid.error > 0)' ws/runs/rare/metrics.jsonl
rows base-sasrec >base.rows
rows rare >rare.rows
changed=$(paste -d ' ' base.rows rare.rows | awk '{ h = NF / 2; for (i = 1; i <= h; i++) if ($i != $(i + h)) { n++; next } } END { print n + 0 }')
holds 'rare rows are other ones, and only these' test "$changed" -gt 0 -a "$changed" -lt "$(wc -l <rare.rows)"
run 0 train -w ws --method cities --base-run base-sasrec --cities-head pareto --cities-finetune 2 --run tuned $size --json
json_holds 'epochs of the model behind them' '.epochs == 5 and .best_epoch <= 2'
holds 'with a curve of their own' jq -es 'all(.[3:][]; .rank_loss > 0 and .valid.sampled["NDCG@10"] >= 0)' ws/runs/tuned/metrics.jsonl
run 0 compare -w ws --run tuned --run base-sasrec --quiet
run 0 bench train -w ws --method cities --base-run base-sasrec --hidden 16 --max-len 20 --quiet --json
json_holds 'bench measures what infers' '.train.steps_per_epoch >= 1 and .train.gflop_per_epoch > 0'

# ---- llm-esr: users who are alike ----
n_users=$(jq '.stages.prepare.result.users' ws/manifest.json)
run 0 train -w ws --method llm-esr --run e $size
run 0 inspect ws/similar_users.npy --json
holds 'a row a user' jq -e --argjson n "$n_users" '[.. | numbers] | contains([$n, 100])' out
holds 'as a stage of the workspace' jq -e '.stages.similar_users.inputs["user-semantic"] == "mean"' ws/manifest.json
holds 'the run says by what' jq -e '.["user-semantic"] == "mean" and .["esr-neighbours"] == 10 and .["semantic-scale"] == "unit"' ws/runs/e/config.json
run 0 train -w ws --method llm-esr --run alone --esr-alpha 0 $size
rm -rf other && cp -r ws other && rm -rf other/runs/alone other/similar_users.npy
run 0 train -w other --method llm-esr --run alone --esr-alpha 0 $size
holds 'without their weight none are looked for' test ! -e other/similar_users.npy
same 'and the model is the same' ws/runs/alone/model.safetensors other/runs/alone/model.safetensors
holds 'but not the one with them' sh -c '! cmp -s ws/runs/alone/model.safetensors ws/runs/e/model.safetensors'
run 0 train -w ws --method llm-esr --run views $size --hidden 20 --esr-view 12
holds 'views make the width' jq -e '.hidden == 24' ws/runs/views/config.json
run 0 recommend -w ws --run views --history flour-tin-18 --quiet
run 0 compare -w ws --run e --run base-sasrec --quiet
run 0 sweep -w ws --method llm-esr --grid esr-alpha=0,0.1 --grid esr-distill=mse,soft --name esr $size --json
json_holds 'swept' '.points | length == 4 and all(.[]; .valid.sampled["NDCG@10"] > 0)'
run 0 bench train -w ws --method llm-esr --hidden 16 --batch 16 --max-len 20 --quiet --json
json_holds 'measured' '.train.seconds_per_epoch > 0'

run 0 train -w ws --method llm-esr --backbone gru4rec --run last $size
run 0 train -w ws --method llm-esr --backbone gru4rec --seq2seq --run every $size
holds 'where every position learns, the views see no item behind it: half of the pairs' jq -es '.[1].inference_gflops < .[0].inference_gflops' \
    ws/runs/last/result.json ws/runs/every/result.json
run 0 recommend -w ws --run every --history flour-tin-18 bike-lamp-15 --quiet

# npy COLUMNS [ROWS]: a matrix of float32 zeros, with a row a user
npy() {
    local n_rows=${2:-$n_users}
    local header="{'descr': '<f4', 'fortran_order': False, 'shape': ($n_rows, $1), }"
    printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "$header"
    head -c $((n_rows * $1 * 4)) /dev/zero
}
npy 2 >users.npy
printf '\0\0\200\77' | dd of=users.npy bs=1 seek=128 conv=notrunc 2>/dev/null # a number for the first user: 1
run 0 train -w ws --method llm-esr --user-semantic users.npy --run file $size
holds 'a file of users' jq -e '.stages.similar_users.inputs["user-semantic"] == "file"' ws/manifest.json
holds 'another list, another model' sh -c '! cmp -s ws/runs/file/model.safetensors ws/runs/e/model.safetensors'
run 0 train -w ws --method llm-esr --user-semantic users.npy --run file $size --json
printf '\0\0\300\177' | dd of=users.npy bs=1 seek=132 conv=notrunc 2>/dev/null
run 1 train -w ws --method llm-esr --user-semantic users.npy --run x $size
holds 'NaN is refused with its place' grep -q 'users.npy: row 0, column 1 (from 0) is not a finite number' err
run 1 train -w ws --method llm-esr --user-semantic ws/prefill.npy --run x $size
holds 'rows of something else' grep -q "ws/prefill.npy: must be a matrix of floats with a row for each of the workspace's $n_users users" err
npy 0 >users.npy
run 1 train -w ws --method llm-esr --user-semantic users.npy --run x $size
holds 'no columns' grep -q 'users.npy: must be a matrix of floats' err
run 1 train -w ws --method llm-esr --user-semantic nothing.npy --run x $size
holds 'no file' grep -q nothing.npy err
run 2 train -w ws --method llm-esr --user-semantic llm --run x $size
holds 'a language model is needed' grep -q 'no language model has read its users; name one with --model' err
model="--model $source/data/model/archetype-tiny.gguf"
run 0 train -w ws --method llm-esr --user-semantic llm --run llm $size $model
run 0 train -w ws --method llm-esr --user-semantic llm --run again $size
same 'read once, for every run' ws/runs/llm/model.safetensors ws/runs/again/model.safetensors
holds 'by what the model says' jq -e --argjson n "$n_users" '.stages.user_vectors.result == {"users": $n, "columns": 256} and
    .stages.similar_users.inputs["user-semantic"] == "llm"' ws/manifest.json
rm -rf other && cp -r ws other && rm -rf other/runs/llm other/user_vectors.npy
run 0 train -w other --method llm-esr --user-semantic llm --run llm $size $model --threads 1
same 'by one thread the same' ws/user_vectors.npy other/user_vectors.npy
expect 2 err 'genair: --hidden 15: llm-esr has two views of half of it, so it must be even' \
    train -w ws --method llm-esr --run x --hidden 15 --quiet
expect 2 err "genair: --esr-cross-heads 3 does not divide a view's width, 8 (half of --hidden)" \
    train -w ws --method llm-esr --esr-cross-heads 3 --run x $size

# ---- llmemb: vectors that no fine-tuning has made learn, unless they are named ----
# freeze OPTION...: whether a run's vectors stay, and what trains
freeze() {
    run 0 train -w ws --method llmemb --base-run base-sasrec --run free $size --json "$@"
    trainable=$(jq .trainable_parameters out)
    jq -r .freeze ws/runs/free/config.json
}
all=$(freeze && echo $trainable) kept=$(freeze --freeze yes && echo $trainable) named=$(freeze --semantic prefill && echo $trainable)
holds "they learn: $all" test "${all%%$'\n'*}" = no -a "${all#*$'\n'}" -gt "${kept#*$'\n'}"
run 0 train -w other --method llmemb --base-run base-sasrec --run own $size --model $source/data/model/archetype-tiny.gguf --scft-steps 0
holds 'vectors that a language model gives as it is learn, too' jq -e '.semantic == "scft" and .freeze == "no"' other/runs/own/config.json
holds "or stay: $kept" test "${kept%%$'\n'*}" = yes -a "$named" = "$kept"
mkdir other/scft.training && touch other/scft.training/inputs.json # its maker ended when the vectors were there
run 0 train -w other --method llmemb --base-run base-sasrec --run again $size --model $source/data/model/archetype-tiny.gguf --scft-steps 0
holds 'what was left beside finished vectors goes' test ! -e other/scft.training

# ---- alphafuse: epochs of its own ----
run 0 train -w ws --method alphafuse --run long --hidden 16 --batch 16 --max-len 20 --patience 1 --quiet
holds 'up to 200' jq -e '.epochs == 200' ws/runs/long/config.json

# ---- vectors of items that prepare has numbered anew since, and an item matrix of earlier vectors ----
rm -rf other && cp -r ws other
run 0 train -w other --method llmemb --base-run base-sasrec --run tuned $size $model --scft-steps 0
run 0 fuse -w other --components 8 --quiet
run 0 fuse -w other --components 8 --out named --quiet
run 0 prepare -w other --interactions shop/interactions.tsv --items shop/items.jsonl --item-core 4 --quiet
anew='genair: other: the items were prepared anew after'
taken="$anew their vectors were taken in; run 'genair embed' again"
joined="$anew their vectors were joined; run"
run 0 train -w other --method base --run base-sasrec $size
expect 2 err "$taken" train -w other --method llminit --run x $size
expect 2 err "$taken" train -w other --method llm-esr --run x $size
expect 2 err "$joined 'genair embed' and 'genair fuse' again" train -w other --run x $size
expect 2 err "$joined 'genair embed' and 'genair fuse --out named' again" train -w other --items named --run x $size
expect 2 err "$joined 'genair embed' and 'genair fuse' again" train -w other --method rlmrec --semantic fused --run x $size
expect 2 err "$anew the language model was tuned on them; run 'genair train --method llmemb --model FILE' again, or name another matrix with --semantic" \
    train -w other --method llmemb --base-run base-sasrec --run x $size
run 2 sweep -w other --grid alpha=0,1 $size
holds 'a sweep too' grep -q 'no point of the grid.*anew after their vectors were joined' err
holds 'nothing is left' test ! -e other/runs/x
run 0 embed -w other --prefill shop/prefill.npy --decoding shop/decoding.npy --ids shop/vectors.ids --quiet
run 0 train -w other --method llminit --run x $size
expect 2 err "$joined 'genair fuse' again" train -w other --run x $size
run 0 fuse -w other --components 8 --quiet
run 0 train -w other --run x $size
holds 'without a warning' test ! -s err
run 0 embed -w other --prefill shop/decoding.npy --decoding shop/prefill.npy --ids shop/vectors.ids --quiet
earlier="warning: the item matrix was made of earlier vectors than the workspace has now; 'genair fuse -w other' makes it anew"
expect 0 err "$earlier" train -w other --run x $size
expect 0 err "$earlier" train -w other --method llminit --semantic fused --run x $size
expect 0 err "$earlier" sweep -w other --grid alpha=0,1 --epochs 1 --hidden 16 --quiet
expect 0 err "$earlier" reproduce table2 -w other --method genair --backbone sasrec --seeds 1 --epochs 1 --hidden 16 --quiet
run 0 train -w other --method base --run base-sasrec $size
holds 'who does not read it is not warned' test ! -s err

# ---- refusals ----
expect 2 err 'genair: method base has no option --semantic; it belongs to: rlmrec llminit llm-esr llmemb alphafuse ' \
    train -w ws --method base --semantic fused --run x
expect 2 err 'genair: method llminit has no option --ease-lambda; it belongs to: ease ' \
    train -w ws --method llminit --ease-lambda 3 --run x
for option in 'alpha 1' 'gamma 1' 'calibration none' 'calibration-items unique' 'items x'; do
    expect 2 err "genair: method llminit has no option --${option% *}; it belongs to: genair " \
        train -w ws --method llminit --$option --run x
done
expect 2 err 'genair: method base has no option --freeze; it belongs to: genair llminit llmemb ' \
    train -w ws --method base --freeze no --run x
expect 2 err 'genair: method pop has no option --alpha; it belongs to: genair ' train -w ws --method pop --alpha 1 --run x
run 0 train -w ws --method pop $size --run x
holds 'those of learning in general are passed over' test -s ws/runs/x/config.json
run 0 sweep -w ws --grid method=pop,base --name mixed --halving 2 $size --json
json_holds 'in a sweep they are of the methods that have them' 'all(.points[]; has("failed") | not)'
expect 2 err 'genair: --llminit-mode pca does not read --semantic-components; leave it out' \
    train -w ws --method llminit --llminit-mode pca --semantic-components 4 --run x
expect 2 err 'genair: --llminit-mode pca: its table is all that learns of the items; leave out --freeze yes' \
    train -w ws --method llminit --llminit-mode pca --freeze yes --run x $size
for option in 'loss ce' 'negatives 4' 'gbce-t 1'; do
    expect 2 err "genair: --alphafuse-loss infonce does not read --${option% *}; leave it out" \
        train -w ws --method alphafuse --alphafuse-loss infonce --$option --run x
done
run 0 sweep -w ws --method alphafuse --grid alphafuse-loss=rank,infonce --name mixed --loss ce $size --json
json_holds 'a sweep has it for the points that do' 'all(.points[]; has("failed") | not)'
for method in melt llmemb; do
    expect 2 err 'genair: --base-run base-sasrec: this run would take its place; give another --run' \
        train -w ws --method $method --base-run base-sasrec --run base-sasrec $size
done
expect 2 err "genair: ws: there is no fused.npy; run \`genair fuse\` first, or name another matrix with --semantic" \
    train -w ws --method llminit --semantic fused --run x
expect 2 err 'genair: --base-run is a run of gru4rec; llmemb aligns with the items of a base run of sasrec, for every backbone' \
    train -w ws --method llmemb --base-run base-gru4rec --run x $size
run 2 train -w ws --method llmemb --run x $size
holds 'llmemb says which run it needs' grep -q 'make one with .genair train -w ws --method base --backbone sasrec' err
expect 2 err "genair: --method melt builds on a finished base run; make one with \`genair train -w ws --method base --backbone sasrec --run b1\` and name it with --base-run b1" \
    train -w ws --method melt --run x
expect 2 err "genair: --base-run nob: there is no such run; \`genair train -w ws --method base --backbone gru4rec --run nob\` makes one" \
    train -w ws --method melt --backbone gru4rec --base-run nob --run x --quiet
expect 2 err "genair: --base-run nob: there is no such run; \`genair train -w ws --method base --backbone sasrec --run nob\` makes one" \
    train -w ws --method llmemb --backbone gru4rec --base-run nob --run x --quiet
run 0 train -w ws --method melt --backbone gru4rec --base-run base-gru4rec --run x $size --layers 3 --heads 2 --attention full
rm -r ws/runs/x
expect 2 err 'genair: --base-run base-sasrec was trained with another --layers; melt goes on with it, so they must be equal' \
    train -w ws --method melt --base-run base-sasrec --run x $size --layers 3
expect 2 err "genair: --base-run base-gru4rec was trained with another --backbone; melt goes on with it, so they must be equal" \
    train -w ws --method melt --base-run base-gru4rec --run x --hidden 16 --max-len 20
expect 2 err 'genair: --base-run base-sasrec has --hidden 16, this run 128; they must be equal' \
    train -w ws --method melt --base-run base-sasrec --run x --max-len 20
expect 2 err "genair: --base-run r is a run of method 'melt'; melt builds on one of method base" \
    train -w ws --method melt --base-run r --run x --hidden 16 --max-len 20
expect 2 err "genair: --max-len 1: bert4rec's mask takes a place, so nothing of a history would be read; give 2 or more" \
    train -w ws --method base --backbone bert4rec --max-len 1 --run x --quiet
expect 2 err 'genair: --alphafuse-null 17: allowed is 1 to --hidden, 16' \
    train -w ws --method alphafuse --alphafuse-null 17 --run x --hidden 16 --quiet
expect 2 err 'genair: --cities-heads 3 does not divide --hidden 16' \
    train -w ws --method cities --base-run base-sasrec --cities-heads 3 --run x $size
expect 2 err 'genair: --method cities learns from frequent items in context, and 0 occur more than 1000 times in histories of at least 3; lower --cities-head-min' \
    train -w ws --method cities --base-run base-sasrec --cities-head-min 1000 --run x $size
expect 2 err "genair: --base-run base-gru4rec was trained with another --backbone; cities goes on with it, so they must be equal" \
    train -w ws --method cities --base-run base-gru4rec --run x $size
npy 4 "$(jq '.stages.prepare.result.items' ws/manifest.json)" >equal.npy
for method in alphafuse rlmrec llminit 'llminit --llminit-mode pca' llm-esr 'llmemb --base-run base-sasrec'; do
    expect 1 err 'genair: all rows of the semantic matrix are equal: nothing can be learned from it' \
        train -w ws --method $method --semantic equal.npy --run x $size
done
# lengths VALUE MESSAGE: an item matrix of zeros but for the first item's number is refused
lengths() {
    npy 4 "$(jq '.stages.prepare.result.items' ws/manifest.json)" >one.npy
    printf "$1" | dd of=one.npy bs=1 seek=128 conv=notrunc 2>/dev/null
    rm -rf other && cp -r ws other
    run 0 embed -w other --prefill one.npy --decoding one.npy --quiet
    run 0 fuse -w other --components 1 --quiet
    run 1 train -w other --run x $size
    holds "$2" grep -q "fused.npy: $2" err
}
lengths '\0\0\200\142' 'row 0 (from 0) is too long: its square is beyond single precision; make the vectors smaller' # 2^70
lengths '\0\0\200\015' 'the longest of its rows is of length [0-9.e-]*: nothing can be learned from that; make the vectors larger' # 2^-100
printf 'no matrix' >bad.npy
run 1 train -w ws --method llminit --semantic bad.npy --run x
holds 'the message names the file' grep -q bad.npy err
holds 'a failed run leaves nothing' test ! -e ws/runs/x
finish
