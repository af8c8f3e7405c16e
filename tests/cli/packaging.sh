#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What runs the server for good: the unit is a unit and leaves little open, the example of a configuration is one, the
# container's file has what the program needs. usage: packaging.sh GENAIR-PROGRAM SOURCE-DIRECTORY BUILD-DIRECTORY
. "$2/tests/cli/check.sh"
packaging=$source/packaging
unit=$third/packaging/genair.service

# ---- the unit: with this build's program in the place of the installed one ----
if command -v systemd-analyze >/dev/null; then
    sed "s,^ExecStart=[^ ]*,ExecStart=$genair," "$unit" >genair.service
    holds 'systemd-analyze verify' systemd-analyze verify --man=no --recursive-errors=no ./genair.service
    holds 'and has nothing to say' test ! -s "$scratch/log"
    holds 'little is left open' systemd-analyze security --offline=yes --threshold=15 ./genair.service
else
    echo 'no systemd-analyze: the unit is not verified'
fi
holds 'the unit starts the installed program' grep -q '^ExecStart=/.*/genair serve --config /etc/genair/genair.conf$' "$unit"

# ---- the configuration: every line, commented or not, is an option that serve takes ----
sed -n 's/^# \([a-z-]* = .*\)/\1/p; /^[a-z]/p' "$packaging/genair.conf" >options.conf
holds 'options are there' test "$(wc -l <options.conf)" -ge 8
sed 's,^workspace = .*,workspace = nowhere,; /^token-file/d; /^listen = 0/d; /^access-log/d' options.conf >serve.conf
run 1 serve --config serve.conf
holds 'and understood: only the workspace is missing' grep -q nowhere err
while read -r line; do
    name=${line%% =*}
    holds "serve has $name" bash -c "'$genair' help serve | grep -q -- '--$name '"
done <options.conf

# ---- one version ----
version=$("$genair" --version | cut -d ' ' -f 2)
holds 'it is a semantic one' grep -qxE '(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}(-[0-9A-Za-z.-]+)?' <<<"$version"
holds 'that of meson.build' grep -qxF "  version: '$version'," "$source/meson.build"
holds 'the changelog begins with it' test "$(grep -m 1 '^## ' "$source/CHANGELOG.md" | cut -d ' ' -f 2)" = "[$version]"
holds 'the Debian package loads the library of its major version' \
    grep -qxF "libgenair.so.${version%%.*} libgenair${version%%.*} #MINVER#" "$packaging/debian/libgenair${version%%.*}.symbols"
holds 'and so does Python' grep -qF "\"libgenair.so.${version%%.*}\"" "$source/python/genair/_native.py"
for script in "$packaging"/*.sh "$packaging"/debian/genair.p*; do
    holds "$script is read" bash -n "$script"
done

# ---- the package's scripts: an upgrade ends no server for good, a removal does ----
if command -v dh_installsystemd >/dev/null; then
    mkdir -p package/debian/genair/lib/systemd/system
    cp "$packaging"/debian/rules "$packaging"/debian/genair.p* package/debian
    cp "$unit" package/debian/genair/lib/systemd/system
    sed '/@BUILD_DEPENDS@/d' "$packaging/debian/control.in" >package/debian/control
    printf 'genair (%s) unstable; urgency=medium\n\n  * None.\n\n -- A <a@b.example>  Thu, 01 Jan 1970 00:00:00 +0000\n' "$version" \
        >package/debian/changelog
    holds 'debhelper makes them' bash -c 'cd package && make -f debian/rules override_dh_installsystemd && dh_installdeb -p genair'
    scripts=package/debian/genair/DEBIAN
    holds 'started again behind an upgrade, where it ran' grep -q 'deb-systemd-invoke try-restart .*genair.service' $scripts/postinst
    holds 'and not for the first time' bash -c "! grep -qE 'deb-systemd-invoke (start|restart) ' $scripts/postinst"
    holds 'nor ended before it' test ! -e $scripts/preinst
    sed 's,/run/systemd/system,/,' $scripts/prerm >prerm
    printf '#!/bin/sh\necho "$@" >>stopped\n' >deb-systemd-invoke
    chmod +x deb-systemd-invoke
    : >stopped
    holds 'an upgrade runs its script' env PATH="$scratch:$PATH" DPKG_ROOT= sh prerm upgrade 9
    holds 'which ends nothing' test ! -s stopped
    holds 'a removal runs it' env PATH="$scratch:$PATH" DPKG_ROOT= sh prerm remove
    holds 'and it ends the server' grep -qx 'stop genair.service' stopped
else
    echo 'no debhelper: the scripts of the Debian package are not made'
fi

# ---- the container ----
grep -o 'lib[a-z0-9.-]*\|zlib1g' <(sed -n '/apt-get install/,/rm -rf/p' "$packaging/Containerfile") | sort -u >packages
if command -v dpkg-query >/dev/null; then
    for library in $(ldd "$genair" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p'); do
        package=$(dpkg-query -S "$(realpath "$library")" 2>/dev/null | sed -n '1s/:.*//p')
        case $package in
        libgomp* | libjansson* | liblapacke | libmicrohttpd* | libopenblas* | libpcre2* | libpq* | libsqlite* | libutf8proc* | libxxhash* | zlib*)
            holds "the container has $package" grep -qx "$package" packages ;;
        esac
    done
fi
# ---- the bill of materials ----
if command -v dpkg-query >/dev/null; then
    holds 'it is made' bash -c '"$0/sbom.py" "$1" >bill.json' "$packaging" "$genair"
    holds 'and the same again' bash -c '"$0/sbom.py" "$1" | cmp - bill.json' "$packaging" "$genair"
    cat >look.py <<'P'
import json, subprocess, sys
bill = json.load(open("bill.json"))
refs = [c["bom-ref"] for c in bill["components"]]
assert len(refs) == len(set(refs)), "a component is listed twice"
[itself, *others] = bill["dependencies"]
assert set(itself["dependsOn"]) == {o["ref"] for o in others} <= set(refs), "a reference to nothing"
required = {c["name"] for c in bill["components"] if c["scope"] == "required"}
assert required >= {"libc6", "libopenblas0-pthread", "libsqlite3-0", "zlib1g"}, required
assert ("libgomp1" in required) == ("libfaiss-dev" in required), required
assert bill["metadata"]["component"]["version"] == sys.argv[1]
try:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
except ImportError:
    print("no cyclonedx-python-lib: not compared with the schema")
else:
    wrong = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open("bill.json").read())
    assert wrong is None, wrong
P
    holds 'it lists what the program loads' python3 look.py "$version"
    holds 'of what is no program there is none' bash -c '! "$0/sbom.py" nowhere 2>err && [ "$(wc -l <err)" -eq 1 ]' "$packaging"
fi
if command -v hadolint >/dev/null; then
    holds 'hadolint' hadolint "$packaging/Containerfile"
else
    echo 'no hadolint: the container file is not linted'
fi
finish
