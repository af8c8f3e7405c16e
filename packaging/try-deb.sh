#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the packages in a fresh minimal Debian 12 below a directory of its own, does a small job there, upgrades, removes
# and purges, and looks at what stays. Needs root, mmdebstrap and a mirror. usage: try-deb.sh DIRECTORY-OF-DEBS
set -eu
debs=$(cd "$1" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
root=$scratch/root
checked=0

holds() { # holds WHAT COMMAND...
    local what=$1
    shift
    "$@" >"$scratch/log" 2>&1 || {
        printf 'FAILED: %s\n' "$what" >&2
        tail -n 30 "$scratch/log" >&2
        exit 1
    }
    checked=$((checked + 1))
}
inside() { # with a /proc that goes with the command
    unshare --mount --pid --fork --mount-proc="$root/proc" chroot "$root" env LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}
install() { # install DIRECTORY: the packages there, not those of symbols for debuggers
    rm -rf "$root/debs"
    mkdir "$root/debs"
    find "$1" -name '*.deb' ! -name '*-dbgsym_*' -exec cp {} "$root/debs" \;
    inside sh -c 'apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold /debs/*.deb'
}

holds 'a fresh system' mmdebstrap --variant=apt --include=gcc,libc6-dev,pkg-config --skip=cleanup/apt/lists bookworm "$root"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
holds 'installs' install "$debs"
version=$(dpkg-deb -f "$debs"/genair_*.deb Version)
holds 'the program runs' test "$(inside genair --version)" = "genair $version"
holds 'the user of the service is there' inside getent passwd genair
holds 'others cannot read its configuration' test "$(inside stat -c '%a %U %G' /etc/genair/genair.conf)" = '640 root genair'
holds 'the service is not enabled' test -z "$(find "$root/etc/systemd" -name 'genair.service')"
holds 'the manual page' test -s "$root/usr/share/man/man1/genair.1.gz"

# ---- a small job, where the service would look for it ----
mkdir -p "$root/var/lib/genair/ws"
awk 'BEGIN { print "user_id\titem_id\ttimestamp"
    for (u = 0; u < 60; u++) for (t = 0; t < 8; t++) printf "u%d\ti%d\t%d\n", u, (u + 7 * t + t * t) % 40, 1000 + t }' \
    >"$root/var/lib/genair/clicks.tsv"
recommend() { inside genair recommend -q --json -w /var/lib/genair/ws --run b1 --history i1 i2 -k 5 --threads 1 | tr ',' '\n' | grep -v '"\(seconds\|peak_rss_mb\)"'; }
holds 'prepare' inside genair prepare -q -w /var/lib/genair/ws --interactions /var/lib/genair/clicks.tsv
holds 'train' inside genair train -q -w /var/lib/genair/ws --method base --hidden 16 --epochs 2 --run b1
recommend >"$scratch/recommended"
holds 'recommends' grep -q '"i[0-9]*"' "$scratch/recommended"
holds 'from Python' inside python3 -c "
import genair
assert genair.__version__ == '$version'
assert len(genair.Workspace('/var/lib/genair/ws').recommend(['i1', 'i2'], k=5, run='b1')) == 5"
holds 'from C' inside sh -c 'cc /usr/share/doc/libgenair-dev/examples/recommend.c $(pkg-config --cflags --libs genair) -o /tmp/outside &&
    /tmp/outside /var/lib/genair/ws b1 i1'

# ---- a newer version keeps data and what was configured ----
echo '# ours' >>"$root/etc/genair/genair.conf"
(cd "$root/var/lib/genair" && find . -type f ! -name '*.lock' -exec sha256sum {} + | sort -k 2) >"$scratch/data"
mkdir "$scratch/newer"
for deb in "$debs"/*.deb; do
    case $deb in *-dbgsym_*) continue ;; esac
    rm -rf "$scratch/package"
    dpkg-deb -R "$deb" "$scratch/package"
    sed -i "s/$version\b/$version+newer/" "$scratch/package/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$scratch/package" "$scratch/newer/$(basename "$deb")" >/dev/null
done
same_data() { (cd "$root/var/lib/genair" && find . -type f ! -name '*.lock' -exec sha256sum {} + | sort -k 2) | cmp - "$scratch/data"; }
holds 'a newer version installs' install "$scratch/newer"
holds 'it is the newer one' test "$(inside dpkg-query -W -f '${Version}' genair)" = "$version+newer"
holds 'the data are as they were' same_data
holds 'and so is the configuration' grep -qx '# ours' "$root/etc/genair/genair.conf"
holds 'which others still cannot read' test "$(inside stat -c '%a %U %G' /etc/genair/genair.conf)" = '640 root genair'

# ---- gone, but for the data ----
mkdir -p "$root/var/log/genair"
touch "$root/var/log/genair/access.jsonl"
holds 'removed' inside apt-get remove -y genair libgenair0 libgenair-dev python3-genair
holds 'the configuration stays' grep -qx '# ours' "$root/etc/genair/genair.conf"
holds 'purged' inside dpkg --purge genair libgenair0 libgenair-dev python3-genair
holds 'the configuration is gone' test ! -e "$root/etc/genair/genair.conf"
holds 'the logs are gone' test ! -e "$root/var/log/genair"
holds 'the data are as they were' same_data
holds 'nothing else is left' test -z "$(find "$root" -xdev -path "$root/proc" -prune -o -path "$root/var/lib/genair" -prune -o \
    -path "$root/debs" -prune -o -path "$root/tmp" -prune -o -name '*genair*' -print)"
holds 'installs again' install "$debs"
recommend >"$scratch/again"
holds 'and recommends the same' cmp "$scratch/recommended" "$scratch/again"
echo "$checked checks passed in a fresh Debian"
