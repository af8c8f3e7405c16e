#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Everything that can be wrong on a command line or in a configuration file: message and exit status.
. "$2/tests/cli/check.sh"

# what there is
expect 2 err 'Usage: genair COMMAND [options]'
expect 0 out 'Usage: genair COMMAND [options]' help
expect 0 out 'Usage: genair COMMAND [options]' --help
expect 0 out 'Usage: genair train [options]' help train
expect 0 out 'Usage: genair bench train|eval|lm|topk [options]' help bench
expect 0 out 'Usage: genair train [options]' train -h
expect 0 out 'Usage: genair train [options]' train --hidden 64 --help
for command in prepare archetype embed fuse train evaluate compare recommend similar sweep reproduce export analyze report inspect bench serve doctor; do
    expect 0 out 'Example:' help $command
    holds "the example of $command names it" grep -q "^  genair $command " "$scratch/out"
done

# commands and names
expect 2 err "genair: no command 'trian'; did you mean 'train'?" trian
expect 2 err "genair: no command 'trian'; did you mean 'train'?" help trian
expect 2 err "genair: no command 'xyzzy'; 'genair help' lists them" xyzzy
expect 2 err "genair: no command ''; 'genair help' lists them" ''
expect 2 err "genair: 'prepare' has no option --interaction; did you mean --interactions?" prepare --interaction f
expect 2 err "genair: 'prepare' has no option --user_core; did you mean --user-core?" prepare --user_core=3
expect 2 err "genair: 'fuse' has no option --hidden; it belongs to: train sweep reproduce bench ('genair help fuse' lists its options)" fuse --hidden 3
expect 2 err "genair: 'fuse' has no option --zzzzzz; 'genair help fuse' lists its options" fuse --zzzzzz
expect 2 err "genair: 'fuse' has no option -x; 'genair help fuse' lists its options" fuse -x
expect 2 err "genair: 'stray' belongs to no option; 'fuse' takes only options ('genair help fuse')" fuse stray
expect 2 err "genair: 'b' is one word too many; 'inspect' takes one FILE|DIR" inspect a b
expect 2 err "genair: '-qv': -q takes no value; give letters one by one" fuse -qv

# values
expect 2 err "genair: --hidden needs a value: an integer from 1 to 8192" train --hidden
expect 2 err "genair: --hidden needs a value: an integer from 1 to 8192" train --hidden --json
expect 2 err "genair: --items needs a value: text in UTF-8, not empty" prepare --items --json
expect 2 err "genair: --hidden is '0': allowed is an integer from 1 to 8192" train --hidden 0
expect 2 err "genair: --hidden is '-1': allowed is an integer from 1 to 8192" train --hidden -1
expect 2 err "genair: --hidden is '1e3': allowed is an integer from 1 to 8192" train --hidden=1e3
expect 2 err "genair: --hidden is '': allowed is an integer from 1 to 8192" train --hidden=
expect 2 err "genair: --dropout is '1.5': allowed is a number from 0 to 0.99" train --dropout 1.5
expect 2 err "genair: --alpha is 'NaN': allowed is a number from 0 to 1000" train --alpha NaN
expect 2 err "genair: --gamma is '-1': allowed is a number from 0 to 100" train --gamma -1
expect 2 err "genair: --loss is 'hinge': allowed is one of bce|bpr|ce|sampled-softmax|gbce" train --loss hinge
expect 2 err "genair: --seq2seq is 'maybe': allowed is yes or no" train --seq2seq=maybe
expect 2 err "genair: --run is '../../etc': allowed is letters, digits and . _ - (none of . - in front, no .partial or .training at the end), at most 64" train --run ../../etc
expect 2 err "genair: --threads is '2000': allowed is an integer from 0 to 1024" fuse --threads 2000
expect 2 err "genair: --k is '0': allowed is an integer from 1 to 1000000" recommend -k 0
expect 2 err "genair: --k is '0': allowed is an integer from 1 to 1000000" recommend -k0
expect 2 err "genair: --what is 'lmm': allowed is one of train|eval|lm|topk" bench lmm
expect 2 err "genair: --workspace is '': allowed is text in UTF-8, not empty" fuse -w ''

# configuration files
printf '# a comment\n\n  dropout =  0.25\nhidden=0\n' >bad_value.conf
expect 2 err "genair: bad_value.conf:4: --hidden is '0': allowed is an integer from 1 to 8192" train --config bad_value.conf
printf 'hidden 64\n' >no_equals.conf
expect 2 err "genair: no_equals.conf:1: 'hidden 64' is not of the form: name = value" train --config no_equals.conf
printf 'hiden = 64\n' >unknown.conf
expect 2 err "genair: unknown.conf:1: 'train' has no option --hiden; did you mean --hidden?" train --config unknown.conf
printf '\357\273\277hidden = 0\n' >marked.conf # a byte order mark is none of the name
expect 2 err "genair: marked.conf:1: --hidden is '0': allowed is an integer from 1 to 8192" train --config marked.conf
printf 'config = other.conf\n' >nested.conf
expect 2 err "genair: nested.conf:1: 'config' belongs on the command line" train --config nested.conf
printf 'seed = 1\0\n' >binary.conf
expect 2 err "genair: binary.conf:1: a zero byte: this is not a text file" train --config binary.conf
expect 1 err "genair: missing.conf: cannot open: No such file or directory" train --config missing.conf
mkdir directory.conf
expect 1 err "genair: directory.conf: cannot read: Is a directory" train --config directory.conf
# the command line wins, so the bad value of the file is not looked at; other commands' options are passed over
printf 'hidden = 0\nuser-core = 3\n' >overridden.conf
expect 2 err "genair: --heads is '0': allowed is an integer from 1 to 256" train --config overridden.conf --hidden 64 --heads 0

# standard output that cannot be written
if [ -e /dev/full ]; then
    "$genair" help >/dev/full 2>"$scratch/err"
    holds 'a full disk is exit status 1' test $? -eq 1
    holds 'and is named' grep -qx 'genair: cannot write to standard output: No space left on device' "$scratch/err"
fi

# a limit on address space in which the threads of the BLAS have no room (sanitizers and emulators want terabytes)
if [ -z "${GENAIR_EMULATOR:-}" ] && ! grep -q "__[at]san_init" "$genair"; then
    (ulimit -v 200000; timeout 60 "$genair" version >limited)
    holds 'little address space is no reason not to end' test $? -eq 0 -a -s limited
fi

# what is generated from the same table
"$genair" help --bash >completion.bash
holds 'the completion is valid bash' bash -n completion.bash
complete_words() { # complete_words WORD...: what the completion offers for the last word
    bash -c '. ./completion.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _genair; printf "%s\n" "${COMPREPLY[@]}"' _ "$@"
}
holds 'completes commands' test "$(complete_words genair comp)" = compare
holds 'completes options' test "$(complete_words genair train --backb)" = --backbone
holds 'completes choices' test "$(complete_words genair train --backbone s)" = sasrec
holds 'completes choices behind =' test "$(complete_words genair train --method = ge)" = genair
holds 'completes choices of the command' test "$(complete_words genair export --protocol '' | tr '\n' ' ')" = 'sampled full '
holds 'completes no number' test -z "$(complete_words genair train --parts '')"
holds 'completes what stands without an option' test "$(complete_words genair reproduce fig4) $(complete_words genair bench lm) $(complete_words genair help tra)" = 'fig4 lm train'
holds 'completes the options without a command' test "$(complete_words genair --v)" = --version
mkdir -p names && touch 'names/my clicks.tsv' 'names/*.txt' names/b.txt
holds 'completes file names as they are' test "$(complete_words genair prepare --interactions names/ | sort)" = "$(printf '%s\n' names/* | sort)"
"$genair" help --markdown >cli.md
holds 'docs/cli.md is what the table says (genair help --markdown > docs/cli.md)' diff cli.md "$source/docs/cli.md"
"$genair" help --man >genair.1
if command -v groff >/dev/null; then
    holds 'the manual page has no groff warnings' test -z "$(groff -man -ww -Tutf8 genair.1 2>&1 >/dev/null)"
fi
finish
