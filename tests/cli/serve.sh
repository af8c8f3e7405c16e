#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The server through its socket: answers equal the command line's, wrong requests, reload, the end by kill -9 while events
# arrive. usage: serve.sh GENAIR-PROGRAM SOURCE-DIRECTORY SHOP-PROGRAM [KILLS]
. "$2/tests/cli/check.sh"
needs_jq
command -v curl >/dev/null || { echo 'SKIP: this test asks with curl'; exit 77; }
kills=${4:-2}
"$third" shop 200 7
jq -c '. + ([range(20) | {key: "extra-\(.)", value: "v\(.)"}] | from_entries)' shop/items.jsonl >items.jsonl # many attributes
run 0 prepare -w ws --interactions shop/interactions.tsv --items items.jsonl
run 0 train -w ws --run one --method base --hidden 16 --max-len 20 --epochs 1 --batch 64
run 0 train -w ws --run pop --method pop
user=$(sed -n 2p shop/interactions.tsv | cut -f1)
run 0 recommend -w ws --run pop --user "$user" -k 1 --json
item=$(jq -r '.users[0].items[0].item' out) # one that prepare left in
. "$source/tests/cli/server.sh"
wrong() { # wrong STATUS PATH [CURL-OPTIONS...]: and the body says so
    ask "$@"
    json_holds "$2" ".error.status == $1 and (.error.message | length > 0)"
}

start one --access-log access.log --timeout 2
# ---- right ----
ask 200 "/v1/recommend?user=$user&k=5"
jq '[.items[] | [.item, .score]]' out >from_server
run 0 recommend -w ws --run one --user "$user" -k 5 --json
jq '[.users[0].items[] | [.item, .score]]' out >from_command
same 'the server says what the command says' from_server from_command
ask 200 "/v1/recommend?user=nobody&k=3"
json_holds 'no history' '.fallback and (.items | length == 3)'
ask 200 /v1/events -d "{\"user\": \"nobody\", \"item\": \"$item\", \"id\": \"e1\"}"
json_holds 'an event' '.accepted == 1 and .repeated == 0'
ask 200 /v1/events -d "{\"user\": \"nobody\", \"item\": \"$item\", \"id\": \"e1\"}"
json_holds 'the same again' '.accepted == 0 and .repeated == 1'
ask 200 "/v1/recommend?user=nobody&k=3&explain=1"
json_holds 'it counts at once' ".history_length == 1 and (has(\"fallback\") | not) and .items[0].because == \"$item\" and all(.items[]; .item != \"$item\")"
jq .items[0].item out >first
ask 200 /v1/recommend -d "{\"history\": [\"$item\"], \"k\": 1}"
holds 'a history in the body is the same history' jq -e --slurpfile f first '.items[0].item == $f[0]' out
ask 200 /v1/recommend -d "{\"histories\": [[\"$item\"], []], \"k\": 2, \"deny\": [$(cat first)]}"
json_holds 'several histories, one item denied' ".histories | length == 2 and all(.[]; .items | length == 2 and all(.[]; .item != $(cat first)))"
ask 200 /v1/recommend -d "{\"user\": \"nobody\", \"allow\": [$(cat first)]}"
json_holds 'one item allowed' ".items | length == 1 and .[0].item == $(cat first)"
# ---- which items ----
brand=$(jq -r --arg i "$item" 'select(.item_id == $i) | .brand' ws/items.jsonl)
jq -c --arg b "$brand" 'select(.brand == $b) | .item_id' ws/items.jsonl | jq -cs sort >of_brand
ask 200 /v1/recommend -G -d user=stranger -d k=1000 --data-urlencode "where=brand:$brand"
holds 'an attribute value' jq -e --slurpfile w of_brand '[.items[].item] | sort == $w[0]' out
ask 200 /v1/recommend -d "{\"history\": [\"$item\"], \"k\": 1000, \"where\": {\"brand\": \"$brand\"}}"
holds 'without the history' jq -e --arg i "$item" --slurpfile w of_brand '[.items[].item] | sort == ($w[0] - [$i])' out
ask 200 /v1/recommend -d "{\"history\": [\"$item\"], \"k\": 1000, \"where\": {\"brand\": \"$brand\"}, \"repeat\": true}"
holds 'with what was bought already' jq -e --slurpfile w of_brand '[.items[].item] | sort == $w[0]' out
category=$(jq -r --arg i "$item" 'select(.item_id == $i) | .categories' ws/items.jsonl | sed 's/.*, //')
ask 200 /v1/recommend -d "{\"user\": \"stranger\", \"k\": 1000, \"where\": {\"brand\": \"$brand\", \"categories\": \"$category\"}, \"deny\": [\"$item\"]}"
jq -c --arg b "$brand" --arg c "$category" --arg i "$item" 'select(.brand == $b and (.categories | split(", ") | index($c)) and .item_id != $i) | .item_id' ws/items.jsonl | jq -cs sort >of_both
holds 'two values, one item denied' jq -e --slurpfile w of_both '[.items[].item] | sort == $w[0]' out
ask 200 "/v1/recommend?user=stranger&viewed=$item&k=5&explain=1"
json_holds 'what is viewed goes by' ".fallback == \"items like those viewed: no history\" and all(.items[]; .because == \"$item\")"
jq -c '[.items[].item]' out >like_viewed
ask 200 "/v1/similar?item=$item&k=5"
holds 'it is what is similar' jq -e --slurpfile w like_viewed '[.items[].item] == $w[0]' out
ask 200 /v1/recommend -d "{\"user\": \"stranger\", \"viewed\": [\"$item\"], \"allow\": $(cat of_brand), \"k\": 1000}"
holds 'filters hold there too' jq -e --arg i "$item" --slurpfile w of_brand '[.items[].item] | sort == ($w[0] - [$i])' out
ask 200 "/v1/recommend?user=$user&viewed=$item&k=5"
json_holds 'a history counts more' 'has("fallback") | not'
for i in $(seq 0 19); do ask 200 "/v1/recommend?user=a&where=extra-$i:v$i"; done
for where in brand brand: :x "brand:no such brand" "no-such-attribute:x" 'description:'; do
    wrong 400 /v1/recommend -G -d user=a --data-urlencode "where=$where"
done
wrong 400 '/v1/recommend?user=a&viewed=no-such-item'
wrong 400 '/v1/recommend?user=a&repeat=yes'
for body in '{"user": "a", "where": {}}' '{"user": "a", "where": []}' '{"user": "a", "where": {"brand": 1}}' '{"user": "a", "where": {"brand": "x"}}' \
    '{"user": "a", "viewed": "x"}' '{"user": "a", "repeat": 1}' '{"user": "a", "deny": ["no-such-item"]}'; do
    wrong 400 /v1/recommend -d "$body"
done
ask 200 "/v1/similar?item=$item&k=4"
json_holds 'similar' '.items | length == 4'
ask 200 '/v1/items?k=3'
json_holds 'the popular items' '.items | length == 3 and .[0].popularity >= .[1].popularity and .[1].popularity >= .[2].popularity'
jq -r '.items[0].item' out >popular
word=$(jq -r --arg i "$item" 'select(.item_id == $i) | .name' ws/items.jsonl | awk '{print toupper($1)}')
ask 200 /v1/items -G --data-urlencode "q=$word" -d k=1000
json_holds "items called $word" "(.items | length > 0) and any(.items[]; .item == \"$item\") and all(.items[]; (.item + .name) | ascii_upcase | contains(\"$word\"))"
ask 200 "/v1/items?q=$item&k=1"
json_holds 'an id is found first' ".items[0].item == \"$item\""
ask 200 "/v1/items?q=$(printf "$word%%20%.0s" $(seq 17))nothing-is-called-that"
json_holds 'also behind many' '.items == []'
ask 200 "/v1/items?q=$item%20nothing-is-called-that"
json_holds 'all words are needed' '.items == []'
ask 200 "/v1/item?item=$item"
json_holds 'an item' ".item == \"$item\" and .name and .popularity > 0 and .cold == false and (.attributes | has(\"description\") and (has(\"name\") or has(\"item_id\") | not))"
ask 200 "/v1/users?q=$user&k=2"
json_holds 'a user found' ".users[0].user == \"$user\" and .users[0].history_length > 0"
ask 200 "/v1/user?user=$user"
json_holds 'a history' ".user == \"$user\" and (.history | length) == .history_length and .events == 0"
ask 200 /v1/user?user=nobody
json_holds 'of events' ".history_length == 1 and .events == 1 and .history[0].item == \"$item\""
ask 200 /v1/map
json_holds 'a map' '.items as $n | [.item, .name, .x, .y, .popularity, .group | length] | unique == [$n]'
ask 200 /v1/run
json_holds 'the run' '.run == "one" and .method == "base" and .config.hidden == 16 and (.epochs | length == 1) and .result.test.full and .data.items > 0'
printf '{"user": "a b", "item": "%s"}\n\n{"user": "<b>\\u0027; DROP TABLE events; --", "item": "%s"}\n' "$item" "$item" >lines
ask 200 /v1/events --data-binary @lines
json_holds 'a line each' '.accepted == 2'
jq -n --arg i "$item" '{user: "spread", item: $i}, {user: "spread", item: $i}' >lines # over several lines each
ask 200 /v1/events --data-binary @lines
json_holds 'values over several lines' '.accepted == 2'
ask 200 /v1/recommend?user=%3Cb%3E%27%3B%20DROP%20TABLE%20events%3B%20--
json_holds 'text is text' '.history_length == 1'
ask 200 /healthz
ask 200 /readyz
ask 200 /openapi.json
json_holds 'openapi' '.openapi == "3.1.0" and (.paths | has("/v1/recommend") and has("/v1/events") and has("/v1/map") and (has("/") | not))'
holds 'the same behind gzip' cmp out <(curl -s --compressed "$url/openapi.json")
ask 200 /metrics
holds 'metrics count events' grep -qx 'genair_events_total 5' out
sed 's/^# TYPE //; /^# HELP/d; s/[ {].*//; s/_\(bucket\|sum\|count\)$//' out | uniq | sort | uniq -d >twice
holds 'each family of metrics in one piece, behind its type' test ! -s twice
holds 'one connection for several requests' test \
    "$(curl -s -o a -o b -w '%{num_connects}\n' "$url/healthz" "$url/readyz" | paste -sd' ')" = '1 0'

# ---- wrong ----
wrong 404 /v1/recommend/
wrong 404 /../../etc/passwd
wrong 404 '/v1/similar?item=no-such-item'
wrong 404 '/v1/item?item=no-such-item'
wrong 400 '/v1/item'
wrong 400 "/v1/items?q=$(head -c 300 /dev/zero | tr '\0' x)"
wrong 400 '/v1/items?q=%ff'
wrong 400 '/v1/user?user='
wrong 400 '/v1/map?x=1'
wrong 405 /v1/similar -X DELETE
for query in '' '?user=' '?user=a&user=b' '?user=a&k=0' '?user=a&k=99999' '?user=a&k=x' '?user=a&explain=yes' '?user=%ff' \
    '?user=a%00b' '?person=a' '?user=a&%3Cscript%3E=1'; do
    wrong 400 "/v1/recommend$query"
done
for body in '' '[]' '{' '{"user": 1}' '{"history": "x"}' '{"history": [1]}' '{"history": ["no-such-item"]}' '{"histories": [1]}' \
    '{"user": "a", "history": []}' '{"user": "a", "k": 1.5}' '{"user": "a", "k": 0}' '{"user": "a", "x": 1}' \
    '{"user": "a", "user": "b"}' '{"user": "a", "allow": []}' '{"user": "\ud800"}' '{"user": "a\u0000b"}' \
    "$(printf '[%.0s' $(seq 5000))" "$(printf '{"history": [["\377"]]}')"; do
    wrong 400 /v1/recommend -d "$body"
done
wrong 400 /v1/events -d "{\"user\": \"a\", \"item\": \"no-such-item\"}"
for time in '"now"' 1700000000000000 253402300800000 -62135596800001; do # microseconds are of no year that prepare reads
    wrong 400 /v1/events -d "{\"user\": \"a\", \"item\": \"$item\", \"time\": $time}"
done
for time in -62135596800000 253402300799999; do ask 200 /v1/events -d "{\"user\": \"times\", \"item\": \"$item\", \"time\": $time}"; done
printf '{"user": "all or none", "item": "%s"}\n{"user": 1}\n' "$item" >lines
wrong 400 /v1/events --data-binary @lines
json_holds 'the place of what is wrong' '.error.message | startswith("event 2: ")'
ask 200 '/v1/recommend?user=all%20or%20none'
json_holds 'nothing of it was kept' '.history_length == 0'
wrong 403 /v1/events -H 'Origin: http://elsewhere.example' -d "{\"user\": \"a\", \"item\": \"$item\"}"
wrong 403 /v1/events -H 'Origin: null' -d "{\"user\": \"a\", \"item\": \"$item\"}"
ask 200 /v1/events -H "Origin: $url" -d "{\"user\": \"a\", \"item\": \"$item\"}"
for host in localhost LOCALHOST:1 127.0.0.1:80 127.1.2.3 '[::1]:8080' '[::1]'; do ask 200 /v1/run -H "Host: $host"; done
for host in elsewhere.example "elsewhere.example:${url##*:}" localhost.elsewhere.example 127.0.0.1.elsewhere.example 128.0.0.1 127.0.0.1:x '[::1]x' '[::2]'; do
    wrong 403 "/v1/recommend?user=$user" -H "Host: $host"
done
wrong 403 /v1/events -H 'Host: elsewhere.example' -H 'Origin: http://elsewhere.example' -d "{\"user\": \"a\", \"item\": \"$item\"}"
ask 200 /v1/run -0 -H 'Host:' # as balancers ask
ask 200 /healthz -H 'Host: elsewhere.example'
ask 200 /openapi.json -H 'Host: elsewhere.example'
wrong 403 / -H 'Host: elsewhere.example'
head -c 5000000 /dev/zero >large
wrong 413 /v1/events --data-binary @large
wrong 413 /v1/events --data-binary @large -H 'Transfer-Encoding: chunked'
wrong 413 /readyz -X GET -d x
wrong 400 /v1/recommend -d "{\"histories\": [$(printf '[],%.0s' $(seq 20))[]], \"k\": 1000}"
wrong 400 /v1/recommend -d "{\"history\": [\"$item\"]}" -H 'Content-Length: 3' -H 'Content-Length: 24'
holds 'a body of two lengths ends the connection' sh -c "curl -s -i -H 'Content-Length: 2' -H 'Transfer-Encoding: chunked' -d x $url/v1/run | grep -qi '^connection: close'"
ask 431 /healthz -H "X: $(head -c 30000 /dev/zero | tr '\0' x)"
port=${url##*:}
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'GET /v1/recommend?user=a HTTP/1.1\r\nHost: x\r\nX: ' >&3 # and then nothing: it is cut off
exec 4<>"/dev/tcp/127.0.0.1/$port"
printf 'nonsense\r\n\r\n' >&4
ask 200 /healthz
holds 'a silent client is cut off' timeout 10 cat <&3
exec 3>&- 4>&-

# ---- reload, under way ----
(for _ in $(seq 60); do curl -s -o /dev/null -w '%{http_code}\n' "$url/v1/recommend?user=$user"; done) >codes &
asking=$!
for _ in 1 2 3; do ask 200 /v1/reload -d ''; done
kill -HUP $server
wait $asking
holds 'no request failed meanwhile' test "$(sort -u codes)" = 200
mv ws/runs/one/config.json config.json
wrong 409 /v1/reload -d ''
mv config.json ws/runs/one/config.json
ask 200 "/v1/recommend?user=$user"
stop
holds 'a line of JSON for each request' jq -es 'length > 100 and all(.[]; .status >= 200 and .seconds >= 0 and (.path | type == "string"))' access.log

# ---- a token ----
printf 'a-secret-of-some-length\n' >token
start one --token-file token
wrong 401 "/v1/recommend?user=$user"
wrong 401 "/v1/recommend?user=$user" -H 'Authorization: Bearer a-secret-of-some-lengtH'
wrong 401 /v1/events -H 'Authorization: Bearer' -d '{}'
ask 200 "/v1/recommend?user=$user" -H 'Authorization: Bearer a-secret-of-some-length'
ask 200 /healthz
ask 200 /healthz -H 'Host: shop.example'
# as a proxy is asked
ask 200 /healthz --request-target "$url/healthz"
ask 200 / --request-target HTTP://shop.example
wrong 401 /v1/recommend --request-target "$url/v1/recommend?user=$user"
ask 200 /v1/recommend --request-target "$url/v1/recommend?user=$user" -H 'Authorization: Bearer a-secret-of-some-length'
ask 404 /nowhere
ask 200 /metrics -H 'Authorization: Bearer a-secret-of-some-length'
holds 'refusals are counted' grep -qxF 'genair_requests_total{method="GET",path="/v1/recommend",status="4xx"} 3' out
holds 'of no route too' grep -qxF 'genair_requests_total{method="",path="other",status="4xx"} 1' out
stop
start one --no-token --unknown-items keep
ask 200 "/v1/recommend?user=$user" -H 'Host: shop.example'
printf '{"user": "keeper", "item": "of tomorrow"}\n{"user": "keeper", "item": "%s"}\n' "$item" >lines
ask 200 /v1/events --data-binary @lines
json_holds 'unknown items are kept' '.accepted == 2 and .unknown == 1'
ask 200 /v1/recommend?user=keeper
json_holds 'and passed over' ".history_length == 1"
run 1 serve -w ws --run one --listen "${url#http://}"
holds 'an address that another server has is refused' grep -q 'cannot listen: Address already in use' err
port=${url##*:}
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{' >&3
sleep 0.2
kill -TERM $server
for _ in $(seq 100); do (exec 4<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break; sleep 0.02; done
holds 'a server that ends refuses connections at once' bash -c "kill -0 $server && ! (exec 4<>/dev/tcp/127.0.0.1/$port) 2>/dev/null"
exec 3>&-
wait $server
holds 'and ends in order' test $? -eq 0
(ulimit -n 300; "$genair" serve -w ws --run one --listen 127.0.0.1:0 --max-connections 200 2>err; test $? -eq 2)
holds 'connections need open files' test $? -eq 0 -a -n "$(grep 'needs 392 open files, and the limit is 300' err)"

# ---- more connections than may be ----
start one --max-connections 2
port=${url##*:}
exec 3<>"/dev/tcp/127.0.0.1/$port"
exec 4<>"/dev/tcp/127.0.0.1/$port"
for fd in 3 4; do # a connection counts from its first answer on at the latest
    printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n' >&$fd
    read -r -t 10 line <&$fd
done
wrong 503 "/v1/recommend?user=$user" -D headers
holds 'and says when to come again' grep -qi '^retry-after: 1' headers
holds 'on another connection' grep -qi '^connection: close' headers
wrong 503 /v1/events -d "{\"user\": \"a\", \"item\": \"$item\"}"
ask 200 /healthz
exec 3>&- 4>&-
for _ in $(seq 100); do [ "$(curl -s -o out -w '%{http_code}' "$url/metrics")" = 200 ] && break; sleep 0.05; done
ask 200 /metrics
holds 'both were counted' test "$(sed -n 's/^genair_refused_total //p' out)" -ge 2
stop
printf 'short\n' >token
run 2 serve -w ws --run one --token-file token
run 2 serve -w ws --run one --listen 0.0.0.0:0
run 2 serve -w ws --run one --listen localhost
run 2 serve -w ws --run one --store mysql:x
run 2 serve -w ws --run none
sqlite_file=ws/archetypes-not.sqlite
head -c 4096 /dev/urandom >$sqlite_file
run 1 serve -w ws --run one --listen 127.0.0.1:0 --store sqlite:$sqlite_file

# ---- killed while events arrive: what was acknowledged is there ----
send() { # send CLIENT ROUND: notes what was acknowledged
    local i
    for i in $(seq 1000); do
        curl -sf -o /dev/null -d "{\"user\": \"k$1\", \"item\": \"$item\", \"id\": \"$1-$2-$i\"}" "$url/v1/events" || return
        echo "$i" >>"acknowledged-$1"
    done
}
: >acknowledged-1
: >acknowledged-2
for round in $(seq "$kills"); do
    start one
    send 1 "$round" &
    first=$!
    send 2 "$round" &
    second=$!
    sleep 0.4
    kill -9 $server
    wait $first $second $server 2>/dev/null
done
start one
for client in 1 2; do
    ask 200 "/v1/recommend?user=k$client"
    n=$(wc -l <acknowledged-$client)
    # one more may have been written whose answer was cut off, at each kill
    json_holds "client $client: $n events were acknowledged" ".history_length >= $n and .history_length <= $n + $kills and $n > 0"
done
stop

# ---- a file of the workspace that is cut short under the server ----
start one
: >ws/sequences.bin
curl -s -o /dev/null "$url/v1/recommend?user=$user"
wait $server
holds 'ends it like any failure' test $? -eq 1
holds 'and is named' grep -qx 'genair: /.*/ws/sequences.bin: the file became shorter while it was read, or its disk failed; run the command again' serve.err
finish
