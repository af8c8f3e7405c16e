#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Grids of runs: the same file whatever the threads, killed or not; each point is what `train` gives; what cannot be.
# usage: sweep.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
"$third" shop 400 7
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl
run 0 embed -w ws --prefill shop/prefill.npy --decoding shop/decoding.npy --ids shop/vectors.ids
run 0 fuse -w ws --components 32
small='--hidden 16 --max-len 20 --epochs 4 --batch 64 --dropout 0.2'
grid='--grid lr=1e-3,1e-2 --grid gamma=0,4 --grid backbone=sasrec,gru4rec'
cp -r ws one

# ---- a grid, on one thread and on several ----
run 0 sweep -w ws $small $grid --threads 4 --json
json_holds 'sweep' '(.points | length) == 8 and all(.points[]; .valid.sampled["NDCG@10"] > 0 and .test.full.MRR > 0) and
    [.points[].point] == [range(1; 9)] and .points[1].settings == {"lr": "1e-3", "gamma": "0", "backbone": "gru4rec"}'
json_holds 'the best is the best on validation' '.best.valid.sampled["NDCG@10"] == ([.points[].valid.sampled["NDCG@10"]] | max)'
best=$(jq -r .best.run out)
holds "only the best one's run stays" test "$(ls ws/runs)" = "$best"
run 0 evaluate -w ws --run "$best"
run 0 sweep -w one $small $grid --threads 1
same 'threads do not matter' ws/sweeps/sweep.json one/sweeps/sweep.json
cp ws/sweeps/sweep.json whole.json
rm -rf "ws/runs/$best"/*.tsv one/runs/*/*.tsv
holds 'nor for what is kept' diff -r -x timing.json ws/runs one/runs

# ---- a point is a run of train ----
run 0 train -w one --run alone $small --lr 1e-2 --gamma 4 --backbone gru4rec --json
holds 'a point has the result of train' jq -es '.[0].points[7].test == .[1].test and
    .[0].points[7].best_epoch == .[1].best_epoch' whole.json out

# ---- again, and killed ----
run 0 sweep -w ws $small $grid
holds 'a second time nothing is trained' grep -q '8 of 8 points' err
holds 'the table names the best' grep -q "run $best" out
same 'and nothing changes' ws/sweeps/sweep.json whole.json
rm -rf "ws/runs/$best"
run 1 evaluate -w ws --run "$best"
run 0 sweep -w ws $small $grid
run 0 evaluate -w ws --run "$best"
same 'the run that somebody removed is trained again' ws/sweeps/sweep.json whole.json
run 0 train -w ws --method pop --run "$best"
run 0 sweep -w ws $small $grid
holds 'as is one whose name was given to another' jq -e '.method == "genair"' "ws/runs/$best/result.json"
same 'and the file stays' ws/sweeps/sweep.json whole.json
for delay in 0.05 0.1 0.2; do
    rm -rf cut
    cp -r one cut && rm -rf cut/sweeps cut/runs/sweep*
    "$genair" sweep -q -w cut $small $grid >/dev/null 2>&1 &
    child=$!
    sleep $delay
    kill -KILL $child 2>/dev/null
    wait $child 2>/dev/null
    run 0 sweep -w cut $small $grid
    same "killed after $delay s and started again: the same file" cut/sweeps/sweep.json whole.json
    holds 'and the same runs' test "$(ls cut/runs)" = "$(ls one/runs)"
done
rm -rf cut && cp -r one cut && rm -rf cut/sweeps cut/runs/sweep*
"$genair" sweep -q -w cut $small --epochs 400 --patience 0 --grid gamma=0,4 >/dev/null 2>err &
child=$!
for _ in $(seq 200); do ls cut/runs | grep -q training && break; sleep 0.02; done
sleep 0.1
kill -INT $child
wait $child
holds 'SIGINT is exit status 130' test $? -eq 130
holds 'with checkpoints to go on from' ls cut/runs/sweep.0001.training/checkpoint.safetensors
truncate -s -9 cut/runs/sweep.0001.training/checkpoint.safetensors
ls -i cut/runs/sweep.0001.training/config.json >begun
"$genair" sweep -q -w cut $small --epochs 400 --patience 0 --grid gamma=0,4 >/dev/null 2>err &
child=$!
for _ in $(seq 500); do ls -i cut/runs/sweep.0001.training/config.json 2>/dev/null | cmp -s begun || break; sleep 0.02; done
sleep 0.1
kill -INT $child
wait $child
holds 'a run whose checkpoint is damaged begins anew' test $? -eq 130

# ---- successive halving ----
halved="--name halved --epochs 8 --patience 0 --halving 2 --grid lr=1e-4,1e-3,3e-3,1e-2"
run 0 sweep -w one $small $halved --threads 3 --json
json_holds 'all in the first rung, half of them in the next' '[.points[].rungs | length] | sort == [1, 1, 2, 3]'
json_holds 'with more epochs each' '[.best.rungs[].epochs] == [2, 4, 8]'
json_holds 'the better ones go on' '([.points[] | select(.rungs | length == 1) | .rungs[0]["NDCG@10"]] | max) <=
    ([.points[] | select(.rungs | length > 1) | .rungs[0]["NDCG@10"]] | min)'
cp one/sweeps/halved.json halved.json
rm -rf cut && cp -r one cut && rm -rf cut/sweeps cut/runs/halved*
"$genair" sweep -q -w cut $small $halved >/dev/null 2>&1 &
child=$!
sleep 0.15
kill -KILL $child 2>/dev/null
wait $child 2>/dev/null
run 0 sweep -w cut $small $halved --threads 1
same 'killed and started again: the same file' cut/sweeps/halved.json halved.json
# the leader of one rung is still at work in the next when a smaller one, done before it, takes the lead
"$third" crowd 2500 7
run 0 prepare -w slow --interactions crowd/interactions.tsv --items crowd/items.jsonl
run 0 sweep -w slow --name slow --method base --epochs 8 --patience 0 --halving 2 --grid hidden=4,8,48,192 --threads 2

# ---- methods as an axis ----
few='--name methods --epochs 1 --grid method=base,rlmrec'
run 0 sweep -w one $small $few --rlmrec-beta 0.5 --keep all --json
json_holds "an option goes to the methods that have it" 'all(.points[]; has("failed") | not) and
    (.inputs.options | .rlmrec["rlmrec-beta"] == 0.5 and (.base | has("rlmrec-beta") | not))'
holds 'and changes them' test "$(jq '.["rlmrec-beta"]' one/runs/methods.0002/config.json)" = 0.5
run 0 sweep -w one $small $few --rlmrec-beta 2
holds 'another value of it is another sweep' grep -q 'begun anew' err
run 2 sweep -w one $small --name methods --grid method=base,genair --rlmrec-beta 2
holds 'one that none of them has is refused' grep -q 'none of the methods here has an option --rlmrec-beta; it belongs to: rlmrec' err
run 2 sweep -w one $small --name methods --method base --grid rlmrec-beta=1,2
holds 'as an axis too' grep -q 'method base has no option --rlmrec-beta' err
run 2 sweep -w one $small --name methods --method llmemb --grid scft-steps=1,2
holds 'what all runs share is no axis' grep -q 'grid scft-steps: it is the same for all runs of a workspace' err
run 0 fuse -w one --out other --components 8
run 0 sweep -w one $small --name items --epochs 1 --grid items=other
run 0 fuse -w one --out other --components 4
run 0 sweep -w one $small --name items --epochs 1 --grid items=other
holds 'a matrix made anew is another sweep' grep -q 'begun anew' err

cp one/prefill.npy rows.npy
files="--name files --epochs 1 --method rlmrec --semantic rows.npy --grid rlmrec-beta=0.1"
run 0 sweep -w one $small $files
run 0 sweep -w one $small $files
holds 'the same file: nothing to do' grep -q '1 of 1 points' err
cp one/decoding.npy rows.npy
run 0 sweep -w one $small $files
holds 'a file with another content is another sweep' grep -q 'begun anew' err
bundled="--model $source/data/model/archetype-tiny.gguf"
tuned="--name tuned --epochs 1 --method llmemb --base-run b --scft-batch 8 --grid llmemb-alpha=0.01,0.1"
run 0 train -w one --method base --run b --hidden 16 --max-len 20 --epochs 1
run 0 sweep -w one $small $tuned $bundled --scft-steps 2
holds 'a language model is tuned once for all points' test "$(grep -c 'steps of fine-tuning' err)" = 1
run 0 sweep -w one $small $tuned $bundled --scft-steps 2
holds 'and not again' sh -c '! grep -q "steps of fine-tuning" err && grep -q "2 of 2 points" err'
run 0 sweep -w one $small $tuned $bundled --scft-steps 3
holds 'tuned otherwise it is another sweep' grep -q 'begun anew' err
users="--name users --epochs 1 --method llm-esr --grid user-semantic=mean,llm"
run 0 sweep -w one $small $users $bundled --json
json_holds 'users are read for the points that want it' '[.points[] | has("failed")] == [false, false] and .points[0].test != .points[1].test'
mkdir -p here/prefill
cd here
run 0 sweep -w ../one $small --name words --epochs 1 --method rlmrec --grid rlmrec-beta=0.1
holds 'a word is no file' test -e ../one/sweeps/words.json
cd ..
run 2 sweep -w one $small --halving 2 --grid epochs=2,4
holds 'halving has epochs of its own' grep -q 'leave out the axis epochs' err
run 2 sweep -w one $small --name "$(printf 'n%.0s' {1..57})" --grid lr=1e-3
holds 'names of runs need room' grep -q 'name has 57 characters; at most 56' err

# ---- points that cannot be trained ----
run 0 sweep -w one $small --name heads --grid heads=1,3 --json
json_holds 'are told' '.points[1].failed | test("3 heads do not divide")'
holds 'and leave nothing' test -z "$(ls one/runs | grep training)"
run 2 sweep -w one $small --name none --grid heads=3,5
holds 'none at all is a failure' grep -q 'no point of the grid' err

# ---- what can go wrong ----
bad() { # bad MESSAGE ARGUMENTS...
    run 2 sweep -w one "${@:2}"
    holds "$1" grep -q -e "$1" err
}
bad "needs --grid" $small
bad "not of the form NAME=VALUE" --grid alpha
bad "not of the form NAME=VALUE" --grid alpha=
bad "no option --alfa; did you mean --alpha?" --grid alfa=1
bad "is 'x': allowed is a number" --grid alpha=1,x
bad "empty value" --grid alpha=1,,2
bad "1 is given twice" --grid alpha=1,1
bad "gamma is given twice" --grid gamma=1 --grid gamma=2
bad "nothing to compare" --grid threads=1,2
bad "more than 1000000 points" --grid "alpha=$(seq -s, 1000)" --grid "ease-lambda=$(seq -s, 1000)" --grid gamma=1,2
bad "300 points.*--yes" --grid "alpha=$(seq -s, 300)"
run 1 sweep -w nowhere --grid alpha=1
mkdir empty
run 2 sweep -w empty --grid alpha=1
holds 'prepare first' grep -q 'genair prepare' err
truncate -s -20 one/sweeps/heads.json
run 1 sweep -w one $small --name heads --grid heads=1,3
holds 'a damaged file is named' grep -q 'heads.json.*remove it' err
finish
