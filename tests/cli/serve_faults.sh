#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A server whose system calls and allocations fail while it is asked: it answers, with an error where it must, or ends with a
# message and an exit status, never by a signal; what it acknowledged is there afterwards, and nobody else's files are touched.
# usage: serve_faults.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM FAILING-ALLOCATOR [ROUNDS, default 1] [SEED, default 1]
allocator=$(realpath "$4")
. "$2/tests/cli/check.sh"
needs_jq
rounds=${5:-1}
RANDOM=${6:-1}
command -v curl >/dev/null || { echo 'SKIP: this test asks with curl'; exit 77; }
if [ -n "${GENAIR_EMULATOR:-}" ] || ! strace -o trace -e inject=getppid:error=EIO true 2>/dev/null; then
    echo 'SKIP: this test needs strace, and leave to trace'
    exit 77
fi
"$third" shop 400 7
run 0 prepare -w kept --interactions shop/interactions.tsv --items shop/items.jsonl --item-core 10
run 0 embed -w kept --prefill shop/prefill.npy --decoding shop/decoding.npy --ids shop/vectors.ids
run 0 fuse -w kept --components 8
run 0 train -w kept --run one --hidden 16 --max-len 20 --epochs 1 --batch 64
item=$(head -n 1 kept/items.jsonl | jq -r .item_id)
user=$(sed -n 2p shop/interactions.tsv | cut -f1)
vectors=$(jq -nc --argjson p "$("$genair" inspect kept/prefill.npy --json | jq .shape[1])" --argjson d "$("$genair" inspect kept/decoding.npy --json | jq .shape[1])" \
    '{prefill: [range($p) | 0.5], decoding: [range($d) | 0.25]}')
. "$source/tests/cli/server.sh"

# what is asked of a server: each answer is one of HTTP, of the server's fault only where it says what; acknowledged events are counted
session() { # session WHAT
    local i found
    acknowledged=0 added=no
    for i in $(seq 6); do
        found=$(curl -s -m 20 -o answer -w '%{http_code}' -d "{\"user\": \"new\", \"item\": \"$item\", \"id\": \"e$i\"}" "$url/v1/events")
        [ "$found" != 200 ] || acknowledged=$((acknowledged + 1))
        says "$1, event" "$found"
        found=$(curl -s -m 20 -o answer -w '%{http_code}' "$url/v1/recommend?user=$user&k=3&explain=1")
        says "$1, recommend" "$found"
    done
    found=$(curl -s -m 20 -o answer -w '%{http_code}' -d "{\"item_id\": \"added\", \"vectors\": $vectors}" "$url/v1/items")
    [ "$found" != 200 ] || added=yes
    says "$1, new item" "$found"
    found=$(curl -s -m 20 -o answer -w '%{http_code}' -X POST "$url/v1/reload")
    says "$1, reload" "$found"
    found=$(curl -s -m 20 -o answer -w '%{http_code}' "$url/v1/items?q=a")
    says "$1, search" "$found"
}
says() { # says WHAT STATUS: the connection may have been lost (000), for want of what HTTP needs itself
    case $2 in
    000 | 200) ;;
    *) holds "$1: $2, $(head -c 200 answer)" jq -e ".error.status == $2 and (.error.message | length > 0)" answer ;;
    esac
}
fresh() { rm -rf ws && cp -r kept ws; }

# nothing fails; the allocator counts
serve=("$genair" serve -w ws --run one --listen 127.0.0.1:0)
fresh
COUNT_TO=$PWD/count LD_PRELOAD=$allocator launch "${serve[@]}"
[ -n "$url" ] || start one # a sanitizer's allocator goes first
session 'undisturbed'
stop
holds 'all was acknowledged' test "$acknowledged $added" = '6 yes'
allocations=$(cat count 2>/dev/null || echo 0)

# kinds: when, what is done, to which calls
# (not munmap: the C library ends a process that cannot give a thread's stack back)
files=openat,read,pread64,write,pwrite64,fsync,fdatasync,rename,ftruncate,unlink,lseek,newfstatat,close,fcntl
kinds=() injected=0
for when in opening serving; do
    kinds+=("$when error=ENOSPC write,pwrite64,fsync,fdatasync,rename,ftruncate,openat" "$when error=EIO $files"
        "$when error=ENOMEM mmap,brk,mprotect,clone,clone3" "$when error=EMFILE openat,accept4,socket"
        "$when error=EINTR read,pread64,write,pwrite64,poll,recvfrom,sendto,accept4")
done
kinds+=("serving error=EIO poll,recvfrom,sendto,sendmsg,accept4" "allocating one allocation")

# under a tracer from the start: faults while it opens, behind the loader's own calls
opening() { # opening FAULT SET
    strace -o trace -e "trace=$2" -e signal=none "$genair" --version >/dev/null 2>&1
    at=$(($(grep -vc '+++' trace) + 1 + RANDOM % 60))+7
    launch strace -D -f -qq -o trace -e signal=none -e "trace=$2" -e "inject=$2:$1:when=$at" "${serve[@]}"
}
# when it serves already: each thread's calls are counted by themselves, and a connection has a thread
serving() { # serving FAULT SET
    at=$((1 + RANDOM % 20))+$((2 + RANDOM % 20)) # not each: nothing would get on
    launch "${serve[@]}"
    strace -f -o trace -e signal=none -e "trace=$2" -e "inject=$2:$1:when=$at" -p $server 2>strace.err &
    tracer=$! # which may have no leave to attach: then nothing fails
    until grep -q attached strace.err || ! kill -0 $tracer 2>/dev/null; do sleep 0.01; done
}
allocating() {
    at=$(((RANDOM * 32768 + RANDOM) % allocations))
    FAIL_AT=$at LD_PRELOAD=$allocator launch "${serve[@]}"
}

for kind in "${kinds[@]}"; do
    read -r when fault set <<<"$kind"
    [ "$when" != allocating ] || [ "$allocations" -gt 0 ] || continue
    for _ in $(seq "$rounds"); do
        fresh
        : >trace
        $when "$fault" "$set"
        what="$when, $fault at $at of $set"
        acknowledged=0 added=no
        [ -z "$url" ] || session "$what"
        kill -TERM $server 2>/dev/null
        wait $server
        status=$?
        in_order "$what" $status serve.err
        [ $status -eq 0 ] || holds "$what: says why" test -s serve.err
        [ "$when" = allocating ] || injected=$((injected + $(grep -c INJECTED trace)))
        start one
        ask 200 '/v1/recommend?user=new'
        json_holds "$what: $acknowledged events were acknowledged" ".history_length >= $acknowledged"
        if [ $added = yes ]; then ask 200 '/v1/item?item=added'; fi
        stop
        holds "$what: the rest is as it was" diff <(cd kept && find . -type f ! -name '*.sqlite*' ! -name .lock | sort | xargs md5sum) \
            <(cd ws && find . -type f ! -name '*.sqlite*' ! -name .lock | sort | xargs md5sum)
    done
done
holds "$injected calls failed" test $injected -gt 0
finish
