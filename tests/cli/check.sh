# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts here: runs the program, compares exit status and output, counts.
# Usage of a script: test.sh GENAIR-PROGRAM SOURCE-DIRECTORY
set -u
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# runnable PROGRAM: its path; a program for another processor is called through GENAIR_EMULATOR
runnable() {
    local program wrapper
    program=$(realpath "$1")
    if [ -z "${GENAIR_EMULATOR:-}" ] || [ ! -f "$program" ]; then
        echo "$program"
        return
    fi
    wrapper=$scratch/emulated-${program##*/}
    printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$GENAIR_EMULATOR" "$program" >"$wrapper"
    chmod +x "$wrapper"
    echo "$wrapper"
}
genair=$(runnable "$1")
source=$(realpath "$2")
[ $# -lt 3 ] || third=$(runnable "$3")
cd "$scratch" || exit 1
passed=0
failed=0

fail_case() { # fail_case WHAT DETAIL
    failed=$((failed + 1))
    printf 'FAILED: %s\n%s\n' "$1" "$2"
}

# expect STATUS STREAM TEXT ARGUMENTS...: exit status, and TEXT is a line of STREAM (out or err)
expect() {
    local status=$1 stream=$2 text=$3 found
    shift 3
    "$genair" "$@" >"$scratch/out" 2>"$scratch/err"
    found=$?
    if [ "$found" -ne "$status" ]; then
        fail_case "genair $*" "exit status $found, expected $status; $(head -c 2000 "$scratch/err")"
    elif ! grep -qxF -e "$text" "$scratch/$stream"; then
        fail_case "genair $*" "expected the line: $text
found: $(head -c 2000 "$scratch/$stream")"
    else
        passed=$((passed + 1))
    fi
}

# holds WHAT COMMAND...: the command succeeds
holds() {
    local what=$1
    shift
    if "$@" >"$scratch/log" 2>&1; then
        passed=$((passed + 1))
    else
        fail_case "$what" "$(head -c 2000 "$scratch/log")"
    fi
}

# in_order WHAT STATUS ERRORS: a disturbed program ended by itself. A sanitizer that is refused memory for itself has a way of its own
in_order() {
    grep -q 'Sanitizer failed to allocate' "$3" || holds "$1: status $2, $(head -c 300 "$3")" test "$2" -le 2
}

# what reads JSON here
needs_jq() {
    command -v jq >/dev/null && return
    echo 'SKIP: this test reads JSON with jq'
    exit 77
}


# json_holds WHAT FILTER: the last output is one JSON object of which the filter is true
json_holds() {
    holds "$1: $2" jq -es "length == 1 and (.[0] | $2)" "$scratch/out"
}
# run STATUS ARGUMENTS...: output in out and err
run() {
    local status=$1 found
    shift
    "$genair" "$@" >"$scratch/out" 2>"$scratch/err"
    found=$?
    if [ "$found" -eq "$status" ]; then
        passed=$((passed + 1))
    else
        fail_case "genair $*" "exit status $found, expected $status; $(head -c 2000 "$scratch/err")"
    fi
}
same() { holds "$1" cmp "$2" "$3"; }

finish() {
    printf '%d checks passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}
