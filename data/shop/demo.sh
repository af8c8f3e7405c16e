#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The whole way on the bundled made-up shop, from nothing to a table, recommendations and a picture.
# usage: demo.sh BUILD-DIRECTORY WORKSPACE
set -euo pipefail
build=$1
ws=$2
here=$(dirname "$0")
shop=$ws/shop
started=$SECONDS

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
genair() { # shows the command as a user would type it, then runs it
    printf '\n$ genair'
    printf ' %s' "$@"
    printf '\n'
    "$build/genair" "$@"
}

say "A made-up shop: 1,440 items, most of them hardly ever bought, 2,000 people"
mkdir -p "$ws"
"$build/genair-shop" "$shop"
head -n 2 "$shop/items.jsonl"
head -n 3 "$shop/interactions.tsv"

say "From files to sequences"
genair prepare -w "$ws" --interactions "$shop/interactions.tsv" --items "$shop/items.jsonl"

say "A language model (bundled: small, a demonstration) says who each item is for"
genair archetype -w "$ws" --model "$(dirname "$here")/model/archetype-tiny.gguf" --max-new-tokens 64
genair archetype -w "$ws" --show trail-tent-3
genair fuse -w "$ws" --components 64 --whiten

say "Two models: one learns a table of items, one knows their texts"
model="--backbone sasrec --hidden 64 --max-len 50 --epochs 40 --patience 10 --threads 0"
genair train -w "$ws" --run base --method base $model
genair train -w "$ws" --run genair --method genair $model
genair train -w "$ws" --run pop --method pop

say "How good are they?"
genair evaluate -w "$ws" --run pop --run base --run genair --protocol both
"$build/genair" evaluate -q -w "$ws" --run pop --run base --run genair --protocol sampled --json >"$ws/evaluated.json"
genair compare -w "$ws" --run genair --run base

say "What next for somebody who bought a tent and a stove?"
genair recommend -w "$ws" --run genair --history trail-tent-3 camp-stove-1 -k 10
say "And for customer u17?"
genair recommend -w "$ws" --run genair --user u17 -k 10 --explain
genair similar -w "$ws" --run genair --item bread-knife-2 -k 5

say "What does it all look like?"
genair analyze -w "$ws" --run base --run genair >"$ws/analysis.txt"
if command -v gnuplot >/dev/null && command -v jq >/dev/null; then
    jq -r '.maps[].coordinates | (.prefill[] + [0]), (.decoding[] + [1]) | @tsv' "$ws/analysis/tsne.json" >"$ws/map.tsv"
    for run in base genair; do
        jq -r '[.epoch, .valid.sampled["NDCG@10"]] | @tsv' "$ws/runs/$run/metrics.jsonl" >"$ws/$run.tsv"
    done
    jq -r '[.runs[].test.sampled] | ("HR@10", "NDCG@10") as $m | [$m, .[][$m]] | @tsv' "$ws/evaluated.json" >"$ws/metrics.tsv"
    gnuplot -e "directory='$ws'" "$here/page.gp"
    say "Vectors, training and metrics in one picture: $ws/page.png"
else
    say "No picture: it needs gnuplot and jq (tools/install-dependencies.sh demo)"
fi
genair report -w "$ws"
echo "done in $((SECONDS - started)) seconds"
