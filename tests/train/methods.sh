#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every method to compare with, on every backbone: the same bytes for any number of threads and after an interruption,
# the stored item vectors give the metrics of the model that was trained, without text; wrong orders are refused.
# usage: methods.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
RANDOM=44
backbones='sasrec bert4rec gru4rec'
of_text='rlmrec llminit llmemb alphafuse'
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

# ---- refusals ----
expect 2 err 'genair: method base has no option --semantic; it belongs to: rlmrec llminit llmemb alphafuse ' \
    train -w ws --method base --semantic fused --run x
expect 2 err 'genair: method llminit has no option --ease-lambda; it belongs to: ease ' \
    train -w ws --method llminit --ease-lambda 3 --run x
expect 2 err "genair: ws: there is no fused.npy; run \`genair fuse\` first, or name another matrix with --semantic" \
    train -w ws --method llminit --semantic fused --run x
expect 2 err 'genair: --base-run is a run of gru4rec; llmemb aligns with the items of a base run of sasrec, for every backbone' \
    train -w ws --method llmemb --base-run base-gru4rec --run x $size
run 2 train -w ws --method llmemb --run x $size
holds 'llmemb says which run it needs' grep -q 'make one with .genair train -w ws --method base --backbone sasrec' err
expect 2 err "genair: --method melt builds on a finished base run; make one with \`genair train -w ws --method base --backbone sasrec --run b1\` and name it with --base-run b1" \
    train -w ws --method melt --run x
expect 2 err "genair: --base-run base-gru4rec was trained with another --backbone; melt goes on with it, so they must be equal" \
    train -w ws --method melt --base-run base-gru4rec --run x --hidden 16 --max-len 20
expect 2 err 'genair: --base-run base-sasrec has --hidden 16, this run 128; they must be equal' \
    train -w ws --method melt --base-run base-sasrec --run x --max-len 20
expect 2 err "genair: --base-run r is a run of method 'melt'; melt builds on one of method base" \
    train -w ws --method melt --base-run r --run x --hidden 16 --max-len 20
expect 2 err 'genair: --alphafuse-null 17: allowed is 1 to --hidden, 16' \
    train -w ws --method alphafuse --alphafuse-null 17 --run x --hidden 16 --quiet
expect 2 err 'genair: --cities-heads 3 does not divide --hidden 16' \
    train -w ws --method cities --base-run base-sasrec --cities-heads 3 --run x $size
expect 2 err 'genair: --method cities learns from frequent items in context, and 0 occur more than 1000 times in histories of at least 3; lower --cities-head-min' \
    train -w ws --method cities --base-run base-sasrec --cities-head-min 1000 --run x $size
expect 2 err "genair: --base-run base-gru4rec was trained with another --backbone; cities goes on with it, so they must be equal" \
    train -w ws --method cities --base-run base-gru4rec --run x $size
printf 'no matrix' >bad.npy
run 1 train -w ws --method llminit --semantic bad.npy --run x
holds 'the message names the file' grep -q bad.npy err
holds 'a failed run leaves nothing' test ! -e ws/runs/x
finish
