#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is installed can be used: header alone in C and C++, exported names, pkg-config, an outside program.
# usage: install.sh GENAIR-PROGRAM SOURCE-DIRECTORY BUILD-DIRECTORY; CFLAGS: what the build was made with
. "$2/tests/cli/check.sh"
build=$third
root=$scratch/root
DESTDIR=$root meson install -C "$build" --no-rebuild --quiet >"$scratch/log" 2>&1 || {
    cat "$scratch/log"
    exit 1
}
find_file() {
    find "$root" -name "$1" ! -type d | head -n 1
}
header=$(find_file genair.h)
library=$(find_file libgenair.so)
config=$(find_file genair.pc)
for file in genair genair.h libgenair.so libgenair.a genair.pc genair.1 genair.bash genair.service genair.conf; do
    holds "$file is installed" test -e "$(find_file "$file")"
done

strict="-Wall -Wextra -Wpedantic -Werror"
echo '#include <genair.h>' >alone.c
cp alone.c alone.cc
holds 'the header alone is C17' ${CC:-cc} -std=c17 $strict -I"${header%/*}" -c alone.c -o alone.o
if command -v ${CXX:-c++} >/dev/null; then
    holds 'the header alone is C++17' ${CXX:-c++} -std=c++17 $strict -I"${header%/*}" -c alone.cc -o alone_cc.o
fi

nm -D --defined-only --with-symbol-versions "$library" | awk '$2 ~ /[TBDR]/ {print $3}' | sort >versioned.txt
holds 'each exported name has the version of src/genair.map' test "$(grep -cvE '^genair_[a-z_]+@@GENAIR_0(\.[0-9]+)?$' versioned.txt)" -eq 0
sed 's/@.*//' versioned.txt >exported.txt
holds 'the library exports the public names and no others' diff exported.txt "$source/tests/cli/exported.txt"
grep -o 'genair_[a-z_]*(' "$header" | tr -d '(' | sort -u >declared.txt
holds 'each exported name is declared' diff declared.txt "$source/tests/cli/exported.txt"

export PKG_CONFIG_PATH=${config%/*} PKG_CONFIG_SYSROOT_DIR=$root
holds 'pkg-config knows the version' test "$(pkg-config --modversion genair)" = "$("$genair" --version | cut -d' ' -f2)"
holds 'an outside program compiles and links' \
    ${CC:-cc} ${CFLAGS:-} -std=c17 $strict "$source/examples/recommend.c" $(pkg-config --cflags --libs genair) -o outside
LD_LIBRARY_PATH=${library%/*} ./outside nowhere r1 i1 >"$scratch/out" 2>"$scratch/err"
holds 'the outside program gets a failure with a reason' test $? -eq 1 -a -s "$scratch/err"

# the static library keeps its internal names to itself
cat >own_names.c <<'C'
#include <genair.h>
void mem_free(void *p);
void mem_free(void *p) { (void)p; }
int fail(void);
int fail(void) { return 7; }
int main(void) { return genair_version()[0] == '\0' ? 1 : fail() - 7; }
C
static=$(pkg-config --static --libs genair)
holds 'a program with names like our internal ones links statically' ${CC:-cc} ${CFLAGS:-} own_names.c -I"${header%/*}" \
    ${static/-lgenair/-l:libgenair.a} -o own_names
holds 'without the shared library' bash -c '! ldd ./own_names | grep -q libgenair'
holds 'and runs' ./own_names
holds 'the installed program runs' env LD_LIBRARY_PATH="${library%/*}" "$(find_file genair)" --version
finish
