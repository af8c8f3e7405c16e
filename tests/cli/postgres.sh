#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Events in PostgreSQL: a real server in a directory of its own, two daemons that share it, the server stopped, killed and
# started again under load. usage: postgres.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM EVENTS-TEST-PROGRAM
# MEMORY-TEST-PROGRAM [ROUNDS]
events_test=$(realpath "$4") memory_test=$(realpath "$5")
. "$2/tests/cli/check.sh"
needs_jq
command -v curl >/dev/null || { echo 'SKIP: this test asks with curl'; exit 77; }
binaries=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -x "${binaries:-/none}/initdb" ] || { echo 'SKIP: no PostgreSQL server (Debian: postgresql)'; exit 77; }
rounds=${6:-2}

# ---- the server: it refuses to run as root ----
unprivileged=
if [ "$(id -u)" -eq 0 ]; then
    id postgres >/dev/null 2>&1 || { echo 'SKIP: root needs the user postgres to run the server'; exit 77; }
    unprivileged='setpriv --reuid=postgres --regid=postgres --clear-groups'
fi
place=$(mktemp -d /tmp/genair-pg-XXXXXX)
[ -z "$unprivileged" ] || chown postgres "$place"
postgres() { (cd / && $unprivileged "$@"); }
control() { postgres "$binaries/pg_ctl" -D "$place/data" -s -w "$@" >/dev/null 2>&1; }
start_postgres() { control start -l "$place/log" -o "-c listen_addresses= -c unix_socket_directories=$place -c fsync=on -c max_connections=40"; }
sql() { postgres "$binaries/psql" -h "$place" -U genair -d "${database:-postgres}" -qtAc "$1"; }
daemons=
trap 'kill -9 $daemons 2>/dev/null; control stop -m immediate; rm -rf "$scratch" "$place"' EXIT
postgres "$binaries/initdb" -D "$place/data" -U genair -A trust -E UTF8 --no-locale -N >"$scratch/initdb" 2>&1 &&
    start_postgres || { echo "SKIP: no server can be started here: $(tail -n 3 "$scratch/initdb" "$place/log" 2>/dev/null)"; exit 77; }
store="postgresql://genair@/postgres?host=$place"

holds 'the store does what a store does' "$events_test" "$store"
holds 'it says when it has no memory' "$memory_test" -s "$store"

# ---- two daemons ----
"$third" shop 200 7
run 0 prepare -w ws --interactions shop/interactions.tsv --items shop/items.jsonl
run 0 train -w ws --run pop --method pop
item=$(sed -n 1p ws/items.jsonl | jq -r .item_id)
daemon() { # daemon NAME: its address in $url
    "$genair" serve -w ws --run pop --listen 127.0.0.1:0 --store "$store" >"$1.out" 2>"$1.err" &
    daemons="$daemons $!"
    for _ in $(seq 500); do
        url=$(sed -n 's/^serving .* at \(http:.*\)$/\1/p' "$1.err")
        [ -n "$url" ] && return
        sleep 0.02
    done
    fail_case 'the daemon starts' "$(cat "$1.err")"
    finish
}
daemon a
a=$url
daemon b
b=$url
ask() { # ask STATUS URL [CURL-OPTIONS...]: the body in out
    local found
    found=$(curl -s -m 20 -o "$scratch/out" -D "$scratch/headers" -w '%{http_code}' "${@:3}" "$2")
    holds "$2 ${*:3}: status $found, expected $1" test "$found" = "$1"
}
ask 200 "$a/v1/events" -d "{\"user\": \"p\", \"item\": \"$item\", \"id\": \"one\"}"
json_holds 'accepted' '.accepted == 1'
ask 200 "$b/v1/recommend?user=p&k=3"
json_holds 'what one daemon took, the other knows' ".history_length == 1 and all(.items[]; .item != \"$item\")"
ask 200 "$b/v1/events" -d "{\"user\": \"p\", \"item\": \"$item\", \"id\": \"one\"}"
json_holds 'the same id through the other' '.accepted == 0 and .repeated == 1'
printf '{"user": "a\\"b\\\\c,{}", "item": "%s"}\n{"user": "NULL", "item": "%s"}\n' "$item" "$item" >lines
ask 200 "$a/v1/events" --data-binary @lines
json_holds 'text is text' '.accepted == 2'
ask 200 "$a/v1/recommend?user=a%22b%5Cc%2C%7B%7D"
json_holds 'text is text' '.history_length == 1'
# the same ids in opposite orders through both at once: each waits for the other, none is lost, none is twice
for i in $(seq 300); do echo "{\"user\": \"both\", \"item\": \"$item\", \"id\": \"both-$i\"}"; done >up
tac up >down
for _ in 1 2 3; do
    curl -s -m 30 -o from_a --data-binary @up "$a/v1/events" &
    first=$!
    curl -s -m 30 -o from_b --data-binary @down "$b/v1/events"
    wait $first
done
ask 200 "$a/v1/recommend?user=both"
json_holds 'ids in opposite orders' '.history_length == 300'

# ---- stopped, killed and started again under load ----
send() { # send CLIENT URL: repeats an event until it is acknowledged, until the file enough is there
    local i=0 status
    while [ ! -e enough ]; do
        i=$((i + 1))
        while :; do
            status=$(curl -s -m 20 -o /dev/null -D "headers-$1" -w '%{http_code}' \
                -d "{\"user\": \"load\", \"item\": \"$item\", \"id\": \"load-$1-$i\"}" "$2/v1/events")
            [ "$status" = 200 ] && break
            echo "$status $(grep -ci '^retry-after: 1' "headers-$1")" >>refused
            sleep 0.1
        done
        echo "$i" >>acknowledged
    done
}
: >acknowledged
: >refused
clients=
for client in 1 2 3 4; do
    send $client "$([ $((client % 2)) = 0 ] && echo "$a" || echo "$b")" &
    clients="$clients $!"
done
for round in $(seq "$rounds"); do
    sleep 0.5
    control stop -m "$([ $((round % 2)) = 1 ] && echo fast || echo immediate)"
    sleep 0.5
    ask 503 "$a/v1/recommend?user=load"
    holds 'and says when to come again' grep -qi '^retry-after: 1' headers
    ask 200 "$a/v1/recommend" -d "{\"history\": [\"$item\"]}"
    before=$(wc -l <acknowledged)
    start_postgres
    for _ in $(seq 100); do [ "$(wc -l <acknowledged)" -gt "$before" ] && break; sleep 0.05; done
    holds 'the daemons go on by themselves' test "$(wc -l <acknowledged)" -gt "$before"
done
sleep 0.3
touch enough
wait $clients
holds 'some were refused meanwhile' test -s refused
holds 'each with 503 and Retry-After' test "$(sort -u refused)" = '503 1'
n=$(wc -l <acknowledged)
ask 200 "$b/v1/recommend?user=load"
json_holds "$n acknowledged: nothing lost, nothing twice" ".history_length == $n and $n > 20"
holds 'the database says so too' test "$(sql "SELECT count(*) FROM genair_events WHERE user_name = 'load'")" = "$n"

# ---- training with what was collected: the commands of docs/operate.md, while an event is on its way ----
documented() { # documented WORDS: the command with them, on this server's database
    sed -n 's/^    \(psql DATABASE .*\)/\1/p' "$source/docs/operate.md" | grep -F -- "$1" | sed "s/DATABASE/postgres/; s/<= N /<= ${newest:-} /"
}
psql() { postgres "$binaries/psql" -h "$place" -U genair "$@"; }
sql "BEGIN; INSERT INTO genair_events (user_name, item, time) VALUES ('slow\\u', '$item', 1000); SELECT pg_sleep(2); COMMIT" >slow &
on_its_way=$!
for _ in $(seq 100); do [ "$(sql "SELECT count(*) FROM pg_locks WHERE relation = 'genair_events'::regclass AND mode = 'RowExclusiveLock'")" -gt 0 ] && break; sleep 0.02; done
ask 200 "$a/v1/events" -d "{\"user\": \"fast\", \"item\": \"$item\", \"time\": 2000}"
newest=$(eval "$(documented max)")
holds 'the newest place' test "$newest" -eq "$(sql 'SELECT max(place) FROM genair_events')"
printf 'user\titem\ttime_ms\n' >events.tsv
(eval "$(documented '-F ')")
wait $on_its_way
holds 'the event that came first is among them' grep -qxF "slow\\u	$item	1000" events.tsv
holds 'and the one behind it' grep -qxF "fast	$item	2000" events.tsv
holds 'all of them' test "$(wc -l <events.tsv)" -eq "$(($(sql 'SELECT count(*) FROM genair_events') + 1))"
run 0 prepare -w ws2 --interactions shop/interactions.tsv events.tsv --items shop/items.jsonl

# ---- a server that neither answers nor goes away: only the long test waits for it ----
if [ "$rounds" -gt 2 ]; then
    backends=$(sql "SELECT pid FROM pg_stat_activity WHERE application_name = 'genair'")
    postgres kill -STOP $backends
    ask 200 "$a/v1/recommend?user=load" # by another connection
    ask 503 "$a/v1/events" -d "{\"user\": \"p\", \"item\": \"$item\", \"id\": \"stuck\"}"
    postgres kill -CONT $backends
    ask 200 "$a/v1/events" -d "{\"user\": \"p\", \"item\": \"$item\", \"id\": \"stuck\"}"
    ask 200 "$b/v1/recommend?user=p"
    json_holds 'an answer that was lost: the repeated event is there once' '.history_length == 2'
fi

# ---- daemons end in order; what cannot be ----
for one in $daemons; do
    kill -TERM "$one"
    wait "$one"
    holds 'SIGTERM ends it in order' test $? -eq 0
done
daemons=
sql "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
run 2 serve -w ws --run pop --listen 127.0.0.1:0 --store "postgresql://genair@/latin?host=$place"
holds 'another encoding is told' grep -q UTF8 err
run 1 serve -w ws --run pop --listen 127.0.0.1:0 --store "postgresql://genair:secret@/none?host=$place"
holds 'no such database' grep -q '"none" does not exist' err
holds 'a password is not shown' bash -c '! grep -q secret err'
sql 'CREATE ROLE reader LOGIN'
sql 'CREATE DATABASE closed'
run 1 serve -w ws --run pop --listen 127.0.0.1:0 --store "postgresql://reader@/closed?host=$place"
holds 'no permission to make the table is told' grep -q 'permission denied' err
run 2 serve -w ws --run pop --store 'postgresql://'
control stop
run 1 serve -w ws --run pop --listen 127.0.0.1:0 --store "$store"
holds 'no server is told' grep -q "$place" err
finish
