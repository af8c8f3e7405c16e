#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The archetype stage, through the program, with tiny models: from items to vectors that fuse takes, the same bytes
# whatever the batch, threads, order and interruptions; other settings, bad files, killed runs, full disks.
# usage: archetype.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM [KILLS, default 3]
. "$2/tests/cli/check.sh"
needs_jq
kills=${4:-3}
models=$source/../shared/golden/lm/models
[ -d "$models" ] || {
    echo 'SKIP: no tiny models here'
    exit 77
}
model=$models/llama-tiny/gguf/llama-tiny-q8_0.gguf
"$third" shop 400 7
prepared() { "$genair" prepare -q -w "$1" --interactions shop/interactions.tsv --items shop/items.jsonl --item-core 10 >/dev/null; }
holds 'a workspace' prepared ws
n=$(wc -l <ws/items.jsonl)
item=$(head -n 1 ws/items.jsonl | jq -r .item_id)
cp -r ws empty
made() { run 0 archetype -w "$1" --model "$model" --max-new-tokens 24 --json "${@:2}"; }

# ---- a first look, then all ----
made ws --limit 5
json_holds 'a first look' '.items == 5 and .made == 5 and .failed == 0'
holds 'writes no vectors' test ! -e ws/prefill.npy
made ws --limit 5
json_holds 'a second one does nothing' '.items == 5 and .made == 0'
run 1 fuse -w ws
holds 'fuse says what it needs' grep -q "there are no item vectors here; run 'genair archetype'" err
made ws
json_holds 'all' ".items == $n and .made == $n - 5 and .failed == 0 and .columns == 64 and .prompt_tokens > 0 and .generated_tokens > 0 and .prefix_tokens_saved > 0 and .prefill_tokens_per_second > 0 and .decode_tokens_per_second > 0 and .peak_rss_mb > 0"
cp out first.json
made ws
json_holds 'again: nothing to do' ".items == $n and .made == 0"
holds 'and says so' grep -q 'nothing to do' err
holds 'the store is one file' test ! -e ws/archetypes.sqlite-wal
run 0 fuse -w ws --components 8 --json
json_holds 'fuse takes the vectors' ".items == $n and .columns == 16"
run 0 inspect ws/decoding.npy

# ---- show, explain ----
run 0 archetype -w ws --show "$item" --json
json_holds 'show' ".item == \"$item\" and .status == \"done\" and .prompt_tokens > 0 and .generated_tokens <= 24 and (.archetype | type) == \"string\" and .model == \"llama-tiny-q8_0.gguf\""
holds 'the prompt begins as the paper says' jq -e '.prompt | startswith("You are a helpful recommendation expert. Based on the following attributes, identify the types of users this item would appeal to: The item name is ")' out
holds 'and ends so' jq -e '.prompt | endswith("What potential users align best with this item?")' out
run 0 archetype -w ws --show "$item"
holds 'a person sees the prompt in full' grep -q 'potential users' out
run 2 archetype -w ws --show no-such-item
run 2 archetype -w empty --show "$item"
run 0 train -w ws --run pop --method pop
run 0 recommend -w ws --run pop --history "$item" -k 3 --explain --json
json_holds 'explain' '[.items[] | select(.archetype | type == "string")] | length == 3'
run 0 recommend -w ws --run pop --history "$item" -k 3 --explain
holds 'a person sees whom they are for' grep -q 'who they are for' out
run 0 recommend -w ws --run pop --history "$item" -k 3 --json
json_holds 'only when asked' '[.items[] | select(.archetype)] | length == 0'

# ---- the same bytes, however it is made ----
same_as_ws() { # same_as_ws WHAT WORKSPACE: vectors, and what the store holds of each item
    same "$1: prefill" ws/prefill.npy "$2/prefill.npy"
    same "$1: decoding" ws/decoding.npy "$2/decoding.npy"
    if command -v sqlite3 >/dev/null; then
        for w in ws "$2"; do sqlite3 $w/archetypes.sqlite 'SELECT * FROM items ORDER BY item' | md5sum >"$(basename $w).rows"; done
        holds "$1: texts" cmp ws.rows "$(basename "$2").rows"
    fi
}
for options in '--batch 1 --threads 1' '--batch 7 --threads 2' '--batch 64 --threads 1' '--kv-memory 1'; do
    rm -rf other && cp -r empty other
    made other $options
    same_as_ws "$options" other
done
for format in llama3-tiny/gguf/llama3-tiny-f16.gguf qwen2-tiny/hf-bf16; do
    rm -rf a b && cp -r empty a && cp -r empty b
    model=$models/$format made a --batch 1 --greedy --limit 12
    model=$models/$format made b --batch 12 --greedy --limit 12
    holds "$format: texts" cmp <("$genair" archetype -w a --show "$item" --json | jq .archetype) \
        <("$genair" archetype -w b --show "$item" --json | jq .archetype)
done

rm -rf a b && cp -r empty a && cp -r empty b
made a --greedy --limit 12
made b --temperature 1e-38 --limit 12
made b --greedy --limit 12
json_holds 'the lowest temperatures are greedy' '.made == 0'
holds 'in words too' cmp <("$genair" archetype -w a --show "$item" --json | jq .archetype) <("$genair" archetype -w b --show "$item" --json | jq .archetype)

# ---- killed and interrupted ----
rows_of() { sqlite3 "$1/archetypes.sqlite" 'SELECT item, checksum FROM items ORDER BY item'; }
start=$(date +%s%3N)
rm -rf other && cp -r empty other && made other --batch 4 --threads 1
took=$(($(date +%s%3N) - start))
rm -rf cut && cp -r empty cut && : >before.rows
for round in $(seq "$kills"); do
    "$genair" archetype -q -w cut --model "$model" --max-new-tokens 24 --batch 4 --threads 1 >/dev/null 2>&1 &
    child=$!
    sleep "$(awk -v t="$took" -v i="$round" -v n="$kills" 'BEGIN { print t * (0.3 + 0.6 * i / n) / 1000 }')"
    kill -KILL $child 2>/dev/null
    wait $child 2>/dev/null
    if command -v sqlite3 >/dev/null && [ -s cut/archetypes.sqlite ]; then
        holds "killed ($round of $kills): the store is sound" test "$(sqlite3 cut/archetypes.sqlite 'PRAGMA integrity_check')" = ok
        rows_of cut >now.rows
        holds "killed ($round of $kills): no finished item is lost or made again" test -z "$(comm -23 before.rows now.rows)"
        mv now.rows before.rows
    fi
    # it was over: once more from the start
    [ -e cut/prefill.npy ] && rm -rf cut && cp -r empty cut && : >before.rows
done
made cut
if command -v sqlite3 >/dev/null; then
    json_holds 'what was finished before stays' ".items == $n and .made == $n - $(wc -l <before.rows)"
fi
same_as_ws "after $kills kills" cut
rm -rf cut && cp -r empty cut
"$genair" archetype -q -w cut --model "$model" --max-new-tokens 24 --batch 1 --threads 1 >/dev/null 2>err &
child=$!
for _ in $(seq 300); do
    [ -s cut/archetypes.sqlite-wal ] && break
    sleep 0.01
done
kill -INT $child 2>/dev/null
wait $child
status=$?
[ $status -eq 0 ] || holds 'SIGINT is exit status 130' test $status -eq 130
made cut
same_as_ws 'after an interruption' cut

# ---- one kind of archetypes in a store ----
refused() { # refused WHAT ARGUMENTS...: named, and nothing changed
    run 2 archetype -w ws --model "$model" --max-new-tokens 24 "${@:2}"
    holds "$1 is named" grep -q "made with.*$1" err
}
refused temperature --temperature 0.7
refused top-p --top-p 0.5
refused repetition-penalty --repetition-penalty 1
refused seed --seed 5
refused item-noun --item-noun 'fashion item'
refused attribute-characters --attribute-characters 50
refused greedy --greedy
run 2 archetype -w ws --model "$models/llama-tiny/gguf/llama-tiny-q4_0.gguf" --max-new-tokens 24
holds 'another model is named' grep -q 'made with model' err
printf 'Who wants <item_name>?' >who.txt
refused template --template who.txt
made ws
json_holds 'nothing was lost by that' '.made == 0'
made ws --restart --greedy --template who.txt
json_holds 'unless it is asked for' ".made == $n"
run 0 archetype -w ws --show "$item" --json
holds 'the template was followed' jq -e '.prompt | startswith("Who wants ")' out
printf 'Who wants <item_nmae> or <item_name>? Or <item_name>!' >typo.txt
made ws --restart --limit 1 --template typo.txt
holds 'an attribute that no item has is told' grep -q "no item has the attribute 'nmae'" err


run 2 archetype -w ws --model "$model" --max-new-tokens 24 --restart --template <(printf '<item_name> %s' "$(yes word | head -n 5000 | tr '\n' ' ')")
holds 'what cannot be made anew is told' grep -q 'the model reads at most' err
run 0 archetype -w ws --show "$item"

# ---- the form in which the model is spoken to, and its tokenizer ----
llama3=$models/llama3-tiny/gguf/llama3-tiny-f16.gguf
rm -rf a b && cp -r empty a && cp -r empty b
model=$llama3 made a --greedy --limit 2
model=$llama3 made b --greedy --limit 2 --chat-format none
holds 'plain text is shorter' test "$(jq .prompt_tokens out)" -lt "$("$genair" archetype -w a --model "$llama3" --max-new-tokens 24 --greedy --limit 2 --json -q | jq .prompt_tokens)"
run 2 archetype -w b --model "$llama3" --max-new-tokens 24 --greedy --limit 2
holds 'the form is named' grep -q 'made with.*chat_format none (now llama3)' err
model=$llama3 made b --greedy --chat-format none
run 0 fuse -w b --components 8
run 0 train -w b --run r --hidden 8 --epochs 1
jq -c 'select(.item_id == "'"$item"'") | .item_id = "twin"' b/items.jsonl >twin.jsonl
run 0 add-items -w b --run r --items twin.jsonl --model "$llama3"
run 0 similar -w b --run r --item twin -k 1 --json
json_holds 'a new item is put to the model as the others were' ".items[0].item == \"$item\" and .items[0].score > 0.99999"
run 2 archetype -w empty --model "$model" --chat-format chatml
holds 'a form that the model has no tokens for' grep -q 'the token "<|im_start|>", which the model has not: choose another with --chat-format' err
# where the files name another end, that of a turn ends an answer too: nearly uniform draws meet it now and then
cp -rL "$models/qwen2-tiny/hf-bf16" turns
sed -i 's/"eos_token_id": [0-9]*/"eos_token_id": 3/' turns/config.json turns/generation_config.json
drawn() { run 0 archetype -w "$1" --model "$2" --max-new-tokens 120 --temperature 100 --top-p 1 --repetition-penalty 1 --json "${@:3}"; }
rm -rf a b && cp -r empty a && cp -r empty b
drawn a "$models/qwen2-tiny/hf-bf16"
ended=$(jq .generated_tokens out)
holds 'some answers end with the turn' test "$ended" -lt $((120 * n))
run 0 inspect turns --json
json_holds 'which inspect shows' '(.model.end_tokens | length) == 2 and (has("not_usable") | not)'
drawn b turns
json_holds 'all of them' ".items == $n"
if command -v sqlite3 >/dev/null; then
    for w in a b; do sqlite3 $w/archetypes.sqlite 'SELECT generated_tokens FROM items ORDER BY item' >$w.lengths; done
    holds 'with another end beside it none is longer' awk '{ getline b <"b.lengths"; if (b > $1) exit 1 }' a.lengths
fi
# also of a format that is chosen by hand
im_end=$(jq '.added_tokens_decoder | to_entries[] | select(.value.content == "<|im_end|>") | .key | tonumber' turns/tokenizer_config.json)
jq '.chat_template = "of another form"' turns/tokenizer_config.json >other.json && mv other.json turns/tokenizer_config.json
rm -rf a b && cp -r empty a && cp -r empty b
drawn a turns --chat-format chatml
chosen=$(jq .generated_tokens out)
for file in config.json generation_config.json; do jq ".eos_token_id = [3, $im_end]" turns/$file >other.json && mv other.json turns/$file; done
drawn b turns --chat-format chatml
json_holds 'the turn of a chosen format ends an answer' ".generated_tokens == $chosen"
cp "$model" begins.gguf
at=$(grep -abo tokenizer.ggml.add_bos_token begins.gguf | cut -d: -f1)
printf '\0' | dd of=begins.gguf bs=1 seek=$((at + 28 + 4)) conv=notrunc status=none
rm -rf a && cp -r empty a
made a --limit 2
run 2 archetype -w a --model begins.gguf --max-new-tokens 24 --limit 3
holds 'another tokenizer is named' grep -q 'made with tokenizer' err

# ---- what ranks have made is shown before it is merged; a store without anything holds up nobody ----
rm -rf a && cp -r empty a
run 2 archetype -w a --model "$model" --max-new-tokens 24 --rank 0 --ranks 2 --template <(printf '<item_name> %s' "$(yes word | head -n 5000 | tr '\n' ' ')")
run 0 archetype -w a --model "$model" --max-new-tokens 24 --rank 1 --ranks 2 --limit 3
run 0 archetype -w a --show "$item"
made a --limit 3
json_holds 'taken over' '.made == 0 and .merged == 3'
run 2 archetype -w a --model "$model" --max-new-tokens 24 --merge --restart
holds 'nothing would take the place of what is there' grep -q 'no rank has left archetypes' err
made a --limit 3
json_holds 'so it is kept' '.items == 3 and .made == 0'
rm -rf a && cp -r empty a
run 1 archetype -w a --model "$model" --max-new-tokens 24 --merge
holds 'nothing is said to be kept where nothing is' grep -q "$n of $n items are missing, the first is '[^']*'; no vectors" err

# ---- texts from elsewhere ----
jq -c '{item: .item_id, archetype: ("People who want " + .item_id)}' ws/items.jsonl >texts.jsonl
rm -rf other && cp -r empty other
made other --texts texts.jsonl
json_holds 'texts are embedded' ".items == $n and .made == $n and .generated_tokens > 0"
run 0 archetype -w other --show "$item" --json
json_holds 'word for word' ".archetype == \"People who want $item\" and .finish == \"given\""
sed -i "1s/People/Those/" texts.jsonl
made other --texts texts.jsonl
json_holds 'a changed text is embedded anew, alone' '.made == 1'
head -n 10 texts.jsonl >some.jsonl
rm -rf a && cp -r empty a
jq -c '{item: .item_id, archetype: "a"}' ws/items.jsonl >letters.jsonl
run 0 archetype -w a --model "$model" --texts letters.jsonl --json
json_holds 'a text of a letter is read' '.short_answers == 0 and .generated_tokens < 3 * .items'
rm -rf a && cp -r empty a
run 0 archetype -w a --model "$model" --max-new-tokens 1 --json
json_holds 'the only token of an answer is not' ".short_answers == $n"
holds 'which is told' grep -q "$n items have an answer of which nothing could be read back" err
jq -c '{item: .item_id, archetype: (["word " * 5000])[0]}' ws/items.jsonl >long.jsonl
run 2 archetype -w empty --model "$model" --texts long.jsonl
holds 'a text that is too long is named by its line' grep -q 'long.jsonl:[0-9]*: the prompt of item .* shorten its text' err
run 2 archetype -w empty --model "$model" --texts <(cat letters.jsonl)
holds 'a pipe is refused' grep -q ': not a regular file, and it is read more than once' err
rm -rf other && cp -r empty other
run 1 archetype -w other --model "$model" --texts some.jsonl
holds 'items without a text are counted' grep -q "no text for $((n - 10)) of $n items" err
printf '{"item": "x"}\n' >bad.jsonl
run 1 archetype -w other --model "$model" --texts bad.jsonl
holds 'a bad line is named' grep -q 'bad.jsonl:1: no text under "archetype"' err

# ---- what cannot be ----
run 2 archetype -w empty
run 2 archetype --model "$model"
run 1 archetype -w empty --model nowhere.gguf
printf 'GGUF' >cut.gguf
run 1 archetype -w empty --model cut.gguf
holds 'the model is named' grep -q cut.gguf err
run 1 archetype -w empty --model "$model" --template nowhere.txt
printf 'Hello.\nAll alike\n' >alike.txt
run 1 archetype -w empty --model "$model" --template alike.txt
printf 'A <item_name.\n' >open.txt
run 1 archetype -w empty --model "$model" --template open.txt
holds 'file and line are named' grep -q "open.txt:1: '<item_name.' is no placeholder" err
run 2 archetype -w empty --model "$model" --item-noun "$(printf 'a\xff')"
printf '<item_name> %s' "$(yes word | head -n 5000 | tr '\n' ' ')" >long.txt
run 2 archetype -w empty --model "$model" --template long.txt
holds 'a prompt that is too long is named' grep -q "takes [0-9]* tokens, the model reads at most 4096" err
run 2 archetype -w empty --model "$model" --max-new-tokens 4000 --kv-memory 1
holds 'a budget that is too small is named' grep -q 'budget' err
made empty --limit 1 # none of that left anything behind
json_holds 'then it works' '.made == 1'
rm -rf bare && "$genair" prepare -q -w bare --interactions shop/interactions.tsv --item-core 10 >/dev/null
run 2 archetype -w bare --model "$model"
holds 'items without metadata are told' grep -q 'no item has an attribute that the template takes' err
run 0 archetype -w bare --model "$model" --texts texts.jsonl

# one whose sentence is left out for another's sake does not go in
printf '<item_name> by <item_maker>.' >nobody.txt
run 2 archetype -w empty --model "$model" --template nobody.txt --restart
holds 'prompts without any are told' grep -q 'no item has an attribute that the template takes' err
jq -c "if .item_id == \"$item\" then {item_id} else . end" shop/items.jsonl >one_bare.jsonl
"$genair" prepare -q -w one_bare --interactions shop/interactions.tsv --items one_bare.jsonl --item-core 10 >/dev/null
printf 'The <attribute> is <value>.' >each.txt
run 2 archetype -w one_bare --model "$models/qwen2-tiny/hf-bf16" --chat-format none --template each.txt
holds 'an empty prompt is named' grep -q "the prompt of item '$item' is empty" err

# ---- a damaged store ----
rm -rf other && cp -r cut other
printf 'not a database at all, not a database at all' | dd of=other/archetypes.sqlite bs=1 conv=notrunc status=none
run 1 archetype -w other --model "$model" --max-new-tokens 24 --limit 3
holds 'is named' grep -q 'other/archetypes.sqlite: damaged' err
run 1 archetype -w other --show "$item"
made other --restart
same 'begun anew: the same vectors' cut/decoding.npy other/decoding.npy

# ---- a full disk: in a mount namespace, where the system lets us ----
if unshare -rm mount -t tmpfs tmpfs "$scratch/shop" 2>/dev/null; then
    mkdir small
    unshare -rm bash -c 'mount -t tmpfs -o size=$(($(du -sk empty | cut -f1) + 120))k tmpfs small && cp -r empty small/ws || exit 9
        "$0" archetype -q -w small/ws --model "$1" --max-new-tokens 24 --batch 4 2>err; status=$?
        mount -o remount,size=20m small || exit 9
        "$0" archetype -w small/ws --model "$1" --max-new-tokens 24 --json >out 2>>again || exit 8
        cp small/ws/decoding.npy full.npy; exit $status' "$genair" "$model"
    holds 'a full disk is exit status 1' test $? -eq 1
    holds 'and is said' grep -q 'No space left on device' err
    json_holds 'with space it goes on' ".items == $n and .made < $n"
    same 'to the same vectors' full.npy cut/decoding.npy
else
    echo 'not checked here: a full disk, which needs a mount namespace'
fi
finish
