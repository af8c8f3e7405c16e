# SPDX-License-Identifier: Apache-2.0
# Sourced behind check.sh by the scripts that talk to a server of workspace ws.
trap 'kill -9 $server 2>/dev/null; rm -rf "$scratch"' EXIT

# launch COMMAND...: a server; its address in $url, which is empty where it has ended
launch() {
    : >serve.err # or the last server's is read
    "$@" >serve.out 2>serve.err &
    server=$!
    url=
    for _ in $(seq 500); do
        url=$(sed -n 's/^serving .* at \(http:.*\)$/\1/p' serve.err)
        [ -z "$url" ] && kill -0 $server 2>/dev/null || break
        sleep 0.02
    done
}
start() { # start RUN OPTIONS...
    launch "$genair" serve -w ws --run "$1" --listen 127.0.0.1:0 "${@:2}"
    [ -n "$url" ] && return
    fail_case 'the server starts' "$(cat serve.err)"
    finish
}
stop() {
    kill -TERM $server
    wait $server
    holds 'SIGTERM ends it in order' test $? -eq 0
}
ask() { # ask STATUS PATH [CURL-OPTIONS...]: the body in out
    local found
    found=$(curl -s -m 60 --path-as-is -o "$scratch/out" -w '%{http_code}' "${@:3}" "$url$2")
    holds "$2 ${*:3}: status $found, expected $1" test "$found" = "$1"
}
