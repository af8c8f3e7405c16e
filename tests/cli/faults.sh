#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# System calls and allocations that fail, and a kill at any call, in every stage: a message and an exit status, never a signal,
# and the next run ends with the bytes of an undisturbed one. The same in commands that only read: the undisturbed answer, or
# a message. strace puts the faults below every file layer, SQLite's too; a preloaded allocator those of memory below every library.
# usage: faults.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM FAILING-ALLOCATOR [ROUNDS, default 1] [SEED, default 1]
allocator=$(realpath "$4")
. "$2/tests/cli/check.sh"
rounds=${5:-1}
RANDOM=${6:-1}
if [ -n "${GENAIR_EMULATOR:-}" ] || ! strace -o trace -e inject=getppid:error=EIO true 2>/dev/null; then
    echo 'SKIP: this test needs strace, and leave to trace'
    exit 77
fi
"$third" shop 400 7
model=$source/data/model/archetype-tiny.gguf
# each in the workspace of the one before, or of the one behind its colon
stages='prepare embed archetype fuse train add-items evaluate sweep reproduce analyze export report
    rank:prepare merge tuned:reproduce lists:train items recbole remove:add-items'
sed -n 's/"item_id": *"[^"]*"/"item_id":"new"/p' shop/items.jsonl | head -1 >new.jsonl

small=(--hidden 16 --max-len 20 --batch 64)

# words_of STAGE WORKSPACE: its command, in the array `words`. One thread: strace counts calls for each
words_of() {
    case $1 in
    prepare) words=(prepare --interactions shop/interactions.tsv --items shop/items.jsonl --item-core 10) ;;
    archetype) words=(archetype --model "$model" --max-new-tokens 2 --greedy) ;;
    embed) words=(embed --prefill shop/prefill.npy --decoding shop/decoding.npy --ids shop/vectors.ids) ;;
    fuse) words=(fuse --components 8) ;;
    train) words=(train --run r --epochs 2 "${small[@]}") ;;
    add-items) words=(add-items --items new.jsonl --model "$model" --run r) ;;
    evaluate) words=(evaluate --run r) ;;
    sweep) words=(sweep --name s --grid gamma=0,2 --epochs 1 "${small[@]}") ;;
    reproduce) words=(reproduce table2 --backbone sasrec --method base --seeds 1 --epochs 1 "${small[@]}") ;;
    analyze) words=(analyze --run r --points 50) ;;
    export) words=(export --run r --what ranks --out "$2/ranks.tsv") ;;
    report) words=(report) ;;
    rank) words=(archetype --model "$model" --max-new-tokens 2 --greedy --rank 0 --ranks 2) ;;
    merge) words=(archetype --model "$model" --max-new-tokens 2 --greedy --merge) ;;
    tuned) words=(train --run t --method llmemb --base-run paper.sasrec.base.44 --model "$model" --scft-steps 2 --scft-batch 8 --epochs 1 "${small[@]}") ;;
    lists | items) words=(export --run r --what "$1" --out "$2/$1.out") ;;
    recbole) words=(export --what recbole --out "$2/atomic") ;;
    remove) words=(add-items --remove new) ;;
    esac
    words=("$genair" "${words[@]}" -q -w "$2" --threads 1)
}
# all but times, and the databases, whose pages may lie otherwise: their content is in the files made from them, or in an answer
files_of() {
    (cd "$1" && find . -type f ! -name .lock ! -name '*.tmp*' ! -name timing.json ! -name '*.sqlite*' | sort | xargs md5sum)
    [ ! -e "$1/added.sqlite" ] || answer "$genair" similar --run r --item new -q -w "$1" 2>&1 # or that it is none
}
answer() { "$@" | grep -vE '^(seconds|peak_rss_mb) '; }

files=openat,read,pread64,write,pwrite64,fsync,fdatasync,rename,renameat2,ftruncate,mkdir,unlink,lseek,getdents64,newfstatat,fallocate,close,fcntl
memory=mmap,brk,munmap
# kinds: what is done, to which calls
kinds=("signal=KILL $files,$memory" "error=ENOSPC write,pwrite64,fsync,fdatasync,rename,renameat2,ftruncate,mkdir,fallocate,openat"
    "error=EIO $files" "error=ENOMEM $memory" "error=EINTR read,pread64,write,pwrite64" "malloc allocations")

# calls FAULT SET COMMAND...: how many there are to fail. gnuplot's are not among them: what it makes of an error is its own
calls() {
    rm -f trace
    if [ "$1" = malloc ]; then
        COUNT_TO=$PWD/trace LD_PRELOAD=$allocator "${@:3}" >/dev/null 2>&1
        cat trace 2>/dev/null || echo 0 # a sanitizer's allocator goes first
    else
        strace -o trace -e "trace=$2" -e signal=none "${@:3}" >/dev/null 2>&1
        grep -vc '+++' trace
    fi
}

# disturbed FAULT SET N COMMAND...: the n-th fails
disturbed() {
    if [ "$1" = malloc ]; then
        FAIL_AT=$3 LD_PRELOAD=$allocator "${@:4}"
    else
        strace -o trace -e "inject=$2:$1:when=$3" -e signal=none -e "trace=$2" "${@:4}"
    fi
}

before=
for stage in $stages; do
    [ "$stage" = "${stage%:*}" ] || before=${stage#*:} stage=${stage%:*}
    rm -rf ws
    [ -z "$before" ] || cp -r "ws_$before" ws
    words_of "$stage" ws
    holds "$stage" "${words[@]}"
    cp -r ws "ws_$stage"
    files_of ws >expected.files
    for kind in "${kinds[@]}"; do
        read -r fault set <<<"$kind"
        fresh() { rm -rf ws && mkdir ws && { [ -z "$before" ] || cp -r "ws_$before/." ws; }; }
        fresh
        skip=$(calls "$fault" "$set" "$genair" --version) # the loader's own
        total=$(calls "$fault" "$set" "${words[@]}")
        [ "$total" -gt "$skip" ] || continue
        for _ in $(seq "$rounds"); do
            fresh
            at=$((skip + 1 + (RANDOM * 32768 + RANDOM) % (total - skip)))
            disturbed "$fault" "$set" $at "${words[@]}" >out 2>err
            status=$?
            what="$stage, $fault at call $at of $set"
            case $fault in
            signal=KILL) holds "$what: killed" test $status -ge 128 -o $status -eq 0 ;;
            *)
                in_order "$what" $status err
                [ $status -eq 0 ] || holds "$what: says why" test -s err
                ;;
            esac
            [ "${words[1]}" != train ] || words+=(--resume)
            "${words[@]}" >log 2>&1
            holds "$what: and again: $(head -c 300 log)" test $? -eq 0
            words_of "$stage" ws
            files_of ws >found.files
            holds "$what: the bytes of an undisturbed run" diff expected.files found.files
        done
    done
    before=$stage
done

# ---- commands that only read ----
rm -rf ws && cp -r ws_report ws
item=$(sed -n '2s/.*"item_id": *"\([^"]*\)".*/\1/p' ws/items.jsonl)
questions=("compare --run r --run s.0001" "recommend --run r --history $item" "similar --run r --item new" inspect "inspect $model" "inspect ws/fused.npy"
    "inspect ws/runs/r" doctor "help train"
    "bench train --method base ${small[*]}")
if [ "$rounds" -ge 10 ]; then
    questions+=("bench eval --method base ${small[*]}")
fi
for question in "${questions[@]}"; do
    read -ra words <<<"$question"
    words=("$genair" "${words[@]}" -q -w ws --threads 1)
    answer "${words[@]}" >expected
    files_of ws >expected.files
    for kind in "${kinds[@]}"; do
        read -r fault set <<<"$kind"
        skip=$(calls "$fault" "$set" "$genair" --version)
        total=$(calls "$fault" "$set" "${words[@]}")
        [ "$total" -gt "$skip" ] || continue
        tries=$rounds
        [ "$fault" != malloc ] || tries=$((rounds * (rounds < 10 ? 1 : 20))) # they are quick
        for _ in $(seq "$tries"); do
            at=$((skip + 1 + (RANDOM * 32768 + RANDOM) % (total - skip)))
            disturbed "$fault" "$set" $at "${words[@]}" >out 2>err
            status=$?
            what="$question, $fault at call $at of $set"
            [ "$fault" = signal=KILL ] || in_order "$what" $status err
            case "$status $question" in
            "0 doctor"* | "0 bench"*) ;; # measures
            "0 inspect"*) grep -q unreadable out || holds "$what: the undisturbed answer" diff expected <(answer cat out) ;;
            0*) holds "$what: the undisturbed answer" diff expected <(answer cat out) ;;
            *) [ "$fault" = signal=KILL ] || holds "$what: says why" test -s err ;;
            esac
        done
    done
    files_of ws >found.files
    holds "$question: nothing is changed" diff expected.files found.files
done

# ---- a file system that cannot exchange two names: a run is replaced in steps ----
words_of train ws
"${words[@]}" >log 2>&1
cp ws/runs/r/model.safetensors earlier
strace -o trace -e trace=renameat2 -e inject=renameat2:error=EINVAL "${words[@]}" --seed 2 >out 2>err
holds "a run is replaced without an exchange: $(head -c 300 err)" test $? -eq 0
holds 'which was refused' grep -q 'EXCHANGE.*EINVAL' trace
holds 'by the new one' sh -c '! cmp -s earlier ws/runs/r/model.safetensors'
holds 'and nothing else is left' test "$(echo $(ls ws/runs))" = 'paper.sasrec.base.44 r s.0001'
"$genair" evaluate -w ws --run r -q >out 2>err
holds "it can be read: $(head -c 300 err)" test $? -eq 0
finish
