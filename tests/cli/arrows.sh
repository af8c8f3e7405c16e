#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Arrows between folders point one way: a file includes only folders below its own, and stages not each
# other. usage: arrows.sh SOURCE-DIRECTORY
cd "$1/src" || exit 1
stages='prepare archetype embed fuse train evaluate recommend export analyze report inspect bench experiment intake serve doctor'

may_include() { # may_include FOLDER: the folders whose headers its files may include
    case $1 in
    base) echo base ;;
    kernels) echo base kernels ;;
    tensor) echo base kernels tensor ;;
    workspace) echo base kernels tensor workspace ;;
    algebra) echo base kernels tensor workspace algebra ;;
    lm) echo base kernels tensor workspace lm ;;
    ranking) echo base kernels tensor workspace ranking ;;
    model) echo base kernels tensor workspace algebra ranking model ;;
    tune) echo base kernels tensor workspace lm ranking model tune ;;
    train) echo base kernels tensor workspace algebra lm ranking model tune train ;;
    archetype) echo base kernels tensor workspace lm archetype ;;
    cli) echo cli ;;
    analyze) echo base kernels tensor workspace algebra ranking model evaluate analyze ;; # looks at what others made, by their means
    report) echo base kernels tensor workspace ranking model evaluate analyze report ;; # tables and pictures of both
    intake) echo base kernels tensor workspace algebra lm ranking model prepare archetype intake ;; # new items go the whole way
    serve) echo base kernels tensor workspace algebra lm ranking model prepare archetype recommend intake serve ;; # answers what recommend knows
    bench) echo base kernels tensor workspace lm ranking model train bench ;; # measures what training runs
    experiment) echo base kernels tensor workspace lm ranking model train experiment ;; # runs many trainings
    *) echo base kernels tensor workspace algebra lm ranking model "$1" ;;
    esac
}

wrong=0
checked=0
for file in */*.c */*.h */*/*.c */*/*.h; do
    [ -e "$file" ] || continue
    folder=${file%%/*}
    allowed=" $(may_include "$folder") "
    while read -r header; do
        case $header in */*) target=${header%%/*} ;; *) continue ;; esac
        [ -d "$target" ] || continue # a library's
        checked=$((checked + 1))
        case $allowed in *" $target "*) continue ;; esac
        [ "$folder" = cli ] && [ "$header" = base/options.h ] && continue
        echo "src/$file includes \"$header\", which is not below $folder/"
        wrong=$((wrong + 1))
    done < <(sed -n 's/^#include "\(.*\)"$/\1/p' "$file")
done
for folder in */; do # a new folder must be given its place here
    case " base kernels tensor workspace algebra lm ranking model tune cli $stages " in
    *" ${folder%/} "*) ;;
    *) echo "src/$folder has no place in the order of folders"; wrong=$((wrong + 1)) ;;
    esac
done
echo "$checked includes between folders, $wrong wrong"
[ "$wrong" -eq 0 ] && [ "$checked" -gt 10 ]
