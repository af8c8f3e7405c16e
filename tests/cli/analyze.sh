#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# analyze through the program: files, repeated runs, threads, workspaces where something is missing, no gnuplot.
# usage: analyze.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
"$third" shop 400 7
bare=$scratch/bare # a PATH without gnuplot
mkdir "$bare"

run 1 analyze -w nowhere
holds 'no workspace: what makes one' grep -q "genair prepare -w nowhere" err
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl
run 1 analyze -w ws
holds 'no vectors: what makes some' grep -q "'genair archetype' or 'genair embed' first" err
run 0 embed -w ws --prefill shop/prefill.npy --decoding shop/decoding.npy --ids shop/vectors.ids

# ---- item vectors ----
few='--points 300 --perplexity 10'
PATH=$bare run 0 analyze -w ws $few --json
json_holds 'numbers without pictures' '.item_vectors.files == ["analysis/tsne.json"] and .item_vectors.maps[0].points == 300'
holds 'and it says so' grep -q 'gnuplot' err
cp ws/analysis/tsne.json numbers.json
holds 'a place for each vector' jq -e '(.shown | unique | length == 150) and
    (.maps[0].coordinates | (.prefill | length) == 150 and (.decoding | length) == 150 and all(.[][][]; isnormal))' numbers.json
if command -v gnuplot >/dev/null; then
    run 0 analyze -w ws $few
    same 'the pictures change no number' ws/analysis/tsne.json numbers.json
    holds 'a PNG' grep -q PNG ws/analysis/tsne.png
    holds 'an SVG with its points' test "$(grep -c '<use' ws/analysis/tsne.svg)" -ge 300
    ls --full-time ws/analysis >before
    run 0 analyze -w ws $few
    holds 'nothing to do' grep -q 'nothing to do' err
    ls --full-time ws/analysis >after
    same 'and nothing is done' before after
    mkdir "$scratch/broken" && printf '#!/bin/sh\n[ "$1" = --version ] || { echo "no font" >&2; exit 1; }\n' >"$scratch/broken/gnuplot"
    chmod +x "$scratch/broken/gnuplot"
    PATH=$scratch/broken:$PATH run 0 analyze -w ws $few --seed 45
    holds 'gnuplot that fails is told' grep -q 'gnuplot could not draw tsne: no font' err
    printf 'set multiplot\nno such command\n' >"$scratch/.gnuplot"
    HOME=$scratch run 0 analyze -w ws $few --seed 45
    holds "the user's own settings are not read" test -s ws/analysis/tsne.png -a -z "$(grep 'could not draw' err)"
    holds 'another seed, other items' test "$(jq -c .shown ws/analysis/tsne.json)" != "$(jq -c .shown numbers.json)"
fi
cp -r ws one && rm -r one/analysis
PATH=$bare run 0 analyze -w one $few --threads 1
same 'one thread gives the same map' one/analysis/tsne.json numbers.json
cp -r ws half && rm -r half/analysis
run 0 embed -w half --decoding shop/decoding.npy --ids shop/vectors.ids
PATH=$bare run 0 analyze -w half $few --json
json_holds 'one part alone' '.item_vectors.maps == [.item_vectors.maps[0]] and .item_vectors.maps[0].parts == "decoding"'

# ---- runs ----
small='--hidden 16 --max-len 20 --epochs 2 --batch 64'
run 0 train -w ws --run base --method base $small
run 0 train -w ws --run pop --method pop
PATH=$bare run 0 analyze -w ws $few --run base --json
json_holds 'a run' '.runs[0] | .run == "base" and .method == "base" and .trainable_parameters > 0 and .inference_gflops > 0 and
    .width == 16 and (.entropy | length == 5 and all(.[]; .entropy > 0 and .entropy <= (16 | log)))'
holds 'a place for each item of head and tail' jq -e '(.coordinates | .head, .tail | (.items | length) == (.plane | length) and
    (.items | length) > 20) and (has("groups") | not)' ws/analysis/run-base.json
cp -r ws cut && echo >>cut/analysis/run-base.json && echo >>cut/runs/base/config.json && rm cut/analysis/tsne.json
run 0 inspect cut --json
holds 'what mends a view of a run' grep -q "run 'genair analyze -w cut --run base' again (options: inputs of ..analyze.base.. in cut.manifest.json)" out
holds 'and a run' grep -q "run 'genair train -w cut --run base' again (options: inputs of ..train.base.. in cut.manifest.json)" out
holds 'and the maps' grep -q "run 'genair analyze -w cut' again" out
rm -r cut
run 0 evaluate -w ws --run base --protocol both --groups --json
digits='.groups | walk(if type == "number" then . * 1e6 | round else . end)'
jq -S "$digits" out >expected.json
PATH=$bare run 0 analyze -w ws $few --run base
jq -S "$digits" ws/analysis/run-base.json >found.json
same 'the groups are those of evaluate' found.json expected.json
run 2 analyze -w ws --run pop
holds 'a method without vectors' grep -q "run 'pop' learned no item vectors" err
run 2 analyze -w ws --run missing
holds 'a missing run: what makes it' grep -q 'genair train -w ws --run missing' err
sed -i '3s/\t[0-9]*\t/\t99999\t/' ws/runs/base/ranks-test-full.tsv
run 1 analyze -w ws $few --run base
holds 'damaged ranks' grep -q "ranks-test-full.tsv:3: not the rank of the next user" err
run 0 prepare -w plain --interactions shop/interactions.tsv
run 0 train -w plain --run base --method base $small
PATH=$bare run 0 analyze -w plain --run base --json
json_holds 'a run without item vectors beside it' '(has("item_vectors") | not) and .runs[0].run == "base"'

# ---- what was made of what, as inspect says it ----
state() { json_holds "$1" ".stages[] | select(.stage == \"$1\") | .state + .why == \"$2\""; }
run 0 train -w plain --run base --method base $small --seed 45
run 0 inspect plain --json
state train/base current
state analyze/base "outdatedmade from an earlier 'train/base'"
run 0 fuse -w ws --components 16
run 0 fuse -w ws --components 16 --parts prefill --out one
run 0 train -w ws --run named --items one $small
run 0 inspect ws --json
state train/named current
run 0 fuse -w ws --components 8 --parts prefill --out one
run 0 inspect ws --json
state train/named "outdatedmade from an earlier 'fuse/one'"
finish
