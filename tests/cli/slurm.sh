#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Under Slurm, of two nodes that are this machine twice: archetypes are those of one process, also when a task is killed, and so is a
# trained model. Needs root, and Debian's slurmctld, slurmd, slurm-client and munge; they are started here, for this alone.
# usage: slurm.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
skip() {
    echo "SKIP: $1"
    exit 77
}
[ "$(id -u)" -eq 0 ] || skip 'only root may start slurmd'
for program in munged mungekey slurmctld slurmd srun; do command -v $program >/dev/null || skip "$program is not installed"; done

# ---- a cluster ----
s=$scratch/slurm
port=$((20000 + $$ % 10000))
chmod 755 "$scratch"
mkdir -p "$s"/{state,n1,n2,munge}
chmod 700 "$s/munge"
stop() {
    for f in n1 n2 ctld munge/munged; do [ ! -e "$s/$f.pid" ] || kill "$(cat "$s/$f.pid")" 2>/dev/null; done
}
trap 'stop; sleep 0.5; rm -rf "$scratch"' EXIT
mungekey --create --keyfile="$s/munge/key"
munged --force --key-file="$s/munge/key" --socket="$s/munge.socket" --pid-file="$s/munge/munged.pid" --log-file="$s/munge/log" \
    --seed-file="$s/munge/seed" 2>err || skip "munged: $(head -n 1 err)"
cat >"$s/slurm.conf" <<CONF
ClusterName=here
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$port
AuthInfo=socket=$s/munge.socket
StateSaveLocation=$s/state
SlurmdSpoolDir=$s/%n
SlurmctldPidFile=$s/ctld.pid
SlurmdPidFile=$s/%n.pid
SlurmctldLogFile=$s/ctld.log
SlurmdLogFile=$s/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
NodeName=n1 NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=1
NodeName=n2 NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=$((port + 2)) CPUs=1
PartitionName=all Nodes=n[1-2] Default=YES State=UP
CONF
export SLURM_CONF=$s/slurm.conf
slurmctld 2>err || skip "slurmctld: $(head -n 1 err)"
for node in n1 n2; do # what MPI keeps of a node stands in its own directory
    cp "$s/slurm.conf" "$s/$node/" && echo "PMIxCliTmpDirBase=$s/$node" >"$s/$node/mpi.conf"
    slurmd -N $node -f "$s/$node/slurm.conf" 2>err || skip "slurmd: $(head -n 1 err)"
done
tries=0
until [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = 2 ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || skip "no node came up: $(tail -n 1 "$s/n1.log")"
    sleep 0.1
done

# ---- archetypes ----
"$third" shop 400 7
run 0 prepare -q -w empty --interactions shop/interactions.tsv --items shop/items.jsonl --item-core 8
n=$(wc -l <empty/items.jsonl)
options=(--model "$source/data/model/archetype-tiny.gguf" --max-new-tokens 12 --threads 1)
cp -r empty one
run 0 archetype -q -w one "${options[@]}"
of_one() { # of_one WHAT
    run 0 archetype -w ws "${options[@]}" --json --merge
    json_holds "$1: merged" ".items == $n and .made == 0 and .failed == 0"
    for part in prefill decoding; do same "$1: $part" one/$part.npy ws/$part.npy; done
}
for tasks in 2 4; do
    rm -rf ws && cp -r empty ws
    timeout 200 srun --nodes=2 --ntasks=$tasks --overcommit "$genair" archetype -q -w ws "${options[@]}" --json >out 2>err
    holds "$tasks tasks" test $? -eq 0
    holds 'each has its number, each item is made once' \
        jq -es "map(.rank) == [range($tasks)] and (map(.made) | add) == $n" <(jq -cs 'sort_by(.rank)[]' out)
    of_one "$tasks tasks"
done
rm -rf ws && cp -r empty ws
timeout 200 srun --nodes=2 --ntasks=2 --overcommit --kill-on-bad-exit=0 "$genair" archetype -w ws "${options[@]}" --max-new-tokens 64 >out 2>err &
until [ "$(od -An -v -tu1 -w1 -j 64 ws/archetypes.leases 2>/dev/null | grep -c 1)" -gt 8 ]; do kill -0 $! || break; sleep 0.02; done
pkill -KILL -n -f "^$genair archetype -w ws"
wait $!
holds 'a task was killed' test $? -ne 0
options+=(--max-new-tokens 64)
run 0 archetype -q -w one "${options[@]}" --restart
of_one 'the other one has made the rest'

# ---- training ----
run 0 fuse -q -w one --components 16
size='--hidden 16 --epochs 2 --batch 32 --threads 1 --parts 4 --run r'
cp -r one two
run 0 train -q -w one $size
if ldd "$genair" 2>/dev/null | grep -q libmpi && srun --mpi=list 2>&1 | grep -q pmix; then
    timeout 200 srun --nodes=2 --ntasks=2 --overcommit --mpi=pmix "$genair" train -q -w two $size >out 2>err
    holds 'two tasks train' test $? -eq 0
    for file in model.safetensors metrics.jsonl result.json config.json; do same "trained by two: $file" one/runs/r/$file two/runs/r/$file; done
else
    echo 'not checked here: training, for want of MPI in the build or in Slurm'
fi
finish
