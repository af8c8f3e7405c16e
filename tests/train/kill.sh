#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Training killed at random moments, then resumed or begun again, ends with the bytes of an undisturbed run.
# usage: kill.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM [KILLS-A-BACKBONE]
. "$2/tests/cli/check.sh"
kills=${4:-3}
RANDOM=44 # the moments still differ with the machine's speed
files='model.safetensors metrics.jsonl config.json result.json'

"$third" shop 400 7 >/dev/null
run 0 prepare -w ws --interactions shop/interactions.tsv --quiet
size='--hidden 16 --epochs 4 --batch 16 --quiet'
run 0 train -w ws --run b --method base $size
options="--run r $size"
train() { # train WORKSPACE OPTIONS...
    "$genair" train -w "$1" $options "${@:2}"
}

what=('base sasrec' 'base bert4rec' 'base gru4rec' 'cities sasrec --base-run b --cities-finetune 3')
for more in "${what[@]}"; do
    name=${more%% --*} more="--method ${more/ / --backbone }"
    cp -r ws undisturbed
    started=$(date +%s%N)
    holds "$name: undisturbed" train undisturbed $more
    whole=$(($(date +%s%N) - started))
    for ((i = 0; i < kills; i++)); do
        "$genair" train -w ws $options $more >out 2>err & # the program itself: it is killed
        child=$!
        sleep "$(awk -v ns=$whole -v r=$RANDOM 'BEGIN { printf "%.3f", ns * r / 32768 / 1e9 }')"
        kill -9 $child 2>/dev/null
        wait $child 2>/dev/null
        again=''
        [ $((i % 2)) -eq 1 ] || again=--resume
        holds "$name: after kill $i" train ws $more $again
        for file in $files; do
            same "$name: $file after kill $i" undisturbed/runs/r/$file ws/runs/r/$file
        done
        same "$name: the manifest after kill $i" undisturbed/manifest.json ws/manifest.json
        holds "$name: nothing is left over" test ! -e ws/runs/r.training
        rm -rf ws && cp -r undisturbed ws && rm -rf ws/runs/r
    done
    rm -rf undisturbed
done

# ---- resumed with something else: refused, nothing is lost ----
"$genair" train -w ws $options --epochs 400 --patience 0 --method base >out 2>err &
child=$!
for _ in $(seq 200); do test -s ws/runs/r.training/checkpoint.safetensors && break; sleep 0.02; done
kill -9 $child 2>/dev/null
wait $child 2>/dev/null
refused() { # refused WHAT OPTIONS...
    expect 2 err "genair: ws/runs/r.training: the checkpoint is of a run with another $1; give what it was begun with, or leave out --resume to throw it away and begin anew" \
        train -w ws $options --patience 0 --method base --resume "${@:2}"
}
# what is damaged is told
cp -r ws/runs/r.training begun
damaged() { # damaged MESSAGE: --resume is refused with it; the directory is made whole again
    expect 1 err "genair: ws/runs/r.training$1" train -w ws $options --epochs 400 --patience 0 --method base --resume
    rm -rf ws/runs/r.training && cp -r begun ws/runs/r.training
}
checkpoint=ws/runs/r.training/checkpoint.safetensors
anew='is damaged, or no checkpoint of this model; leave out --resume, or remove it, to begin anew'
bytes=$(stat -c %s $checkpoint)
holds 'it holds no line of metrics' sh -c "! grep -aq NDCG $checkpoint"
digit=$(($(grep -abo '"step":"' $checkpoint | cut -d: -f1) + 8))
for at in $((bytes / 3)) $((bytes - 40)) $digit; do
    byte=$(od -An -tu1 -j$at -N1 $checkpoint)
    printf "\\$(printf %o $((byte ^ 1)))" | dd of=$checkpoint bs=1 seek=$at conv=notrunc 2>/dev/null
    damaged "/checkpoint.safetensors: $anew"
done
truncate -s $((bytes / 2)) $checkpoint
damaged "/checkpoint.safetensors: $anew"
for what in 'rm' 'truncate -s 9'; do
    $what ws/runs/r.training/inputs.json
    damaged ': its inputs.json is missing or damaged, so nothing says what the checkpoint is of; leave out --resume to throw it away and begin anew'
done
truncate -s 5 ws/runs/r.training/metrics.jsonl
damaged '/metrics.jsonl: has fewer lines than its checkpoint says; leave out --resume to begin anew'
# options of other methods, which an earlier version wrote down, do not count
sed -i 's/"backbone"/"alpha": 0.5, "gamma": 1.0, "freeze": "yes", "backbone"/' ws/runs/r.training/inputs.json
holds 'written down' grep -q '"alpha": 0.5' ws/runs/r.training/inputs.json
refused --epochs
refused '--lr, --epochs' --lr 1e-2
refused '--loss, --negatives, --gbce-t, --epochs' --loss gbce --gbce-t 0.5
holds 'the checkpoint is there' test -s ws/runs/r.training/checkpoint.safetensors
run 0 prepare -w ws --interactions shop/interactions.tsv --quiet --item-core 4
refused '--epochs, data (prepare)'
run 0 prepare -w ws --interactions shop/interactions.tsv --quiet
holds 'without --resume it begins anew' train ws --method base
holds 'and nothing is left over' test ! -e ws/runs/r.training

# ---- lines behind the checkpoint's, and a part of one, are of epochs that are trained again ----
many="--run cut --method base $size --epochs 60 --patience 0 --checkpoint-every 7"
"$genair" train -w ws $many >out 2>err &
child=$!
for _ in $(seq 200); do test -s ws/runs/cut.training/checkpoint.safetensors && break; sleep 0.01; done
kill -9 $child 2>/dev/null
wait $child 2>/dev/null
printf '{"epoch": 7, "loss' >>ws/runs/cut.training/metrics.jsonl
run 0 train -w ws $many --resume
cp ws/runs/cut/metrics.jsonl lines
rm -rf ws/runs/cut
run 0 train -w ws $many
same 'the lines of an undisturbed run' lines ws/runs/cut/metrics.jsonl

# ---- numbers that run away say what to lower ----
run 1 train -w ws --run x --method base $size --layers 6 --hidden 32 --dropout 0.9
holds 'a loss' grep -q 'step [0-9]*: the loss is not finite .*; use a smaller --lr or --dropout$' err
run 1 train -w ws --run x --method base --epochs 4 --quiet --layers 4 --hidden 64 --dropout 0.9
holds 'what stands still' grep -q 'step [0-9]*: squares of gradients of [a-z0-9_.]* have left .*; use a smaller --lr or --dropout$' err
holds 'no run is there' test ! -e ws/runs/x

# ---- nothing to validate with: all epochs, the last one ----
run 0 prepare -w short --interactions shop/interactions.tsv --held-out-users 0.000001 --quiet
untold='warning: no user has a validation target that training knows: nothing says which epoch is best, so all --epochs are trained and the last one is kept'
expect 0 err "$untold" train -w short --run a --method base $size --patience 1
holds 'the last epoch is the best one' grep -q '"best_epoch": 4' short/runs/a/result.json
run 0 train -w short --run whole --method base $size --patience 1 --epochs 2
run 0 train -w short --run a --method base $size --patience 1 --epochs 2
same 'its parameters are kept' short/runs/a/model.safetensors short/runs/whole/model.safetensors
expect 0 err "$untold" train -w short --run one --method base $size --epochs 1
holds 'and no earlier ones' sh -c '! cmp -s short/runs/one/model.safetensors short/runs/a/model.safetensors'
run 0 train -w ws --run with --method base $size
holds 'with targets there is no warning' test ! -s err
finish
