#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The wheel: built from the tree, installed into a directory of its own, used from there. usage: wheel.sh GENAIR-PROGRAM
# SOURCE-DIRECTORY SHOP-PROGRAM; PYTHON: which Python
. "$2/tests/cli/check.sh"
python=${PYTHON:-/usr/bin/python3}
"$python" -c 'import mesonpy, pip' 2>/dev/null || { echo "SKIP: $python lacks meson-python or pip"; exit 77; }
unset GENAIR_LIBRARY PYTHONPATH
"$third" shop 200 7
holds 'the wheel is built and installed' "$python" -m pip install --no-build-isolation --no-deps --no-index --target site "$source"
holds 'the library is in it' test -f site/genair/libgenair.so -a -f site/genair/py.typed
cat >use.py <<'P'
import genair
ws = genair.Workspace("ws")
ws.prepare("shop/interactions.tsv", "shop/items.jsonl")
ws.train("g1", method="base", backbone="sasrec", hidden=16, epochs=1)
assert len(ws.recommend(ws.open().items[:2], k=3)) == 3
P
nm -D --defined-only site/genair/libgenair.so | awk '$2 ~ /[TBDRVW]/ {print $3}' | sed 's/@.*//' | sort >exported.txt
holds 'it exports the public names and no others' diff exported.txt "$source/tests/cli/exported.txt"
holds 'it works from there' env PYTHONPATH=site "$python" use.py
finish
