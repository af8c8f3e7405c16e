#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# report through the program: hostile text stays text, nothing is fetched, and it says what it lacks.
# usage: report.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
"$third" shop 400 7
bare=$scratch/bare # a PATH without gnuplot
mkdir "$bare"
run 1 report -w nowhere
holds 'no workspace: what makes one' grep -q 'genair prepare -w nowhere' err

# titles and ids as somebody would write them who means harm
jq -c '.title = "<script>alert(1)</script><img src=x onerror=y> & \"" + (.title // "")' shop/items.jsonl >hostile.jsonl
sed 's/trail-tent-3\b/<b>tent<\/b>/' hostile.jsonl >items.jsonl
sed 's/\ttrail-tent-3\t/\t<b>tent<\/b>\t/' shop/interactions.tsv >interactions.tsv
run 0 prepare -w ws --interactions interactions.tsv --items items.jsonl
run 0 report -w ws --json
json_holds 'data alone' '.runs == 0 and .page == "ws/report.html"'
holds 'the data are there' grep -q '<th scope="row" class="text">users</th><td>[0-9]' ws/report.html
run 0 archetype -w ws --model "$source/data/model/archetype-tiny.gguf" --max-new-tokens 4
run 0 fuse -w ws --components 16
small='--hidden 16 --max-len 20 --epochs 2 --batch 64'
run 0 train -w ws --run g --method genair $small
run 0 train -w ws --run b --method base $small
run 0 train -w ws --run pop --method pop
PATH=$bare run 0 report -w ws
holds 'without gnuplot it says so' grep -q 'drawn by gnuplot, which was not there' ws/report.html
holds 'no comparison without ranks' test "$(grep -c 'GenAIR against base' ws/report.html)" -eq 0
run 0 evaluate -w ws --run g --run b
if command -v gnuplot >/dev/null; then
    run 0 analyze -w ws --run g --run b --points 200
    run 0 report -w ws
    holds 'the map, a curve, three pictures of each run' test "$(grep -c '<svg' ws/report.html)" -eq 8
fi
run 0 report -w ws --out page.html
page=page.html
holds 'titles are text' grep -q '&lt;script&gt;alert(1)&lt;/script&gt;' $page
holds 'no tag comes from them' test "$(grep -ciE '<script|<img|<b>|onerror="' $page)" -eq 0
grep -oE '<[a-zA-Z][^>]*>' $page | grep -oE "(src|href|action|data)=['\"]?[^ >]*|url\(" | grep -vE "^href=['\"]#" >fetched
holds 'nothing is fetched' test ! -s fetched
holds 'both protocols' grep -q 'Test, full protocol' $page
holds 'groups' grep -q 'by popularity of the target, equal fifths' $page
holds 'GenAIR against base' grep -q '<th scope="row" class="text">g</th><td class="text">b</td><td class="text">sampled</td>' $page
holds 'for a phone, in the dark' test "$(grep -c 'name="viewport"\|prefers-color-scheme: dark' $page)" -eq 2
holds 'as many closed as opened' test "$(grep -o '<table>' $page | wc -l)" -eq "$(grep -o '</table>' $page | wc -l)"
numbers=$(jq -r '.stages["train/g"].result.test.sampled["NDCG@10"]' ws/manifest.json)
holds 'the numbers are those of the run' grep -q "<td>$(printf %.4f "$numbers")</td>" $page
cp $page before.html
run 0 report -w ws --out page.html
same 'again the same page' $page before.html
sed -i 's/<svg/<scg/' ws/analysis/tsne.svg 2>/dev/null && {
    run 1 report -w ws --out page.html
    holds 'a changed picture is not taken' grep -q 'analysis/tsne.svg' err
    same 'and the earlier page stays' $page before.html
}
finish
