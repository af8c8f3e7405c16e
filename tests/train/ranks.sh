#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One model trained by several processes under mpirun: the bytes of one process with as many parts, also when all are killed
# or interrupted and another number of them goes on.
# usage: ranks.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
"$third" shop 400 7
run 0 prepare -q -w ws --interactions shop/interactions.tsv
run 0 embed -q -w ws --prefill shop/prefill.npy --decoding shop/decoding.npy --ids shop/vectors.ids
run 0 fuse -q -w ws --components 16
cp -r ws empty
size='--hidden 16 --epochs 2 --batch 32 --threads 1 --run r'

# ---- what is refused, and what parts are by themselves ----
run 2 train -w ws $size --parts 3
holds 'parts are a power of two' grep -q 'a power of two' err
run 2 train -w ws $size --method rlmrec --parts 2
run 0 train -q -w ws $size --method base
jq -e 'has("parts") | not' ws/runs/r/config.json >/dev/null
holds 'one part is no part' test $? -eq 0
cp -r ws one && run 0 train -w one $size --method base --parts 1 --json
holds 'and the same run' grep -q 'up to date' err

command -v mpirun >/dev/null || {
    echo 'not checked here: several processes, for want of mpirun'
    finish
}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
parallel() { # parallel PROCESSES ARGUMENTS...; what Open MPI keeps for itself at the end is no leak of ours
    ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 mpirun --oversubscribe --bind-to none -n "$1" "$genair" "${@:2}" >out 2>err
}
parallel 2 train -w one $size --method base --parts 4
if grep -q 'built without MPI' err; then
    echo 'not checked here: several processes, for want of MPI in the build'
    finish
fi
rm -rf ws && mv empty ws
same_run() { # same_run WHAT WORKSPACE
    for file in model.safetensors metrics.jsonl result.json config.json; do same "$1: $file" one/runs/r/$file "$2/runs/r/$file"; done
    same "$1: manifest" one/manifest.json "$2/manifest.json"
}

# ---- the same bytes ----
what=('base --backbone sasrec --valid-protocol full' 'base --backbone bert4rec --loss sampled-softmax --negatives 9' 'genair --backbone sasrec' 'genair --backbone bert4rec --freeze no' 'base --backbone gru4rec --loss ce')
for more in "${what[@]}"; do
    rm -rf one && cp -r ws one
    run 0 train -w one $size --parts 4 --method $more --json
    for n in 2 4; do
        rm -rf many && cp -r ws many
        parallel $n train -w many $size --parts 4 --method $more --json
        holds "$more, $n processes" test $? -eq 0
        json_holds 'one of them tells' '.epochs == 2 and .run == "r"'
        [[ $more != *ce ]] || holds 'what is not shared out is said' grep -q 'loss ce brings the whole item table' err
        same_run "$more, $n processes" many
    done
done

# ---- killed, interrupted; others go on ----
size='--hidden 16 --epochs 12 --batch 4 --threads 1 --run r --method base --parts 4'
# training that is over before the signal comes shows nothing, which is said
in_the_middle() {
    [ ! -e many/runs/r ] && return
    echo "not checked here: $1, training was over too soon"
    return 1
}
rm -rf one && cp -r ws one && run 0 train -q -w one $size
for signal in KILL TERM; do
    rm -rf many && cp -r ws many
    mpirun --oversubscribe --bind-to none -n 2 "$genair" train -q -w many $size >out 2>err &
    job=$!
    until [ -s many/runs/r.training/checkpoint.safetensors ] || ! kill -0 $job 2>/dev/null; do sleep 0.01; done
    if [ $signal = KILL ]; then # one of them: mpirun ends the other
        kill -KILL "$(pgrep -P $job -x genair | tail -n 1)"
    else
        kill -TERM $job
    fi
    wait $job 2>/dev/null
    status=$?
    in_the_middle $signal || continue
    holds "$signal ends the job" test $status -ne 0
    parallel 4 train -q -w many $size --resume
    holds "$signal: four go on where two were" test $? -eq 0
    same_run "$signal, resumed by four" many
done
rm -rf many && cp -r ws many
mpirun --oversubscribe --bind-to none -n 4 "$genair" train -q -w many $size >out 2>err &
job=$!
until [ -s many/runs/r.training/checkpoint.safetensors ] || ! kill -0 $job 2>/dev/null; do sleep 0.01; done
kill -KILL "$(pgrep -P $job -x genair | head -n 1)"
wait $job 2>/dev/null
run 0 train -q -w many $size --resume
same_run 'killed, resumed by one' many

# ---- memory: each process has its share of the table ----
# a catalogue that learning hardly touches: nearly all clicks lie behind the cut, and their users have no targets
awk 'BEGIN { print "user\titem\ttime"
    for (u = 0; u < 10; u++) for (i = 0; i < 10; i++) printf "v%d\ti%d\t%d\n", u, u * 1000 + i, t++
    for (i = 0; i < 100000; i++) printf "u%d\ti%d\t%d\n", i % 100, i, t++ }' >wide.tsv
run 0 prepare -q -w wide --interactions wide.tsv --user-core 1 --item-core 1 --split time --split-time-quantile 0.001
size='--method base --hidden 256 --layers 1 --max-len 5 --batch 5 --epochs 1 --threads 1 --parts 2 --run r'
rm -rf one && cp -r wide one && run 0 train -q -w one $size --json
alone=$(jq .peak_rss_mb out)
rm -rf many && mv wide many && parallel 2 train -q -w many $size --json
[ -n "${ASAN_OPTIONS:-}${TSAN_OPTIONS:-}${UBSAN_OPTIONS:-}" ] || # whose own memory is not shared out
    holds "a table in two memories: $(jq .peak_rss_mb out) MB at the first, alone $alone" jq -e ".peak_rss_mb < 0.66 * $alone" out
same_run 'a wide catalogue' many

# ---- what cannot be ----
refused() { # refused TEXT PROCESSES ARGUMENTS...
    parallel "$2" train -w ws --run x --hidden 16 --epochs 1 "${@:3}"
    holds "refused: $1" test $? -ne 0
    holds "and said: $1" grep -q "$1" err
}
refused 'cannot share out 1 parts' 2
refused 'cannot share out 4 parts' 3 --parts 4
refused "method 'rlmrec' trains in one process" 2 --method rlmrec
refused "method 'pop' trains in one process" 2 --method pop
finish
