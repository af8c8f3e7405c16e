#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes one object of a static library in which only the public names can be seen, so that our short internal
# ones cannot meet a user's. What C++ puts into groups, of which a linker keeps any one, becomes ours alone.
# usage: localize.sh INPUT.a OUTPUT.a LD OBJCOPY AR
set -eu
object=$2.o
"$3" -r --force-group-allocation -o "$object" --whole-archive "$1"
"$4" --localize-hidden "$object"
rm -f "$2"
"$5" crsD "$2" "$object"
rm -f "$object"
