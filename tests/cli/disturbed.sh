#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Killed at any moment, out of disk, read-only, damaged files: the next run ends with the bytes of an
# undisturbed one, or names the file and the command that mends it.
# usage: disturbed.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM [KILLS, default 6]
. "$2/tests/cli/check.sh"
kills=${4:-6}
"$third" shop 3000 3

# words STAGE WORKSPACE: the command of a stage, in the array `words`
words() {
    local inputs=(--interactions shop/interactions.tsv --items shop/items.jsonl)
    local vectors=(--prefill shop/prefill.npy --decoding shop/decoding.npy --ids shop/vectors.ids)
    case $1 in
    prepare) words=(prepare "${inputs[@]}") ;;
    embed) words=(embed "${vectors[@]}") ;;
    fuse) words=(fuse --components 32) ;;
    train) words=(train --run r --hidden 16 --max-len 20 --epochs 3 --batch 128) ;;
    esac
    words=("$genair" "${words[@]}" -q -w "$2")
}
stage() { # stage NAME WORKSPACE [MORE...]
    words "$1" "$2"
    "${words[@]}" "${@:3}"
}
prepare() { stage prepare "$1"; }
embed() { stage embed "$1"; }
fuse() { stage fuse "$1"; }
# the stages to disturb, in order
stages='prepare embed fuse train'

# ---- an undisturbed way, timed ----
declare -A milliseconds
now() { date +%s%3N; }
for stage in $stages; do
    start=$(now)
    holds "$stage" stage $stage ws
    milliseconds[$stage]=$(($(now) - start))
    cp -r ws "ws_$stage"
done

# all but how long it took
files_of() { (cd "$1" && find . -type f ! -name .lock ! -name '*.tmp*' ! -name timing.json | sort | xargs md5sum); }
same_workspace() { # same_workspace WHAT EXPECTED FOUND
    files_of "$2" >expected.files
    files_of "$3" >found.files
    holds "$1" diff expected.files found.files
}

# ---- kill -9 ----
before=
for stage in $stages; do
    for round in $(seq "$kills"); do
        rm -rf cut
        [ -z "$before" ] || cp -r "ws_$before" cut
        words $stage cut
        "${words[@]}" >/dev/null 2>&1 &
        child=$!
        # moments spread over the run's length
        sleep "$(awk -v t="${milliseconds[$stage]}" -v i="$round" -v n="$kills" 'BEGIN { print t * i / (n + 1) / 1000 }')"
        kill -KILL $child 2>/dev/null
        wait $child 2>/dev/null
        if [ $stage = train ]; then stage train cut --resume >log 2>&1; else stage $stage cut >log 2>&1; fi
        holds "$stage after a kill ($round of $kills)" test $? -eq 0
        same_workspace "$stage after a kill ($round of $kills) ends with the same bytes" "ws_$stage" cut
    done
    before=$stage
done

# ---- a damaged file is named, and the stage that makes it mends it ----
flip() { # flip FILE: the byte in the middle becomes another one
    local middle=$(($(stat -c %s "$1") / 2)) byte
    byte=$(od -An -tu1 -j $middle -N 1 "$1" | tr -d ' ')
    printf "\\x$(printf %02x $((byte ^ 255)))" | dd of="$1" bs=1 seek=$middle conv=notrunc status=none
}
damaged() { # damaged FILE HOW MAKER READER
    local how=$2
    rm -rf cut
    cp -r "ws_$before" cut
    if [ "$how" = flip ]; then flip "cut/$1"; else truncate -s -1 "cut/$1"; fi
    $4 cut >out 2>err
    holds "$4 refuses $1 after $how" test $? -eq 1
    holds "and names it" grep -q "$1" err
    $3 cut >log 2>&1
    holds "$3 mends $1" test $? -eq 0
    same_workspace "to the same bytes" "ws_$before" cut
}
refuse() { "$genair" fuse -q -w "$1" --components 31; } # reads what embed made
reembed() { "$genair" embed -q -w "$1" --prefill shop/decoding.npy --decoding shop/decoding.npy --ids shop/vectors.ids; }
for how in flip truncate; do
    for file in prefill.npy decoding.npy; do damaged $file $how embed refuse; done
    for file in sequences.bin ids.bin; do damaged $file $how prepare reembed; done
done

# ---- a full disk, a read-only one: in a mount namespace, where the system lets us ----
if unshare -rm mount -t tmpfs tmpfs "$scratch/shop" 2>/dev/null; then
    mkdir small
    full() {
        unshare -rm bash -c 'mount -t tmpfs -o size=300k tmpfs small || exit 9
            "$0" prepare -q -w small/ws --interactions shop/interactions.tsv --items shop/items.jsonl 2>err
            status=$?; find small -name "*.tmp*" >left; exit $status' "$genair"
    }
    full
    holds 'a full disk is exit status 1' test $? -eq 1
    holds 'and is said' grep -q 'No space left on device' err
    holds 'and leaves no temporary files' test ! -s left
    rm -rf cut
    cp -r "ws_$before" cut
    unshare -rm bash -c 'mount --bind cut cut && mount -o remount,ro,bind cut && "$0" fuse -q -w cut --components 31 2>err' "$genair"
    holds 'a read-only workspace is exit status 1' test $? -eq 1
    holds 'and is said' grep -q 'read-only file system' err
    same_workspace 'and is as it was' "ws_$before" cut
else
    echo 'not checked here: a full disk and a read-only one, which need a mount namespace'
fi

# ---- Ctrl-C ----
rm -rf cut
words prepare cut
"${words[@]}" >/dev/null 2>err &
child=$!
while [ ! -s cut/.lock ] && kill -0 $child 2>/dev/null; do :; done
kill -INT $child 2>/dev/null
wait $child
status=$?
if [ $status -eq 0 ]; then
    echo 'not checked here: an interruption, the command was over too soon'
else
    holds 'SIGINT is exit status 130' test $status -eq 130
    holds 'and what comes of it is said' grep -qx 'genair: interrupted; the same command starts again' err
fi

truncate -s 40G large.tsv # of which nothing is on the disk
"$genair" prepare -w cut --interactions large.tsv >/dev/null 2>err &
child=$!
sleep 0.5
kill -INT $child
wait $child
holds 'SIGINT while inputs are hashed is heard' test $? -eq 130
holds 'and said' grep -qx 'genair: interrupted; the same command starts again' err
rm large.tsv

# ---- two processes in one workspace ----
rm -rf cut
"$genair" prepare -q -w cut --interactions shop/interactions.tsv --items shop/items.jsonl >/dev/null 2>&1 &
child=$!
while [ ! -s cut/.lock ] && kill -0 $child 2>/dev/null; do :; done
kill -STOP $child
if [ -s cut/.lock ]; then
    prepare cut >out 2>err
    holds 'the second process in a workspace is refused' test $? -eq 1
    holds 'and is told who holds it' grep -q "$child" err
else
    echo 'not checked here: two processes, the first one was over too soon'
fi
kill -KILL $child
wait $child 2>/dev/null
holds 'afterwards it may' prepare cut
finish
