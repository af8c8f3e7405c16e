#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Archetypes made by several processes: the same bytes as by one, whoever makes what and whoever is killed.
# usage: ranks.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
model=$source/data/model/archetype-tiny.gguf
"$third" shop 400 7
"$genair" prepare -q -w empty --interactions shop/interactions.tsv --items shop/items.jsonl --item-core 8 >/dev/null
n=$(wc -l <empty/items.jsonl)
options=(--model "$model" --max-new-tokens 12 --threads 1)
cp -r empty one
run 0 archetype -w one "${options[@]}" --json
json_holds 'one process' ".made == $n"

anew() { rm -rf ws && cp -r empty ws; }
rank() { # rank K N [MORE...]: in place of a shell's child
    exec "$genair" archetype -w ws "${options[@]}" --json --rank "$1" --ranks "$2" "${@:3}" >"rank$1.out" 2>"rank$1.err"
}
rows_of() { sqlite3 "$1/archetypes.sqlite" 'SELECT * FROM items ORDER BY item' | md5sum; }
begun() { [ "$(od -An -v -tu1 -w1 -j 64 ws/archetypes.leases 2>/dev/null | grep -c 1)" -gt 0 ]; } # an item is done
merged_is_one() { # merged_is_one WHAT
    run 0 archetype -w ws "${options[@]}" --json --merge
    json_holds "$1: merged" ".items == $n and .made == 0 and .failed == 0"
    for part in prefill decoding; do same "$1: $part" one/$part.npy ws/$part.npy; done
    if command -v sqlite3 >/dev/null; then holds "$1: texts" test "$(rows_of one)" = "$(rows_of ws)"; fi
    holds "$1: one store is left" test "$(cd ws && echo archetypes.*)" = archetypes.sqlite
}
made() { jq -s 'map(.made) | add' "$@"; }

# ---- two, started by hand ----
anew
(rank 0 2) &
(rank 1 2) &
wait
holds 'each item is made once' test "$(made rank0.out rank1.out)" = "$n"
merged_is_one 'two ranks'
run 0 archetype -w ws "${options[@]}" --json --rank 1 --ranks 2
json_holds 'nothing is left to do' '.made == 0'

# ---- by mpirun ----
if command -v mpirun >/dev/null; then
    for ranks in 2 4; do
        anew
        OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun --oversubscribe -n $ranks \
            "$genair" archetype -w ws "${options[@]}" --json >out 2>err
        holds "mpirun -n $ranks" test $? -eq 0
        holds 'each says its rank' test "$(jq -s 'map(.rank) | sort | join(" ")' out)" = "\"$(seq -s ' ' 0 $((ranks - 1)))\""
        holds 'each item is made once' test "$(made out)" = "$n"
        merged_is_one "mpirun -n $ranks"
    done
else
    echo 'not checked here: mpirun, which is not installed'
fi

# ---- one of four holds leases and hangs: the others make the rest, then wait; it is killed: they make its own ----
anew
(rank 3 4 --batch 2) &
lost=$!
until begun || ! kill -0 $lost 2>/dev/null; do sleep 0.01; done
kill -STOP $lost
if begun && [ ! -s rank3.out ]; then
    children=()
    for k in 0 1 2; do
        (rank $k 4) &
        children+=($!)
    done
    for _ in $(seq 1000); do
        grep -q 'waiting for what other ranks have in work' rank?.err && break
        sleep 0.05
    done
    holds 'the others wait for a rank that lives' grep -l 'waiting for what other ranks' rank0.err rank1.err rank2.err
    run 1 archetype -w ws "${options[@]}" --merge
    holds 'nothing is merged meanwhile' grep -q 'the workspace is in use' err
    run 2 archetype -w ws --model "$model" --max-new-tokens 13 --rank 5 --ranks 6
    holds 'nor can other work begin' grep -q 'other ranks are at work' err
    kill -KILL $lost
    wait "${children[@]}"
    holds 'and make what it had' test "$(made rank0.out rank1.out rank2.out)" -gt 0
    rm -f ws/archetypes.rank5.sqlite
    merged_is_one 'a rank killed'
else
    kill -KILL $lost
    fail_case 'a rank killed' 'it was over before it could be stopped'
fi
wait

# ---- all are killed; another number of ranks, or one process, goes on ----
half() { # half N RANKS: made by the first ranks only
    for k in $(seq 0 $(($2 - 1))); do (rank "$k" "$2" --limit "$1"); done
}
anew
(rank 0 2 --batch 2) &
(rank 1 2 --batch 2) &
until begun || [ -z "$(jobs -r)" ]; do sleep 0.01; done
kill -KILL $(jobs -p)
wait 2>/dev/null
for k in 0 1 2; do (rank $k 3) & done
wait
merged_is_one 'three go on where two were killed'
anew
half 10 2
run 1 archetype -w ws "${options[@]}" --merge
holds 'merged too early: what is missing is counted' grep -q "$((n - 10)) of $n items are missing" err
holds 'and nothing is lost' test "$(cd ws && echo archetypes.*)" = archetypes.sqlite
(rank 0 2)
holds 'a rank begins with what the store holds' test "$(made rank0.out)" = $((n - 10))
merged_is_one 'after a merge that was too early'
anew
half 10 2
run 0 archetype -w ws "${options[@]}" --json
json_holds 'one process takes over what ranks left' ".merged == 10 and .made == $n - 10 and .items == $n"
same 'to the same vectors' one/decoding.npy ws/decoding.npy

# ---- a damaged row is made again ----
if command -v sqlite3 >/dev/null; then
    anew
    half 10 2
    holds 'damage' sqlite3 ws/archetypes.rank0.sqlite 'UPDATE items SET archetype = "?" WHERE rowid = 1'
    run 1 archetype -w ws "${options[@]}" --merge --limit 10
    holds 'is missing' grep -q "1 of $n items are missing" err
    (rank 1 2)
    merged_is_one 'after damage'
fi

# ---- what cannot be ----
anew
for wrong in '--rank 1' '--ranks 2' '--rank 2 --ranks 2' '--rank 0 --ranks 2 --merge' '--rank 0 --ranks 2 --restart'; do
    run 2 archetype -w ws "${options[@]}" $wrong
done
half 10 2
run 2 archetype -w ws --model "$model" --max-new-tokens 13 --merge
holds 'other settings are told' grep -q 'rank0.sqlite holds archetypes made with another' err
run 2 archetype -w ws --model "$model" --max-new-tokens 13 --restart --limit 3 --merge
run 0 archetype -w ws --model "$model" --max-new-tokens 13 --restart --limit 3 --json
json_holds 'unless it is thrown away' '.items == 3 and .merged == 0'
finish
