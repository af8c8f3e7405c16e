#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# AlphaFuse through the program: where the text's coordinates keep their own variances, ranking is worse, as in the published
# ablation, by a fifth at least with either loss.
# usage: alphafuse.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
"$third" shop 2000 >/dev/null
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl --quiet
run 0 embed -w ws --prefill shop/prefill.npy --decoding shop/decoding.npy --quiet

# ndcg LOSS STANDARDIZE: test NDCG@10 among 100 candidates
ndcg() {
    run 0 train -w ws --method alphafuse --alphafuse-loss $1 --alphafuse-standardize $2 --hidden 32 --epochs 8 --patience 0 \
        --run "$1-$2" --quiet --json
    jq '.test.sampled["NDCG@10"]' out
}

for loss in rank infonce; do
    whitened=$(ndcg $loss yes)
    as_it_is=$(ndcg $loss no)
    holds "$loss: $whitened whitened, $as_it_is without" \
        jq -ne --argjson a "$whitened" --argjson b "$as_it_is" '$b < 0.8 * $a and $b > 0'
done
finish
