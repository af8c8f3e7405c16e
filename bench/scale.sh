#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench/scale.sh BUILD DIRECTORY USERS ITEMS INTERACTIONS: makes up a shop of this size and takes it through every stage.
# A line for each: seconds, processor seconds, peak resident MB of the program, MB it wrote into the workspace.
# THREADS, HELD_OUT (the share of users who are tested) and MODEL may be given in the environment.
set -euo pipefail
build=$1 dir=$2 users=$3 items=$4 interactions=$5
genair=$build/genair
threads=${THREADS:-0} held_out=${HELD_OUT:-0.02}
model=${MODEL:-$(dirname "$0")/../data/model/archetype-tiny.gguf}
ws=$dir/ws
mkdir -p "$dir"
export TIMEFORMAT='%R %U %S'

written() { if [ -d "$ws" ]; then du -sm "$ws" | cut -f 1; else echo 0; fi; }

stage() { # NAME COMMAND [options]
    local name=$1 before after times peak
    shift
    before=$(written)
    { time "$genair" "$@" -q --json --threads "$threads" -w "$ws" >"$dir/$name.json" 2>"$dir/$name.err"; } 2>"$dir/$name.time" ||
        { cat "$dir/$name.err" >&2; exit 1; }
    times=$(tail -n 1 "$dir/$name.time")
    after=$(written)
    peak=$(grep -o '"peak_rss_mb": *[0-9.]*' "$dir/$name.json" | tail -n 1 | grep -o '[0-9.]*$')
    awk -v name="$name" -v peak="$peak" -v mb=$((after - before)) \
        '{ printf "| %s | %.0f | %.0f | %.0f | %d |\n", name, $1, $2 + $3, peak, mb }' <<<"$times"
}

[ -s "$dir/items.jsonl" ] ||
    "$build/bench/generate_log" "$interactions" 1 "$users" "$items" "$dir/items.jsonl" >"$dir/clicks.tsv"
user=$(sed -n 2p "$dir/clicks.tsv" | cut -f 1)
item=$(sed -n 2p "$dir/clicks.tsv" | cut -f 2)
echo "| stage | s | processor s | peak RSS MB | MB written |"
echo "|---|---|---|---|---|"
stage prepare prepare --interactions "$dir/clicks.tsv" --items "$dir/items.jsonl" --user-core 1 --item-core 1 --held-out-users "$held_out"
stage archetype archetype --model "$model" --max-new-tokens 16
stage fuse fuse --components 64
stage train-base train --method base --run base --epochs 1 --max-len 50
stage train-genair train --method genair --run genair --epochs 1 --max-len 50
stage evaluate evaluate --run base --run genair --groups
stage compare compare --run base --run genair
stage recommend recommend --run genair --user "$user" -k 10
stage similar similar --run genair --item "$item" -k 10
stage ranks export --run genair --what ranks --protocol sampled --out "$dir/ranks.tsv"
stage items export --run genair --what items --out "$dir/items.npy"
stage analyze analyze --run base --run genair
stage report report
