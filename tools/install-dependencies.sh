#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the packages of the named groups of dependencies.txt that are missing. Asks for root only then.
# usage: install-dependencies.sh GROUP...
set -eu
list=$(dirname "$0")/dependencies.txt

wanted=$(for group; do sed -n "s/^$group //p" "$list"; done)
if ! command -v dpkg-query >/dev/null; then
    echo "This is not a Debian system: install what corresponds to" $wanted >&2
    exit 0 # the build will say what it misses
fi
missing=$(for package in $wanted; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
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
echo "installing" $missing >&2
export DEBIAN_FRONTEND=noninteractive
# without lists, or with old ones, the first attempt may find nothing
$as_root apt-get install -y --no-install-recommends $missing >&2 ||
    { $as_root apt-get update >&2 && $as_root apt-get install -y --no-install-recommends $missing >&2; }
