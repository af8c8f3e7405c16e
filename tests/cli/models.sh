#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From an item matrix to recommendations, through the program, on a small made-up shop: results, their JSON,
# repeated and interrupted runs, and what can go wrong on the way.
# usage: models.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
"$third" shop 400 7
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl
run 0 embed -w ws --prefill shop/prefill.npy --decoding shop/decoding.npy --ids shop/vectors.ids
run 0 fuse -w ws --components 32

# ---- train ----
small='--hidden 16 --max-len 20 --epochs 2 --batch 64 --dropout 0.2'
train() { run 0 train -w ws --run "$1" --json $small "${@:2}"; }
train genair --backbone sasrec --method genair
json_holds 'train' '.run == "genair" and .method == "genair" and .backbone == "sasrec" and .epochs == 2 and .best_epoch >= 1 and .trainable_parameters > 0'
train base --backbone sasrec --method base
train bert --backbone bert4rec --method genair --loss ce
for loss in gbce=256 sampled-softmax=256 bpr=1 bce=1; do
    train loss --method base --loss ${loss%=*}
    holds "negatives of ${loss%=*}" jq -e ".negatives == ${loss#*=}" ws/runs/loss/config.json
done
train loss --method base --loss gbce --negatives 1
holds 'or as many as are named' jq -e '.negatives == 1' ws/runs/loss/config.json
train gru --backbone gru4rec --method genair --seq2seq --loss sampled-softmax --negatives 16
run 0 train -w ws --run pop --method pop
run 0 train -w ws --run knn --method itemknn
run 0 train -w ws --run ease --method ease
holds 'a line of metrics an epoch' test "$(wc -l <ws/runs/genair/metrics.jsonl)" -eq 2
holds 'each with epoch, loss and validation' jq -es 'all(.[]; .epoch >= 1 and .loss > 0 and .valid.sampled["NDCG@10"] >= 0)' ws/runs/genair/metrics.jsonl
train one --method genair --threads 1
train two --method genair --threads 2
same 'the model does not depend on the number of threads' ws/runs/one/model.safetensors ws/runs/two/model.safetensors
cp ws/runs/one/model.safetensors one.before
train one --method genair --threads 2
same 'the same run again changes nothing' ws/runs/one/model.safetensors one.before
printf 'hidden = 16\nmax-len = 20\nepochs = 2\nbatch = 64\ndropout = 0.2\nuser-core = 5\n' >small.conf
run 0 train -w ws --run configured --config small.conf
same 'a configuration file does what the options do' ws/runs/configured/model.safetensors ws/runs/one/model.safetensors
# learned item vectors start as the fused ones: at a rate of next to nothing both are one model
train frozen --method genair --lr 1e-12
mv "$scratch/out" frozen.json
train learned --method genair --lr 1e-12 --freeze no
json_holds '--freeze no' '.trainable_parameters > 64 * 200'
holds 'the same metrics' jq -es '.[0].test == .[1].test and .[0].trainable_parameters < .[1].trainable_parameters' \
    frozen.json "$scratch/out"
train moved --method genair --freeze no
holds 'and they learn' jq -es '.[0].test != .[1].test' frozen.json "$scratch/out"
run 2 train -w ws --method genair
run 2 train -w ws --run x --hidden 16 --heads 3

# ---- interrupted and taken up again ----
long='--hidden 16 --max-len 20 --epochs 60 --patience 0 --batch 16'
run 0 train -w ws --run whole $long
"$genair" train -w ws --run cut $long >"$scratch/out" 2>"$scratch/err" &
child=$!
for _ in $(seq 200); do
    [ -s ws/runs/cut.training/checkpoint.safetensors ] && break
    sleep 0.01
done
kill -INT $child 2>/dev/null
wait $child
status=$?
# a machine so fast that the run was over: nothing to interrupt
[ -e ws/runs/cut ] || {
    holds 'SIGINT is exit status 130' test $status -eq 130
    holds 'and what goes on is said' grep -qx 'genair: interrupted; with --resume the same command goes on where this one stopped' "$scratch/err"
}
run 0 train -w ws --run cut $long --resume
same 'a run that was interrupted ends like one that was not' ws/runs/cut/model.safetensors ws/runs/whole/model.safetensors

# ---- evaluate, compare ----
run 0 evaluate -w ws --run genair --run pop --protocol both --groups --json
cp out evaluated.json
run 0 evaluate -w ws --run genair --protocol both --json
json_holds 'evaluate' '[.. | objects | select(has("HR@10"))] | length >= 2 and all(.[]; ."HR@10" >= 0 and ."HR@10" <= 1 and ."NDCG@10" <= ."HR@10")'
cp out first.json
run 0 evaluate -w ws --run genair --protocol both --json --threads 1
holds 'an evaluation does not depend on threads' test "$(jq -c .test first.json)" = "$(jq -c .test out)"
run 0 evaluate -w ws --run genair --protocol both
holds 'the table names both protocols' grep -q 'sampled.*full' out
run 2 evaluate -w ws
run 2 evaluate -w ws --run nobody
run 0 compare -w ws --run genair --run pop --json
json_holds 'compare' 'type == "object"'
run 2 compare -w ws --run genair

# ---- recommend, similar ----
run 0 recommend -w ws --run genair --history trail-tent-3 camp-stove-18 -k 5 --json
json_holds 'recommend' '[.. | objects | select(has("item") and has("score"))] | length == 5'
json_holds 'without the history' '[.. | objects | .item? // empty | strings] | all(. != "trail-tent-3" and . != "camp-stove-18")'
run 0 recommend -w ws --run genair --user u17 u238 -k 3 --explain --json
json_holds 'recommend to two' '[.. | objects | select(has("item") and has("score"))] | length >= 6'
run 0 recommend -w ws --run genair --history trail-tent-3 -k 5
holds 'titles are shown' grep -q '[A-Z][a-z]* ' out
run 2 recommend -w ws --run genair --history trail-tent-3 no-such-item
holds 'the unknown item is named' grep -q no-such-item err
run 2 recommend -w ws --run genair --user nobody
holds 'the unknown user is named' grep -q nobody err
# melt: a user of the log is short or long by what training saw, the same history typed in by its length
train melt --backbone sasrec --method melt --base-run base
run 0 export -w ws --run melt --what lists --out lists.tsv --quiet
jq -r .item_id ws/items.jsonl >items
run 0 recommend -w ws --run melt --quiet --json --user $(cut -f1 lists.tsv | tail -n +2 | sort -u)
jq -r '([.users[].history_length - 2] | sort) as $seen | (0.8 * ($seen | length - 1)) as $at | ($at | floor) as $below
    | ($seen[$below] + ($at - $below) * ($seen[$below + 1] - $seen[$below])) as $most | .users[]
    | "\(.user) \(if .history_length - 2 > $most then "long" else "short" end)"' out >kinds
for kind in long short; do
    user=$(awk -v k=$kind '$2 == k { print $1; exit }' kinds)
    run 0 recommend -w ws --run melt --quiet --json --user "$user"
    jq '.users[0].items' out >by_user.json
    run 0 recommend -w ws --run melt --quiet --json --history $(awk -v u="$user" 'NR == FNR { kept[$1]; next }
        $1 == u && $2 in kept { print $3, FNR, $2 }' items shop/interactions.tsv | sort -k1,1n -k2,2n | cut -d' ' -f3)
    jq .items out >by_history.json
    if [ $kind = long ]; then
        same 'melt: long in training and whole' by_user.json by_history.json
    else # typed in it is two items longer
        holds 'melt: short in training alone' test "$(cmp by_user.json by_history.json)"
    fi
done
run 2 recommend -w ws --run genair
run 2 recommend -w ws --run missing --user u17
run 0 similar -w ws --run genair --item bread-knife-17 -k 4 --json
json_holds 'similar' '[.. | objects | select(has("item") and has("score"))] | length == 4'
run 2 similar -w ws --run genair --item no-such-item
run 2 similar -w ws --run genair

# ---- a reader that goes away ----
"$genair" recommend -w ws --run genair --history trail-tent-3 -k 400 2>err | head -n 1 >/dev/null
holds 'a closed pipe does no harm' test "${PIPESTATUS[0]}" -le 1

# ---- no workspace ----
expect 2 err "genair: 'fuse' needs --workspace DIR; 'genair help fuse' shows an example" fuse
run 1 train -w nowhere --run a --method genair
holds 'nothing was made of a wrong name' test ! -e nowhere/runs
finish
