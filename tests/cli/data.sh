#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From files to an item matrix, through the program, on a small made-up shop.
# usage: data.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
shop_program=$third

# ---- the generator ----
"$shop_program" shop 400 7 && "$shop_program" again 400 7 && "$shop_program" other 400 8
holds 'the same seed gives the same shop' diff -r shop again
holds 'another seed gives another' test "$(md5sum <shop/interactions.tsv)" != "$(md5sum <other/interactions.tsv)"
rm -r again other

# ---- prepare ----
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl --json
# the same counts by another way: users and items with at least 5 lines each, then users with fewer than 3 left out
awk -F'\t' 'NR == FNR { if (FNR > 1) { u[$1]++; i[$2]++ } next }
    FNR > 1 && u[$1] >= 5 && i[$2] >= 5 { k[$1]++; line[++n] = $1 "\t" $2 }
    END { for (x = 1; x <= n; x++) { split(line[x], f, "\t"); if (k[f[1]] >= 3) { uu[f[1]]; ii[f[2]]; m++ } }
          print length(uu), length(ii), m }' shop/interactions.tsv shop/interactions.tsv >counts
read -r users items interactions <counts
json_holds 'prepare counts' ".users == $users and .items == $items and .interactions == $interactions"
json_holds 'prepare statistics' "(.mean_length - $interactions / $users | fabs) < 1e-9 and .sparsity > 0.9 and .pairs > 0 and .max_cooccurrence >= 1"
find ws -type f | sort | xargs md5sum >before
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl
find ws -type f | sort | xargs md5sum >after
same 'a second prepare changes nothing' before after
holds 'there are enough candidates' sh -c '! grep -q candidates.under err'
run 0 prepare -w few --interactions shop/interactions.tsv --item-core 8 --json --quiet
json_holds 'a few items' '.items < 100'
items_left=$(jq .items out) targets=$(jq '.test_users + .validation_users' out)
holds 'too few candidates are told' grep -q "^warning: $targets of $targets targets have fewer than 100 candidates under the sampled protocol, as few as [0-9]*, for there are only $items_left items" err
gzip -k shop/interactions.tsv
counts='{users, items, interactions, pairs, max_cooccurrence, items_with_metadata}'
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl --json
jq -S "$counts" out >plain.json
run 0 prepare -w packed --interactions shop/interactions.tsv.gz --items shop/items.jsonl --json
jq -S "$counts" out >packed.json
same 'packed input gives the same counts' plain.json packed.json
run 0 prepare -w bounded --interactions shop/interactions.tsv --items shop/items.jsonl --memory 1 --threads 1
for file in sequences.bin ids.bin cooccurrence.bin candidates.bin; do
    same "little memory and one thread give the same $file" ws/$file bounded/$file
done

# ---- what is read, but hardly meant ----
printf 'user_id,item_id,timestamp\nNULL,i,99000000000\nu,i,99999999999\nu,\\N,100000000001\n' >odd.csv
printf 'item_id,title\ni,x\n' >odd_items.csv
run 0 prepare -w odd --interactions odd.csv odd.csv --items odd_items.csv odd_items.csv --core-mode kcore --user-core 1 --item-core 1 --json
json_holds 'times show what they were read as' '.first_time == "1973-03-03T09:46:40Z" and .last_time == "5138-11-16T09:46:39Z"'
for told in 'odd.csv and odd.csv hold the same, and both are read' 'odd_items.csv and odd_items.csv hold the same, and both are read' \
    'odd.csv:4: times below 10^11 are read as seconds and others as milliseconds, and this file has both; if all are milliseconds, call them timestamp_ms' \
    'the user "NULL" has 2 interactions; if it stands for none, leave these lines out' \
    'the item "\N" has 2 interactions; if it stands for none, leave these lines out'; do
    holds "$told: is told once" test "$(grep -cxF "warning: $told" err)" = 1
done
run 0 prepare -w odd --interactions shop/interactions.tsv --items shop/items.jsonl
holds 'of a log as it should be nothing is told' sh -c '! grep -q warning err'
printf 'user_id,item_id,timestamp\nu,i,1\n' >late.csv
sed '1iReport of 2021-06-01, by Ann' late.csv >titled.csv
run 1 prepare -w odd --interactions late.csv titled.csv --on-bad-line skip
holds 'a header at fault is not skipped' grep -q '^genair: titled.csv:1: none of the columns "Report of 2021-06-01, by Ann" is the user' err
rm -r odd

# ---- a user without end ----
awk 'BEGIN { OFS = "\t"; print "user_id", "item_id", "timestamp"
    for (k = 0; k < 50; k++) print "u" k % 10, "i" int(k / 10), k
    for (k = 0; k < 140000; k++) print "robot", "i" k % 2, k }' >endless.tsv
expect 1 err 'genair: two items stand together more than 4294967295 times: the user "robot" has one item 69999 times; leave such users out of the log' \
    prepare -w endless --interactions endless.tsv

run 0 prepare -w half --interactions shop/interactions.tsv --held-out-users 0.5 --json
json_holds 'half the users are held out' ".users == $users and .test_users > $users * 0.35 and .test_users < $users * 0.65 and .validation_users == .test_users"
json_holds 'of the others all is training' ".training_interactions == $interactions - 2 * .test_users"
run 0 train -w half --run pop --method pop
run 0 export -w half --run pop --what ranks --protocol sampled --out half.tsv
run 0 prepare -w half --interactions shop/interactions.tsv --held-out-users 0.5 --json
json_holds 'they are ranked, and nobody else' ".test_users == $(($(wc -l <half.tsv) - 1))"
run 2 prepare -w half --interactions shop/interactions.tsv --held-out-users 0
run 2 prepare -w half --interactions shop/interactions.tsv --held-out-users 1.5

# ---- shares of whole numbers: .29 of 100 is 29 ----
awk 'BEGIN { print "user_id\titem_id\ttimestamp"; for (i = 0; i < 100; i++) print "u" i % 25 "\ti" i "\t" 1600000000 + i }' >hundred.tsv
run 0 prepare -w hundred --interactions hundred.tsv --user-core 1 --item-core 1 --split time --split-time-quantile .29 --json
json_holds 'are before the cut' '.time_cut_ms == 1600000029000'
run 0 prepare -w hundred --interactions hundred.tsv --user-core 1 --item-core 1 --cold-items .29 --json
json_holds 'are cold' '.cold_items == 29'
run 0 train -w hundred --run pop --method pop
run 0 evaluate -w hundred --run pop
holds 'cold targets stand in the tables' sh -c "grep -q '^ *cold targets  *[0-9.]' out && ! grep -qF ... out"
run 0 prepare -w hundred --interactions hundred.tsv --user-core 1 --item-core 1 --held-out-users 1e-9
holds 'that nobody has a target is told' grep -q '^warning: no user has a test target' err
run 0 train -w hundred --run pop --method pop
expect 2 err "genair: no user has a test target; 'genair prepare' with another --split or --held-out-users gives some" evaluate -w hundred --run pop
rm -r hundred

# ---- the item's id is what the log calls it ----
head -5 shop/items.jsonl >few.jsonl
sed 's/item_id/product_id/' shop/interactions.tsv >renamed.tsv
jq -c '{asin: ("B" + .item_id), product_id: .item_id} + del(.item_id)' shop/items.jsonl >two_ids.jsonl
run 0 prepare -w named --interactions renamed.tsv --items two_ids.jsonl --json
json_holds 'though the records have another first' ".items_with_metadata == $items"
sed 's/.*/{"user_id": "u", "product_id": "i", "time": 1}/; 1q' renamed.tsv >line.jsonl
run 0 prepare -w named --interactions line.jsonl renamed.tsv --items two_ids.jsonl --json
json_holds 'in JSON too' ".items_with_metadata == $items"
jq -c '{product_id: .item_id} + del(.item_id) + {item_id: "x"}' shop/items.jsonl >two_names.jsonl
run 0 prepare -w named --interactions renamed.tsv --items two_names.jsonl --json
json_holds 'though they have an item_id of another kind' ".items_with_metadata == $items"
run 0 prepare -w named --interactions shop/interactions.tsv --items two_ids.jsonl
holds 'records of no item are told' grep -q "none of the $items items has a record in the item metadata" err
echo '{"title": ' >>few.jsonl
run 0 prepare -w named --interactions shop/interactions.tsv --items few.jsonl --on-bad-line skip
holds 'records of few are told' grep -q "only [1-5] of $items items have a record in the item metadata" err
holds 'and lines that were skipped' grep -q '1 lines of the item metadata could not be read and were skipped' err
run 0 prepare -w named --interactions shop/interactions.tsv --items shop/items.jsonl
holds 'all are not' sh -c "! grep -q 'item metadata' err"
rm -r named

# ---- in the directory of one's own files ----
mkdir here
cp shop/interactions.tsv shop/items.jsonl here
expect 2 err "genair: here/items.jsonl: would be replaced by the workspace's own items.jsonl; name another directory with --workspace" \
    prepare -w here --interactions here/interactions.tsv --items here/items.jsonl
run 2 prepare -w here/. --interactions shop/interactions.tsv --items here/../here/items.jsonl
expect 2 err "genair: here: no workspace, and its 'items.jsonl' would be replaced; name a directory of its own with --workspace" \
    prepare -w here --interactions here/interactions.tsv
holds 'a catalogue that is not read stays too' cmp here/items.jsonl shop/items.jsonl
rm here/items.jsonl
mkdir -p here/download.partial here/runs.old/a.partial
touch here/disc.iso.partial here/download.partial/z here/prepare.7.partial
run 0 prepare -w here --interactions here/interactions.tsv --items shop/items.jsonl
cp shop/prefill.npy shop/decoding.npy here
run 2 embed -w here --prefill here/prefill.npy --ids shop/vectors.ids
holds "unfinished files of others stay" test -e here/disc.iso.partial -a -e here/download.partial/z -a -d here/runs.old/a.partial
holds "one's own do not" test ! -e here/prepare.7.partial
expect 2 err "genair: here/prefill.npy: would be replaced by the workspace's own prefill.npy; name another directory with --workspace" \
    embed -w here --prefill here/prefill.npy --ids shop/vectors.ids
run 2 embed -w here --prefill shop/prefill.npy --ids here/decoding.npy
run 0 embed -w here --prefill shop/decoding.npy --ids shop/vectors.ids
holds "vectors that are not the workspace's stay" cmp here/decoding.npy shop/decoding.npy
holds 'and so does the log' cmp here/interactions.tsv shop/interactions.tsv
rm -r here

# ---- a carriage return within the first line of a file whose lines end in LF ----
printf 'u1::10::3::1500000000\nu1::11::3::1500000100\nu1::12::3::1500000200\n' >ratings.dat
printf '10::Toy\r Story (1995)::Animation|Comedy\n11::X (1999)::Drama\n12::Y (1999)::Drama\n' >movies.dat
run 0 prepare -w returned --interactions ratings.dat --items movies.dat --user-core 1 --item-core 1 --json
json_holds 'is white space' '.items == 3 and .items_with_metadata == 3'

# ---- embed, fuse ----
mkfifo pipe
expect 2 err 'genair: pipe: not a regular file; what --ids names is read more than once' embed -w ws --prefill shop/prefill.npy --ids pipe
expect 2 err 'genair: pipe: not a regular file; what --prefill names is read more than once' embed -w ws --prefill pipe
run 1 fuse -w ws
holds "the missing step is named" grep -q "'genair archetype' or 'genair embed' first" err
run 0 embed -w ws --prefill shop/prefill.npy --decoding shop/decoding.npy --ids shop/vectors.ids --json
json_holds 'embed' ".items == $items and .row_order == \"ids\""
run 0 fuse -w ws --components 32 --json
json_holds 'fuse' ".items == $items and .columns == 64 and .parts.prefill.components == 32"
holds 'the fused matrix is where NumPy finds it' test -s ws/fused.npy
cp ws/fused.npy fused_before.npy
run 0 fuse -w ws --components 32 --threads 1
same 'a second fuse changes nothing' ws/fused.npy fused_before.npy

# ---- files of two makings, as a kill between the last renames leaves them; records that were changed ----
run 0 train -w ws --run pop --method pop
(head -n 1 shop/interactions.tsv; tail -n +2 shop/interactions.tsv | tac) >reversed.tsv
run 0 prepare -w reversed --interactions reversed.tsv --items shop/items.jsonl
cp -r ws mixed
cp reversed/*.bin reversed/items.jsonl mixed/
for command in 'evaluate --run pop' 'recommend --run pop --user u1' 'export --what recbole --out log' 'fuse --components 8' report; do
    run 1 ${command%% *} -w mixed $([ "$command" = report ] || echo "${command#* }")
    holds "$command tells it" grep -q "^genair: mixed: the data are not those that its manifest.json tells of" err
done
rm -r mixed reversed
cp -r ws sorted
sort -r ws/items.jsonl >sorted/items.jsonl
run 1 recommend -w sorted --run pop --user u1
holds 'records in another order are none' grep -q "^genair: sorted/items.jsonl: its content is not what 'genair prepare -w sorted' wrote" err
rm sorted/items.jsonl
run 1 export -w sorted --what recbole --out log
holds 'missing ones are told' grep -q '^genair: sorted/items.jsonl: the file is missing' err
rm -r sorted

# ---- what is there and cannot be looked at is not missing ----
cp -r ws odd
ln -sf ids.bin odd/ids.bin
run 1 train -w odd --run p --method pop
holds 'a file of the data' grep -q '^genair: odd/ids.bin: cannot .*: Too many levels of symbolic links' err
run 1 recommend -w odd --run p --user u
holds 'to whoever only reads too' grep -q '^genair: odd/ids.bin: cannot .*: Too many levels of symbolic links' err
ln -sf manifest.json odd/manifest.json
run 1 inspect odd
holds 'nor is the manifest' grep -q '^genair: odd/manifest.json: cannot open: Too many levels of symbolic links' err

# ---- inspect ----
run 0 inspect ws/fused.npy --json
json_holds 'inspect a file' "[.. | numbers] | any(. == $items) and any(. == 64)"
run 0 inspect ws --json
json_holds 'inspect a workspace' 'type == "object"'
run 0 inspect ws
run 1 inspect missing.npy
holds 'the missing file is named' grep -q missing.npy err
printf '\57\0\0\0\0\0\0\0%s' '{"__metadata__": {"\u001b]0;title\u0007": "v"}}' >hostile.safetensors
run 0 inspect hostile.safetensors
holds "what is called like a terminal's command is shown and not obeyed" sh -c "grep -q title out && ! grep -q '[[:cntrl:]]' out"
run 2 inspect "$(printf 'x\377.npy')"
holds 'names of files are UTF-8' grep -q 'allowed is text in UTF-8' err
finish
