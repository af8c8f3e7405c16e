#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes one object of a static library in which only the public names can be seen, so that our short internal
# ones cannot meet a user's. usage: localize.sh INPUT.a OUTPUT.a
set -eu
object=$2.o
ld -r -o "$object" --whole-archive "$1"
objcopy --localize-hidden "$object"
rm -f "$2"
ar crs "$2" "$object"
rm -f "$object"
