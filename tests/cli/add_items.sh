#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# New items without training, by the command and by the server: a copy of an item is that item in all but its name, a
# described item serves, nothing acknowledged is lost to kill -9, other runs and wrong input are refused whole.
# usage: add_items.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM [KILLS]
. "$2/tests/cli/check.sh"
needs_jq
command -v curl >/dev/null || { echo 'SKIP: this test asks with curl'; exit 77; }
kills=${4:-2}
model=$source/data/model/archetype-tiny.gguf
"$third" shop 400 7
sed -i '1s/item_id/product_id/' shop/interactions.tsv
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl --item-core 10 --json
json_holds 'what the log calls its items' '.item_column == "productid"'
run 0 archetype -w ws --model "$model" --max-new-tokens 4 --greedy
run 0 fuse -w ws --components 8 --whiten
run 0 train -w ws --run one --hidden 16 --max-len 20 --epochs 2 --batch 64
run 0 train -w ws --run base --method base --hidden 16 --max-len 20 --epochs 1 --batch 64
n=$(wc -l <ws/items.jsonl)
item=$(head -n 1 ws/items.jsonl | jq -r .item_id)
other=$(sed -n 2p ws/items.jsonl | jq -r .item_id)
run 0 evaluate -w ws --run one --json
jq 'del(.seconds, .eval_seconds, .peak_rss_mb)' out >evaluated

# ---- copies of all items, with their vectors ----
jq -c '.item_id = "copy of " + .item_id' ws/items.jsonl >copies.jsonl
run 0 add-items -w ws --run one --items copies.jsonl --prefill ws/prefill.npy --decoding ws/decoding.npy --json
json_holds 'all are added' ".added == $n and .replaced == 0 and .described == 0"
run 0 similar -w ws --run one --item "copy of $item" -k 1 --json
json_holds 'a copy is the item' ".items[0].item == \"$item\" and .items[0].score > 0.999999"
run 0 recommend -w ws --run one --history "$item" "$other" -k $((2 * n)) --json
json_holds 'copies are recommended with the same scores' "(.items | length) == 2 * $n - 2 and
    ([.items[] | select(.item | startswith(\"copy of \")) | {key: .item[8:], value: .score}] | from_entries) as \$copy |
    all(.items[] | select(.item | startswith(\"copy of \") | not); .score == \$copy[.item])"
cp out of_items
run 0 recommend -w ws --run one --history "copy of $item" "copy of $other" -k $((2 * n)) --json
holds 'and are as good a history' jq -e --slurpfile a of_items '[.items[] | select(.item | startswith("copy of ") | not) | .score] as $s |
    [$a[0].items[].score] as $t | [$s[] | select(IN($t[]))] | length >= ($s | length) - 2' out
run 0 add-items -w ws --run one --items copies.jsonl --prefill ws/prefill.npy --decoding ws/decoding.npy --json
json_holds 'again: replaced' ".added == 0 and .replaced == $n"

# ---- training and evaluation do not see them ----
run 0 train -w ws --run one --hidden 16 --max-len 20 --epochs 2 --batch 64
holds 'the run is as it was' grep -q 'up to date' err
run 0 evaluate -w ws --run one --json
jq 'del(.seconds, .eval_seconds, .peak_rss_mb)' out >evaluated_again
same 'evaluation too' evaluated evaluated_again

# ---- described by the model ----
jq -c 'select(.item_id == "'"$item"'") | .item_id = "twin"' ws/items.jsonl >new.jsonl
printf '{"item_id": "bare", "title": "A thing without more"}\n' >>new.jsonl
run 0 add-items -w ws --run one --items new.jsonl --model "$model" --json
json_holds 'described' '.added == 2 and .described == 2'
run 0 similar -w ws --run one --item twin -k 2 --json
json_holds 'the same text is the same item' "[.items[].item] | index(\"$item\") != null"
json_holds 'to the last digits' '.items[0].score > 0.9999'
run 0 recommend -w ws --run one --history twin -k 300 --explain --json
json_holds 'it has an archetype' '.items | map(select(.item == "bare")) | length == 1 and (.[0].archetype | type == "string")'

# ---- other runs, wrong input: nothing is kept ----
sum() { md5sum <ws/added.sqlite; }
before=$(sum)
run 2 add-items -w ws --run base --items new.jsonl --model "$model"
holds 'why' grep -q 'of method base, which learns its items from interactions' err
run 2 add-items -w ws --run none --items new.jsonl --model "$model"
run 2 add-items -w ws --run one --items new.jsonl
holds 'why' grep -q '2 of 2 items have no vectors, and there is no --model' err
run 2 add-items -w ws --run one --model "$model"
printf '{"item_id": "nothing"}\n' >nothing.jsonl
run 2 add-items -w ws --run one --items nothing.jsonl --model "$model"
holds 'an item without any attribute is refused' grep -q 'there is nothing to describe it by' err
run 2 add-items -w ws --run one --items ws/items.jsonl --prefill ws/prefill.npy --decoding ws/decoding.npy
holds 'why' grep -q "has item '$item' already" err
run 2 add-items -w ws --run one --items copies.jsonl --prefill ws/prefill.npy
holds 'why' grep -q 'needs a decoding vector' err
run 1 add-items -w ws --run one --items new.jsonl --prefill ws/prefill.npy --decoding ws/decoding.npy
holds 'why' grep -q "$n rows, but --items has 2 items" err
run 2 add-items -w ws --run one --items copies.jsonl --prefill ws/fused.npy --decoding ws/fused.npy
holds 'why' grep -q 'must come from the same language model' err
cat new.jsonl new.jsonl >twice.jsonl
run 2 add-items -w ws --run one --items twice.jsonl --model "$model"
head -c 3000 "$model" >cut.gguf
run 1 add-items -w ws --run one --items new.jsonl --model cut.gguf
printf 'What of <item_name>?' >template
run 2 add-items -w ws --run one --items new.jsonl --model "$model" --template template
holds 'why' grep -q 'made with another template' err
printf 'What of it?' >none
run 2 add-items -w ws --run one --items new.jsonl --model "$model" --template none
holds 'why, of a file that is no template too' grep -q 'made with another template' err
holds 'nothing was kept' test "$(sum)" = "$before"

# ---- a model is known by the vectors that the run learned from, not by what the store holds now ----
cp -r ws anew
run 0 archetype -w anew --model "$model" --max-new-tokens 4 --greedy --restart --limit 1 --template template
run 2 add-items -w anew --run one --items new.jsonl --model "$model" --template template
holds 'the store has other settings now' grep -q 'made with another template' err
run 0 add-items -w anew --run one --items new.jsonl --model "$model"
run 0 embed -w anew --prefill ws/prefill.npy --decoding ws/decoding.npy
run 2 add-items -w anew --run one --items new.jsonl --model "$model"
holds 'vectors taken in are of no known model' grep -q 'made elsewhere, so no --model can be known to be theirs: give vectors' err
run 0 embed -w anew --prefill ws/decoding.npy --decoding ws/prefill.npy
run 2 add-items -w anew --run one --items new.jsonl --model "$model"
holds 'nor are those that the run did not learn from' grep -q "that run 'one' learned from are not those that are there now" err

# ---- out again ----
run 2 add-items -w ws --remove "$item"
holds 'an item of the log stays' grep -q "no item '$item' was added" err
run 2 add-items -w ws --remove twin nobody
run 2 add-items -w ws --remove twin --items new.jsonl
run 0 similar -w ws --run one --item twin -k 1
run 0 add-items -w ws --remove twin "copy of $item" --json
json_holds 'gone' '.removed == 2'
run 2 similar -w ws --run one --item twin -k 1
run 0 similar -w ws --run one --item "copy of $other" -k 1 --json
json_holds 'the others are what they were' ".items[0].item == \"$other\" and .items[0].score > 0.999999"
run 2 add-items -w ws --remove twin
printf '{"asin": "A1", "Product ID": "P1", "title": "An item of two ids"}\n' >two_ids.jsonl
run 0 add-items -w ws --run one --items two_ids.jsonl --model "$model"
run 0 add-items -w ws --remove P1
run 0 add-items -w ws --run one --items new.jsonl --model "$model" --json
json_holds 'and in again' '.added == 1 and .replaced == 1'
head -n 1 copies.jsonl >copy.jsonl
run 0 add-items -w ws --run one --items copies.jsonl --prefill ws/prefill.npy --decoding ws/decoding.npy --json
json_holds 'the copy too' ".added == 1 and .replaced == $n - 1"

# ---- the server ----
. "$source/tests/cli/server.sh"
run 0 inspect ws/prefill.npy --json
vector=$(jq -c '[range(.shape[1]) | . / 64]' out)
start one
ask 200 '/v1/item?item=twin'
json_holds 'known after a start' '.item == "twin" and .cold and .popularity == 0 and (.archetype | type == "string") and .attributes.description'
ask 200 '/v1/items?q=thing%20without'
json_holds 'found' '.items[0].item == "bare"'
ask 200 /v1/items -d '{"item_id": "n1", "title": "A new one", "price": 4.50, "vectors": {"prefill": '"$vector"', "decoding": '"$vector"'}}'
json_holds 'added' '. == {added: 1, replaced: 0, described: 0}'
ask 200 /v1/items -d '{"asin": "A1", "product_id": "P1", "vectors": {"prefill": '"$vector"', "decoding": '"$vector"'}}'
ask 200 /v1/items/P1 -X DELETE
ask 200 '/v1/similar?item=n1&k=3'
json_holds 'at once' '.items | length == 3'
ask 200 /v1/item?item=n1
json_holds 'a number stays as it was written' '.attributes.price == "4.50"'
ask 200 /v1/events -d '{"user": "somebody new", "item": "n1"}'
ask 200 '/v1/recommend?user=somebody%20new&k=3&explain=1'
json_holds 'a new item is a history' '.history_length == 1 and .items[0].because == "n1"'
ask 200 /v1/recommend -d '{"history": ["'"$item"'"], "allow": ["n1"]}'
json_holds 'and recommended' '.items[0].item == "n1"'
ask 200 /v1/run
json_holds 'counted' ".data.added_items == $n + 3 and .data.items == $n"
json_holds 'what came later is told' '.data.added_items > 0'
ask 200 /v1/item?item=n1
json_holds 'also of one' .added
vectors='"vectors": {"prefill": '"$vector"', "decoding": '"$vector"'}'
jq -n "{item_id: \"spread\", $vectors}" >spread # over several lines
ask 200 /v1/items --data-binary @spread
ask 200 /v1/items/spread -X DELETE
ask 200 /v1/items -d '{"item_id": "a/b %&?ä", '"$vectors"'}'
ask 200 /v1/items/a/b%20%25%26%3F%C3%A4 -X DELETE
json_holds 'taken away' '. == {removed: 1}'
ask 404 /v1/item?item=a/b%20%25%26%3F%C3%A4
ask 404 /v1/items/a/b%20%25%26%3F%C3%A4 -X DELETE
ask 404 "/v1/items/$item" -X DELETE
json_holds 'an item of the log stays' '.error.message | test("of the log")'
for name in n1%00 n1%FF n1%0a "$(head -c 300 /dev/zero | tr '\0' x)"; do ask 400 "/v1/items/$name" -X DELETE; done
ask 413 /v1/items/n1 -X DELETE -d x
ask 404 /v1/items/ -X DELETE
ask 405 /v1/items/n1
ask 403 /v1/items/n1 -X DELETE -H 'Origin: http://elsewhere.example'
ask 200 /v1/item?item=n1
jq -cn "{item_id: (\"ä\" * 256), $vectors}" >long
ask 200 /v1/items -d @long
ask 400 /v1/items -d "$(jq -c '.item_id += "x"' long)"
ask 400 /v1/items -d '{"item_id": "a\u0007b", '"$vectors"'}'
ask 200 "/v1/items/$(jq -r '.item_id | @uri' long)" -X DELETE
for i in $(seq 20); do
    curl -s -o /dev/null -w '%{http_code}\n' -d '{"item_id": "m'"$i"'", '"$vectors"'}' "$url/v1/items" &
    pids[i]=$!
done >codes
wait "${pids[@]}"
holds 'many at once' test "$(sort codes | uniq -c | xargs)" = '20 200'
for i in $(seq 20); do ask 200 "/v1/items/m$i" -X DELETE; done
ask 200 /v1/run
json_holds 'all gone' ".data.added_items == $n + 3"
for body in '' '[]' '{' '{"title": "no id"}' '{"item_id": "n2"}' '{"item_id": "n2", "vectors": {"prefill": [1]}}' '{"item_id": "n2", "vectors": 1}' \
    '{"item_id": "n2", "vectors": {"prefill": ["a"], "decoding": [1]}}' '{"item_id": "n2", "vectors": {"other": [1]}}' \
    '{"item_id": "'"$item"'", "vectors": {"prefill": '"$vector"', "decoding": '"$vector"'}}' \
    '{"item_id": "n2", "vectors": {"prefill": [], "decoding": []}}' \
    '{"item_id": "n2", "vectors": {"prefill": '"${vector/0/1e999}"', "decoding": '"$vector"'}}'; do
    ask 400 /v1/items -d "$body"
    json_holds "$body" '.error.message | length > 0'
done
ask 404 /v1/item?item=n2
stop
start one --model "$model"
ask 200 /v1/item?item=n1
ask 200 /v1/items -d '{"item_id": "n3", "title": "Trail tent for two", "description": "For people who walk far."}'
json_holds 'described' '.added == 1 and .described == 1'
ask 200 /v1/item?item=n3
json_holds 'by the model' '.archetype | length > 0'
stop
start base
holds 'other runs say that they leave them out' grep -q "added items are left out: run 'base' is of method base" serve.err
ask 404 /v1/item?item=n1
ask 400 /v1/items -d '{"item_id": "n4", "vectors": {"prefill": '"$vector"', "decoding": '"$vector"'}}'
stop
run 2 serve -w ws --run one --listen 127.0.0.1:0 --model "$model" --template template

# ---- item vectors of another width: what was added before does not fit, what comes now does ----
cp -r ws kept
run 0 embed -w ws --prefill ws/fused.npy --decoding ws/fused.npy
run 0 fuse -w ws --components 8 --whiten
run 0 train -w ws --run one --hidden 16 --max-len 20 --epochs 1 --batch 64
run 0 inspect ws/prefill.npy --json
narrow=$(jq -c '[range(.shape[1]) | . / 16]' out)
stale=$(($(jq -s length copies.jsonl) + 4)) # twin, bare, n1, n3
start one
holds 'those that do not fit are told' grep -q "^[^0-9]*$stale added items are left out, the first because the prefill vector of item" serve.err
ask 404 /v1/item?item=n1
ask 200 /v1/items -d '{"item_id": "narrow", "vectors": {"prefill": '"$narrow"', "decoding": '"$narrow"'}}'
ask 200 '/v1/similar?item=narrow&k=3'
json_holds 'it is served beside them' '.items | length == 3'
ask 200 /v1/reload -d ''
json_holds 'a reload answers how many are not' ".status == \"reloaded\" and (.left_out | startswith(\"$stale added items are left out\"))"
holds 'which is told once' test "$(grep -c 'are left out' serve.err)" -eq 1
for name in n1 n3; do ask 200 /v1/items/$name -X DELETE; done
for _ in $(seq 100); do grep -q "$((stale - 2)) added" serve.err && break; sleep 0.02; done
holds 'and what requests change too' grep -q "$((stale - 2)) added items are left out" serve.err
ask 200 '/v1/item?item=narrow'
stop
run 0 similar -w ws --run one --item narrow -k 1
holds 'the command tells it too' grep -q "$((stale - 2)) added items are left out" err
rm -rf ws

# ---- a model that writes long answers: by as many threads as are asked for, ended by SIGTERM, its vectors out of date meanwhile ----
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl --item-core 10
run 0 archetype -w ws --model "$model" --max-new-tokens 400 --temperature 100
run 0 fuse -w ws --components 8 --whiten
run 0 train -w ws --run one --hidden 16 --max-len 20 --epochs 1 --batch 64
threads() { ls "/proc/$server/task" | wc -l; }
describe() { # describe N: the answer in described-N, its status in status-N
    seq "$1" | jq -c '{item_id: "long \(.)", title: "Tent \(.)"}' >"many-$1"
    curl -s -m 300 -o "described-$1" -w '%{http_code}' --data-binary "@many-$1" "$url/v1/items" >"status-$1"
}
starts() { # until the threads that describe are there
    for _ in $(seq 200); do [ "$(threads)" -ge $((idle + 9)) ] && return; sleep 0.02; done
    false
}
start one --model "$model" --threads 9
idle=$(threads)
describe 1000 &
first=$!
holds 'eight threads more, and the connection' starts
describe 1 &
second=$!
sleep 0.2
began=$SECONDS
stop
holds 'within seconds' test $((SECONDS - began)) -lt 8
wait $first $second
holds 'both were refused' test "$(cat status-1000 status-1)" = 503503
holds 'with the reason' jq -e '.error.message | test("about to end; nothing of the request was kept")' described-1000
holds 'nothing was kept' test ! -e ws/added.sqlite
start one --model "$model" --threads 9
idle=$(threads)
describe 20 &
first=$!
holds 'it describes again' starts
run 0 fuse -w ws --components 4 --whiten
wait $first
holds 'stored, but for the next run' test "$(cat status-20)" = 503
holds 'with the reason' jq -e '.error.message | test("it is stored, but not served: 20 added items are left out: .*train it again")' described-20
stop
rm -rf ws
mv kept ws

# ---- killed while items arrive: what was acknowledged is there ----
: >acknowledged
for round in $(seq "$kills"); do
    start one
    (for i in $(seq 1000); do
        curl -sf -o /dev/null -d '{"item_id": "k'"$round-$i"'", "title": "x", "vectors": {"prefill": '"$vector"', "decoding": '"$vector"'}}' \
            "$url/v1/items" || exit
        echo "k$round-$i" >>acknowledged
    done) &
    sender=$!
    sleep 0.8
    kill -9 $server
    wait $sender $server 2>/dev/null
done
start one
holds 'some were acknowledged' test -s acknowledged
while read -r name; do ask 200 "/v1/item?item=$name"; done <acknowledged
stop

# ---- killed while they are taken away ----
cp acknowledged wanted
: >gone
start one
(while read -r name; do
    curl -sf -o /dev/null -X DELETE "$url/v1/items/$name" || exit
    echo "$name" >>gone
done <wanted) &
sender=$!
sleep 0.4
kill -9 $server
wait $sender $server 2>/dev/null
start one
holds 'some are gone' test -s gone
while read -r name; do ask 404 "/v1/item?item=$name"; done <gone
stop

# ---- a damaged store is named ----
printf 'nonsense' | dd of=ws/added.sqlite bs=1 seek=0 conv=notrunc 2>/dev/null
run 1 recommend -w ws --run one --history "$item"
holds 'what and where' grep -q 'added.sqlite: damaged' err
finish
