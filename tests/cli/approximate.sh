#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A server that looks at some lists of a catalogue alone: all lists give the exact server's answers, a few give a part of them
# with the same scores; filters and a reload under way hold there too. usage: approximate.sh GENAIR-PROGRAM SOURCE-DIRECTORY
. "$2/tests/cli/check.sh"
needs_jq
command -v curl >/dev/null || { echo 'SKIP: this test asks with curl'; exit 77; }
"$genair" serve -w none --run none --index approximate 2>err
grep -q 'built without FAISS' err && { echo "SKIP: $(cat err)"; exit 77; }
items=17000 # 128 columns of so many are as much as an index pays for
awk -v n=$items 'BEGIN {
    srand(7)
    print "user\titem\ttime"
    for (u = 0; u < n / 4; u++) # four of a corner of the catalogue of their own, two of anywhere
        for (i = 0; i < 6; i++) print "u" u "\ti" (i < 4 ? u * 4 + i : int(rand() * n)) "\t" 1500000000 + i
}' >log.tsv
run 0 prepare -w ws --interactions log.tsv --user-core 1 --item-core 1
run 0 train -w ws --run one --method base --hidden 128 --layers 1 --max-len 8 --epochs 1
. "$source/tests/cli/server.sh"

users='u0 u17 u999 u4000 u4249'
answers() { # answers NAME: those of the server that runs, in ids and scores
    for user in $users; do
        ask 200 "/v1/recommend?user=$user&k=50"
        jq -c '[.items[] | [.item, .score]]' out
        ask 200 "/v1/recommend?user=$user&k=20&repeat=1"
        jq -c '[.items[] | [.item, .score]]' out
    done >"$1"
}
start one
answers exact
stop
start one --index approximate --probe 65536
answers all
same 'all lists give what every item gives' exact all
stop
start one --index approximate --probe 4
answers few
holds 'of four lists there are fewer items' test "$(jq length few | sort -n | head -n 1)" -gt 0 -a "$(cmp -s exact few; echo $?)" -eq 1
jq -s '[.[][]] | map({(.[0]): .[1]}) | add' exact >known
holds 'best first' jq -se 'all(.[]; [.[][1]] | . == (sort | reverse))' few
jq -cs 'transpose | map(. as [$a, $b] | ($b - ($b - $a)) | length)' <(jq -s . exact) <(jq -s . few) >shared
holds "scores are exact, and $(cat shared) of 50 and 20 are the same" jq -ne --slurpfile s shared '$s[0] | add > 0'
first=$(jq -r '.[0][0]' few | head -n 1)
ask 200 "/v1/recommend" -d "{\"user\": \"u0\", \"k\": 10, \"deny\": [\"$first\"]}"
json_holds 'a denied item stays away' "all(.items[]; .item != \"$first\") and (.items | length == 10)"
ask 200 "/v1/recommend" -d "{\"user\": \"u0\", \"allow\": [\"$first\", \"i16999\"]}"
json_holds 'allowed ones are all looked at' "[.items[].item] | sort == ([\"$first\", \"i16999\"] | sort)"
(for _ in $(seq 20); do curl -s -o /dev/null -w '%{http_code}\n' "$url/v1/recommend?user=u17"; done) >codes &
asking=$!
ask 200 /v1/reload -d ''
wait $asking
holds 'no request failed while the lists were made anew' test "$(sort -u codes)" = 200
answers again
same 'the same lists again' few again
stop
finish
