#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What export writes, against what the workspace holds; what doctor says of this machine.
# usage: export.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
"$third" shop 300 7
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl
run 0 train -w ws --run base --method base --hidden 16 --max-len 20 --epochs 2 --batch 64
run 0 train -w ws --run pop --method pop
find ws -type f | sort | xargs md5sum >before

# ---- ranks and lists ----
run 0 export -w ws --run base --what ranks --protocol sampled --out ranks.tsv --json
json_holds 'export' '.what == "ranks" and .files == ["ranks.tsv"]'
run 0 export -w ws --run base --what lists --out lists.tsv
run 0 export -w ws --run base --what ranks --part valid --out valid.tsv
holds 'export writes nothing in the workspace' md5sum --quiet -c before
run 0 evaluate -w ws --run base --json
same 'the ranks are those of evaluate' ranks.tsv ws/runs/base/ranks-test-sampled.tsv
json_holds 'metrics of the lists' '.test.full | .["coverage@10"] > 0 and .["gini@10"] > 0 and .["gini@10"] < 1 and
    .["novelty@10"] > 1 and .["diversity@10"] > 0 and .["diversity@10"] <= 1 and has("popularity_lift@10") and
    has("mean_popularity@10")'
json_holds 'ties won are never worse' '(.optimistic.sampled["NDCG@10"] >= .test.sampled["NDCG@10"]) and
    (.optimistic.full.MRR >= .test.full.MRR)'
distinct=$(tail -n +2 lists.tsv | cut -f 2 | sort -u | wc -l)
items=$(wc -l <ws/items.jsonl)
json_holds 'coverage counts the exported lists' ".test.full[\"coverage@10\"] * $items - $distinct | fabs < 1e-6"
users=$(jq .users out)
holds 'ten places a user' test "$(tail -n +2 lists.tsv | wc -l)" -eq $((10 * users))
holds 'places from 1 on' awk -F'\t' 'NR > 1 && $3 != (NR - 2) % 10 + 1 { exit 1 }' lists.tsv
# full ranks below ten are the targets that the lists hold
run 0 export -w ws --run base --what ranks --out full.tsv
awk -F'\t' 'FNR == 1 { next } NR == FNR { hit[$1 "\t" $2] = 1; next } $3 < 10 && !(($1 "\t" $2) in hit) { exit 1 }' \
    lists.tsv full.tsv
holds 'every hit of the ranks is in a list' test $? -eq 0
run 0 evaluate -w ws --run pop --json
json_holds 'pop ties' '.ties.full > 0 and .optimistic.full.MRR > .test.full.MRR'
run 0 evaluate -w ws --run pop
holds 'ties are shown' grep -q 'ties won' out

# ---- into a pipe, which stays one ----
mkfifo pipe
cat pipe >through &
run 0 export -w ws --run base --what lists --out pipe
wait $!
same 'a named pipe gets the lists' through lists.tsv
holds 'and stays a pipe' test -p pipe
"$genair" export -q -w ws --run base --what lists --out >(cat >through) >/dev/null 2>err
holds 'a pipe of the shell' test $? -eq 0
wait $!
same 'gets them too' through lists.tsv
expect 2 err 'genair: pipe: items are two files, vectors and ids: --out must name the first' export -w ws --run base --what items --out pipe
mkdir folder
expect 1 err 'genair: folder: is a directory; name a file to write' export -w ws --run base --what lists --out folder
holds 'beside which nothing is left' test -z "$(ls -d ./*.partial 2>/dev/null)"
(
    echo first
    "$genair" export -q -w ws --run base --what lists --out /dev/fd/3 3>&1 >/dev/null
) >through 2>err
same 'a file that the shell has opened goes on' through <(echo first && cat lists.tsv)

# ---- item vectors: what embed reads ----
run 0 export -w ws --run base --what items --out vectors.npy
holds 'an id a row' test "$(wc -l <vectors.npy.ids)" -eq "$items"
run 0 embed -w ws --prefill vectors.npy --ids vectors.npy.ids --json
json_holds 'embed takes them' ".items == $items"
run 2 export -w ws --run pop --what items --out none.npy
holds 'a method without item vectors is told' grep -q 'without item vectors' err
holds 'and nothing written' test ! -e none.npy

# ---- RecBole: read back by prepare, the same data ----
run 0 export -w ws --what recbole --out atomic/shop --json
json_holds 'files' '.files == ["atomic/shop/shop.inter", "atomic/shop/shop.item"]'
run 0 prepare -w back --format recbole --interactions atomic/shop/shop.inter --items atomic/shop/shop.item \
    --core-mode kcore --user-core 1 --item-core 1 --json
json_holds 'as many items' ".items == $items and .items_with_metadata == $items"
same 'with all their attributes' <(jq -cS . ws/items.jsonl | sort) <(jq -cS . back/items.jsonl | sort)
holds 'prices are numbers' grep -q "price:float" atomic/shop/shop.item
awk -F'\t' 'NR > 1 { print $1 "\t" $2 }' shop/interactions.tsv | sort >log
awk -F'\t' 'NR > 1 { print $1 "\t" $2 }' atomic/shop/shop.inter | sort >kept
holds 'every line is one of the log' test -z "$(comm -13 log kept)"
run 0 export -w back --what recbole --out twice/shop
same 'there and back' <(sort atomic/shop/shop.inter) <(sort twice/shop/shop.inter)

# users of two interactions, attributes of any name, prices that are none
printf 'user_id,item_id,time\nu,a,1\nu,b,2\nv,b,1\nv,a,2\n' >two.csv
printf '%s\n' '{"item_id": "a", "price": "1.5", "a:b": "x", "": "none", "Colour ": "red", "rating": 4}' \
    '{"item_id": "b", "price": "$2", "a_b": "y", "rating": 3.5}' >two.jsonl
kept='--core-mode kcore --user-core 1 --item-core 1'
run 0 prepare -w two --interactions two.csv --items two.jsonl $kept
run 0 export -w two --what recbole --out two_items
printf 'item_id:token\tprice:token\trating:float\ta_b:token\tColour:token\na\t1.5\t4\tx\tred\nb\t$2\t3.5\t\t\n' >expected.item
same 'each attribute is a column' two_items/two_items.item expected.item
run 0 prepare -w two_back --interactions two_items/two_items.inter --items two_items/two_items.item $kept --json
json_holds 'users of two' '.users == 2 and .interactions == 4 and .items_with_metadata == 2'

# years from 5138 on, whose seconds would be taken for milliseconds
printf 'user_id,item_id,time\nu,a,1970-01-01\nu,b,9999-12-31T23:59:59.999\nv,b,1\nv,a,5138-11-16T09:46:40\n' >late.csv
run 0 prepare -w late --interactions late.csv $kept
run 0 export -w late --what recbole --out late_out
printf 'user_id:token\titem_id:token\ttimestamp_ms:float\nu\ta\t0\nu\tb\t253402300799999\nv\tb\t1000\nv\ta\t100000000000000\n' >expected.inter
same 'are milliseconds' late_out/late_out.inter expected.inter
run 0 prepare -w late_back --format recbole --interactions late_out/late_out.inter $kept
run 0 export -w late_back --what recbole --out late_twice
same 'there and back, late ones too' late_out/late_out.inter late_twice/late_twice.inter

# ---- what is the workspace's own is not written over ----
find ws -type f | sort | xargs md5sum >before
ln -s "$PWD/ws/sequences.bin" link.tsv
ln ws/prefill.npy other.npy
ln ws/ids.bin other_name.npy.ids
mkdir folder/ws && ln ws/items.jsonl folder/ws/ws.item
run 2 export -w ws --run base --what ranks --out ws/manifest.json
holds 'the manifest is refused' grep -qx "genair: ws/manifest.json: is the workspace's own manifest.json; name another file with --out" err
run 2 export -w ws --run base --what ranks --out ws/../ws/runs/base/model.safetensors
holds 'and so is a run' grep -q "is the workspace's own runs/base/model.safetensors; name" err
run 2 export -w ws --run base --what lists --out link.tsv
run 2 export -w ws --run base --what items --out other.npy
run 2 export -w ws --run base --what items --out other_name.npy
run 2 export -w ws --what recbole --out folder/ws
run 2 report -w ws --out ws/sequences.bin
run 2 serve -w ws --run base --access-log ws/manifest.json
holds 'nothing of it was' md5sum --quiet -c before

# ---- what can go wrong ----
printf 'workspace = ws\nrun = base\npart = test\nprotocol = full\n' >all.conf
run 0 evaluate --config all.conf
run 0 export --config all.conf --what recbole --out shared
run 0 export --config all.conf --what lists --out shared.tsv
expect 2 err 'genair: --what recbole reads no --run; it belongs to ranks, lists and items' export -w ws --what recbole --run nope --out x
expect 2 err 'genair: --what items reads no --part; it belongs to ranks and lists' export -w ws --run base --what items --part valid --protocol sampled --out x
expect 2 err 'genair: --what lists reads no --protocol; it belongs to ranks' export -w ws --run base --what lists --protocol full --out x
run 2 export -w ws --run base --out x
run 2 export -w ws --what ranks --out x
run 2 export -w ws --run base --what ranks
run 2 export -w ws --run none --what ranks --out x
run 1 export -w ws --run base --what ranks --out /nowhere/x
run 2 export -w ws --what recbole --out ..
run 1 export -w nothing --what recbole --out x

# ---- doctor ----
run 0 doctor -w ws --json --threads 1
json_holds 'doctor' '.threads.used == 1 and .kernels.scalar and (.kernels[.kernels.used] == true) and
    .processor.processors >= 1 and .disk.directory == "ws" and .disk.writable and (.advice | type == "array") and
    (.built_with | length == 3 and all(type == "boolean"))'
run 0 doctor --threads $(($(nproc) + 1)) --json
json_holds 'too many threads' '.advice | any(test("without --threads [0-9]+ are used, more wait for each other"))'
PATH=/nowhere run 0 doctor --json
json_holds 'what is missing is named' '.programs.gnuplot == null and (.advice | any(test("gnuplot")))'
odd=$(printf 'odd\351')
mkdir "$odd" && printf '#!/bin/sh\n' >"$odd/gnuplot" && chmod +x "$odd/gnuplot"
PATH=$PWD/$odd:$PATH run 0 doctor --json
json_holds 'a path that is no text' '.programs.gnuplot | test("odd.*xE9/gnuplot$"; "i")'
PATH=/nowhere run 0 doctor --threads $(($(nproc) + 1))
holds 'advice is told whole' sh -c 'tr -s " \n" " " <out | grep -q "are used, more wait for each other"'
run 0 doctor -w not_there
holds 'a workspace still to be made is no fault' grep -q '^threads' out
finish
