#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Peak memory of training: parameters with gradient and Adam state, a batch, the mapped workspace; not the
# length of the log and not the number of epochs. usage: memory.sh GENAIR SOURCE-DIRECTORY GENERATE-LOG
. "$(dirname "$0")/check.sh"
needs_jq

"$third" 200000 1 >log.tsv
run 0 prepare -w ws --interactions log.tsv --user-core 3 --item-core 1 --json --quiet
train() { # train NAME OPTIONS...: sets peak, in MiB
    local name=$1
    shift
    run 0 train -w ws --method base --max-len 50 --json --quiet --run "$name" "$@"
    peak=$(jq '.peak_rss_mb' out)
}

train one --epochs 1
one=$peak
# a batch keeps some 60 arrays of the states of its 4,096 positions
limit=$(jq --argjson data "$(du -sb --exclude=runs ws | cut -f 1)" \
    '(16 * .trainable_parameters + $data + 60 * 4 * 128 * 4096) / 1048576 + 40' out)
holds "one epoch: $one MiB, at most $limit" jq -ne "$one < $limit"
train three --epochs 3
holds "three epochs: $peak MiB, one: $one" jq -ne "$peak < $one * 1.05"
train ce --epochs 1 --loss ce
holds "full softmax: $peak MiB, at most 72 more than $one" jq -ne "$peak < $one + 72"

finish
