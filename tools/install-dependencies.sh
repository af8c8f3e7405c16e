#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the packages of the named groups of dependencies.txt that are missing. Asks for root only then.
# usage: install-dependencies.sh GROUP[:ARCHITECTURE]...  (library:arm64: the packages of 'library' for Debian's arm64)
set -eu
list=$(dirname "$0")/dependencies.txt

wanted=$(for group; do
    architecture=${group#"${group%%:*}"}
    sed -n "s/^${group%%:*} \(.*\)/\1$architecture/p" "$list"
done)
if ! command -v dpkg-query >/dev/null; then
    echo "This is not a Debian system: install what corresponds to" $wanted >&2
    exit 0 # the build will say what it misses
fi
native=$(dpkg --print-architecture)
missing=$(for package in $wanted; do
    architecture=${package#"${package%%:*}"}
    architecture=${architecture#:}
    dpkg-query -W -f='${Architecture} ${db:Status-Status}\n' "$package" 2>/dev/null |
        grep -qxE "(all|${architecture:-$native}) installed" || echo "$package"
done)
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "Missing packages; as root, run: apt-get install" $missing >&2
        exit 1
    }
    as_root=sudo
fi
for architecture in $(printf '%s\n' $missing | sed -n 's/.*://p' | sort -u); do
    dpkg --print-foreign-architectures | grep -qx "$architecture" || $as_root dpkg --add-architecture "$architecture"
done
echo "installing" $missing >&2
export DEBIAN_FRONTEND=noninteractive
# without lists, or with old ones, the first attempt may find nothing
$as_root apt-get install -y --no-install-recommends $missing >&2 ||
    { $as_root apt-get update >&2 && $as_root apt-get install -y --no-install-recommends $missing >&2; }
