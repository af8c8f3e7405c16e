#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs meson's tests and ends with one line: N passed, N failed[, N skipped].
# usage: run-tests.sh BUILD-DIRECTORY [OPTIONS OF meson test...]
set -u
build=$1
shift
rm -f "$build"/meson-logs/testlog*.json # where no test runs, those of an earlier run are not counted
meson test -C "$build" --print-errorlogs "$@"
status=$?
# a line of JSON for each test, whichever set-up's name the log carries
log=$(ls -t "$build"/meson-logs/testlog*.json 2>/dev/null | head -n 1)
count() {
    [ -n "$log" ] && grep -cE "\"result\": \"($1)\"" "$log" || true
}
passed=$(count 'OK|EXPECTEDFAIL')
failed=$(count 'FAIL|ERROR|TIMEOUT|UNEXPECTEDPASS|INTERRUPT')
skipped=$(count SKIP)
# nothing ran, or meson itself failed: never a success
if [ "${failed:-0}" -eq 0 ] && { [ "$status" -ne 0 ] || [ "${passed:-0}" -eq 0 ]; }; then
    failed=1
fi
echo "${passed:-0} passed, ${failed:-0} failed, ${skipped:-0} skipped"
[ "$failed" -eq 0 ]
