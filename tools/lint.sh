#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Static analysis of src: cppcheck, its findings without ground in lint.suppressions. Exit status 1 with any other.
# usage: lint.sh
set -u
cd "$(dirname "$0")/.." || exit 1
cppcheck --quiet --std=c11 --enable=warning,portability,performance --error-exitcode=1 \
    --suppressions-list=tools/lint.suppressions --template='{file}:{line}: {severity}: {message} [{id}]' \
    -Iinclude -Isrc src && echo "nothing found"
