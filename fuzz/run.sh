#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fuzz/run.sh BUILD SECONDS [TARGET…]: builds the fuzz targets with clang and runs each for SECONDS. New inputs
# go to BUILD/corpus, beside those of fuzz/found.tar.xz; what fails stays in BUILD/findings, and the exit status is 1.
set -eu
build=$1 seconds=$2
shift 2
source=$(cd "$(dirname "$0")" && pwd)
[ -e "$build/build.ninja" ] || CC=clang CXX=clang++ meson setup "$build" "$source/.." -Dfuzz=true -Db_lundef=false
targets=${*:-$(cd "$source" && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')}
ninja -C "$build" $(for t in $targets; do echo "fuzz/fuzz_$t"; done)
# what earlier hours found beside the corpus of the tests
[ -e "$build/corpus" ] || {
    rm -rf "$build/corpus.partial" && mkdir "$build/corpus.partial"
    tar -xJf "$source/found.tar.xz" -C "$build/corpus.partial"
    mv "$build/corpus.partial" "$build/corpus"
}
failed=0
for t in $targets; do
    mkdir -p "$build/corpus/$t" "$build/findings/$t"
    echo "== $t, $seconds s"
    leaks=1 # looked for after each input; where threads come and go, at the end alone
    [ "$t" != http ] || leaks=0
    "$build/fuzz/fuzz_$t" -detect_leaks=$leaks -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$build/findings/$t/" "$build/corpus/$t" "$source/corpus/$t" >"$build/fuzz_$t.log" 2>&1 ||
        { failed=1; tail -n 40 "$build/fuzz_$t.log"; }
    grep -E '^stat::(number_of_executed_units|average_exec_per_sec)|^DONE|^Done' "$build/fuzz_$t.log" || true
done
exit $failed
