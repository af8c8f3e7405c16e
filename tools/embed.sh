#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes files as a C array: what a page needs becomes part of the program. usage: embed.sh FILE... >OUT.c
set -eu
printf '#include "serve/page_files.h"\n'
n=0
for file; do
    printf 'static const unsigned char file_%d[] = {\n' "$n"
    od -An -v -tu1 "$file" | sed 's/ \{1,\}/,/g; s/^,//; s/$/,/'
    printf '};\n'
    n=$((n + 1))
done
printf 'const struct page_file page_files[] = {\n'
n=0
for file; do
    case $file in
    *.html) path=/ type='text/html; charset=utf-8' ;;
    *.css) path=/${file##*/} type='text/css; charset=utf-8' ;;
    *.js) path=/${file##*/} type='text/javascript; charset=utf-8' ;;
    *.json) path=/${file##*/} type=application/json ;;
    *.svg) path=/${file##*/} type=image/svg+xml ;;
    *) echo "$file: what kind of file is it?" >&2; exit 1 ;;
    esac
    printf '{"%s", "%s", file_%d, sizeof file_%d},\n' "$path" "$type" "$n" "$n"
    n=$((n + 1))
done
printf '};\nconst size_t n_page_files = %d;\n' "$n"
