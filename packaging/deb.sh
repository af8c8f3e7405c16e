#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the Debian packages of the tree (tools/install-dependencies.sh build library faiss mpi deb). The tests are left out unless
# DEB_BUILD_OPTIONS says otherwise ('' runs them). usage: deb.sh OUT-DIRECTORY
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
version=$(sed -n "s/^  version: '\(.*\)',$/\1/p" "$root/meson.build")
: "${SOURCE_DATE_EPOCH:=$(git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$root/CHANGELOG.md")}"
export SOURCE_DATE_EPOCH DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-nocheck}"

# what git knows, as it stands here; or all but what is built
source=$out/genair-$version
rm -rf "$source" "$out"/*genair*_*
mkdir "$source"
if git -C "$root" rev-parse --git-dir >/dev/null 2>&1; then
    git -C "$root" ls-files -z | tar -C "$root" --null -T - -cf -
else
    tar -C "$root" --exclude='./build*' --exclude='./ws*' --exclude='__pycache__' -cf - .
fi | tar -C "$source" -xf -
chmod -R u+rwX,go=rX "$source"

# debian/: dependencies from the one list, the entry of the changelog from ours
cp -r "$source/packaging/debian" "$source/debian"
sed -n 's/^\(build gcc\|faiss g++\)$//; s/^\(build\|library\|faiss\|mpi\) \(.*\)/               \2,/p' "$root/tools/dependencies.txt" >"$out/depends"
sed -e "/@BUILD_DEPENDS@/{r $out/depends
d}" "$source/debian/control.in" >"$source/debian/control"
rm "$out/depends" "$source/debian/control.in"
{
    printf 'genair (%s) unstable; urgency=medium\n\n' "$version"
    # the bullets of the first version, each a line of awk's, folded again
    awk '/^## /{n++} n != 1 || !/^(- |  )/{next} /^- /{if (line) print line; line = $0; next} {line = line substr($0, 2)}
         END {print line}' "$root/CHANGELOG.md" | fold -s -w 74 | sed 's/ *$//; /^- /{s//  * /;b}; s/^/    /'
    printf '\n -- %s  %s\n' "$(sed -n 's/^Maintainer: //p' "$source/debian/control")" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")"
} >"$source/debian/changelog"

# older times of files would go into the packages as they are
find "$source" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

cd "$source"
dpkg-buildpackage -us -uc
