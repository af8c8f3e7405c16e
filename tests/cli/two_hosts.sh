#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Four ranks on two hosts, made of network namespaces with a delay of 1 ms each way between them, that share a file system:
# archetypes are those of one process, also when one host is killed in the middle, and so is a trained model. Needs root, ip, mpirun and sqlite3.
# usage: two_hosts.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM SLOW-LINK-PROGRAM
. "$2/tests/cli/check.sh"
needs_jq
slow_link=$(cd "$OLDPWD" && realpath "$4")
skip() {
    echo "SKIP: $1"
    exit 77
}
[ "$(id -u)" -eq 0 ] || skip 'only root may make network namespaces'
for program in ip mpirun sqlite3; do command -v $program >/dev/null || skip "$program is not installed"; done
near=genair-near-$$
far=genair-far-$$
hosts_away() {
    for host in $near $far; do
        ip netns pids $host 2>/dev/null | xargs -r kill -KILL 2>/dev/null
        ip netns del $host 2>/dev/null
    done
    [ -z "${link:-}" ] || kill $link 2>/dev/null
}
trap 'hosts_away; rm -rf "$scratch"' EXIT
hosts() {
    ip netns add $near && ip netns add $far || return
    "$slow_link" 1000 $near $far >link.out 2>&1 &
    link=$!
    until grep -q ready link.out; do kill -0 $link || return; sleep 0.02; done
    ip -n $near addr add 10.99.0.1/24 dev slow && ip -n $far addr add 10.99.0.2/24 dev slow || return
    for host in $near $far; do ip -n $host link set lo up && ip -n $host link set slow up || return; done
}
hosts 2>err || skip "the system does not let us: $(cat err link.out 2>/dev/null | head -n 1)"
on() { # on HOST COMMAND...: the host has a name of its own, by which mpirun tells machines apart
    ip netns exec "$1" unshare -u sh -c 'hostname "$0" && exec "$@"' "$@"
}
cat >agent <<AGENT
#!/bin/bash
# what mpirun starts its helper on another machine with: agent ADDRESS COMMAND...
exec ip netns exec $far unshare -u sh -c 'hostname $far && exec sh -c "\$*"' agent "\${@:2}"
AGENT
chmod +x agent
parallel() { # parallel [OPTIONS OF MPIRUN...] -- ARGUMENTS...
    local words=()
    while [ "$1" != -- ]; do words+=("$1") && shift; done
    shift
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 TMPDIR=$scratch on $near mpirun --oversubscribe --bind-to none \
        --mca plm_rsh_agent "$scratch/agent" --mca orte_keep_fqdn_hostnames 1 --host 10.99.0.1:2,10.99.0.2:2 -n 4 \
        "${words[@]}" "$genair" "$@"
}
# nobody listens there: the answer is no, after one round trip
start=$(date +%s%N)
on $far bash -c ': <>/dev/tcp/10.99.0.1/9' 2>/dev/null
holds 'the delay is there' test $((($(date +%s%N) - start) / 1000)) -ge 2000

model=$source/data/model/archetype-tiny.gguf
"$third" shop 400 7
"$genair" prepare -q -w empty --interactions shop/interactions.tsv --items shop/items.jsonl --item-core 2 >/dev/null
n=$(wc -l <empty/items.jsonl)
options=(--model "$model" --max-new-tokens 64 --threads 1)
cp -r empty one
run 0 archetype -w one "${options[@]}" --json
json_holds 'one process' ".made == $n"
now() { date +%s%3N; }
begun() { [ "$(od -An -v -tu1 -w1 -j 64 ws/archetypes.leases 2>/dev/null | grep -c 1)" -gt "$1" ]; }
merged_is_one() {
    run 0 archetype -w ws "${options[@]}" --json --merge
    json_holds "$1: merged" ".items == $n and .made == 0"
    for part in prefill decoding; do same "$1: $part" one/$part.npy ws/$part.npy; done
}

cp -r empty ws
start=$(now)
parallel -- archetype -w ws "${options[@]}" --json >out 2>err
holds 'two hosts' test $? -eq 0
echo "four ranks on two hosts: $n items in $(($(now) - start)) ms"
holds 'each item is made once' test "$(jq -s 'map(.made) | add' out)" = "$n"
merged_is_one 'two hosts'

# ---- the far host is gone in the middle; mpirun ends then, with the near ranks, and starts again without it ----
rm -rf ws && cp -r empty ws
parallel --enable-recovery -- archetype -w ws "${options[@]}" --batch 1 --json >out 2>err &
job=$!
until begun 3 || ! kill -0 $job 2>/dev/null; do sleep 0.02; done
ip netns pids $far | xargs -r kill -KILL
wait $job 2>/dev/null
status=$?
echo "mpirun's exit status after a host was lost: $status"
holds 'mpirun says that a host is lost' test $status -ne 0
done_by_then=$(for f in ws/archetypes.rank?.sqlite; do sqlite3 $f 'SELECT count(*) FROM items'; done | awk '{ n += $1 } END { print n }')
holds 'in the middle' test "$done_by_then" -lt "$n"
OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 TMPDIR=$scratch on $near mpirun --oversubscribe --bind-to none -n 2 "$genair" archetype -w ws "${options[@]}" --json >out 2>err
holds 'what is left starts again' test $? -eq 0
holds 'and makes what is missing, no more' test "$(jq -s 'map(.made) | add' out)" = $((n - done_by_then))
merged_is_one 'a host lost, started again'

# ---- started by hand, nobody has to start again ----
rm -rf ws && cp -r empty ws
for k in 2 3; do on $far "$genair" archetype -w ws "${options[@]}" --batch 2 --rank $k --ranks 4 >/dev/null 2>&1 & done
until begun 4; do sleep 0.02; done
for k in 0 1; do
    on $near "$genair" archetype -w ws "${options[@]}" --json --rank $k --ranks 4 >rank$k.out 2>rank$k.err &
    near_ranks[k]=$!
done
until begun 24; do sleep 0.02; done
ip netns pids $far | xargs -r kill -KILL
holds 'the ranks of the near host end' wait "${near_ranks[0]}" "${near_ranks[1]}"
merged_is_one 'a host lost, nobody started again'
# ---- one model, trained by all of them ----
rm -rf ws one && cp -r empty one
"$genair" embed -q -w one --prefill shop/prefill.npy --decoding shop/decoding.npy --ids shop/vectors.ids >/dev/null
"$genair" fuse -q -w one --components 16 >/dev/null
cp -r one ws
size='--run r --hidden 32 --epochs 3 --batch 128 --threads 1 --parts 4 --method genair'
start=$(now)
run 0 train -q -w one $size
echo "one process: trained in $(($(now) - start)) ms"
start=$(now)
parallel --mca btl_tcp_if_include 10.99.0.0/24 -- train -w ws $size --json >out 2>err
status=$?
if ! grep -q 'built without MPI' err; then
    holds 'trained on two hosts' test $status -eq 0
    echo "four processes on two hosts: trained in $(($(now) - start)) ms, $(jq .seconds_per_epoch out) s an epoch"
    for file in model.safetensors metrics.jsonl result.json; do same "the same $file" one/runs/r/$file ws/runs/r/$file; done
else
    echo 'not checked here: training, for want of MPI in the build'
fi
finish
