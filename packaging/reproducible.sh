#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds what is installed twice, each time in another directory, with other times of the files, umask, language and time zone,
# and compares the bytes; "deb": the Debian packages in its place. usage: reproducible.sh SOURCE-DIRECTORY [deb]
set -eu
root=$(cd "$1" && pwd)
what=${2-}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
library=libgenair.so.$(sed -n "s/^  version: '\(.*\)',$/\1/p" "$root/meson.build")
export SOURCE_DATE_EPOCH=1700000000

copy() { # copy DIRECTORY WHEN
    mkdir -p "$1"
    tar -C "$root" --exclude='./build*' --exclude='./ws*' --exclude=./.git --exclude='__pycache__' -cf - . | tar -C "$1" -xf -
    find "$1" -exec touch -h -d "$2" {} +
}

build() { # build DIRECTORY BUILD-DIRECTORY OUT
    meson setup "$1/$2" "$1" --prefix=/usr >/dev/null
    ninja -C "$1/$2" genair libgenair.a "$library" genair.1 genair.bash >/dev/null
    DESTDIR=$3 meson install -C "$1/$2" --no-rebuild --quiet
}

same() { # same DIRECTORY DIRECTORY
    for side in "$1" "$2"; do
        (cd "$side" && find . \( -type f -printf '%m ' -o -type l -printf 'link to %l ' \) -print | sort &&
            find . -type f -exec sha256sum {} + | sort -k 2) >"$side.list"
    done
    diff "$1.list" "$2.list" >&2 || return 1
    echo "$(grep -c '^[0-9a-f]\{64\}' "$1.list") files are the same to the byte"
}

copy "$scratch/one" 2001-02-03
copy "$scratch/another place/deeper/two" 2020-10-11
if [ "$what" != deb ]; then
    (umask 022 && TZ=UTC LC_ALL=C build "$scratch/one" build "$scratch/out1")
    (umask 002 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 build "$scratch/another place/deeper/two" build "$scratch/out2")
    same "$scratch/out1" "$scratch/out2"
    exit
fi
for copy in one 'another place/deeper/two'; do
    "$scratch/$copy/packaging/deb.sh" "$scratch/$copy/build-deb" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
    mkdir -p "$scratch/debs of $(basename "$copy")"
    mv "$scratch/$copy/build-deb"/*.deb "$scratch/$copy/build-deb"/*.dsc "$scratch/$copy/build-deb"/*.tar.xz "$scratch/debs of $(basename "$copy")"
done
same "$scratch/debs of one" "$scratch/debs of two"
