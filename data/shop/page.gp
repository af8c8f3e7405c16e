# SPDX-License-Identifier: Apache-2.0
# The demo in three panels: the map of the item vectors, validation quality by epoch, test metrics of each run. In
# DIRECTORY: map.tsv (x, y, 0 prompt or 1 answer), base.tsv and genair.tsv (epoch, NDCG@10), metrics.tsv (metric, value
# of pop, base, genair). usage: gnuplot -e "directory='ws'" page.gp
set terminal pngcairo noenhanced size 1440,480 font 'sans,11' background rgb 'white'
set output directory.'/page.png'
set multiplot layout 1,3
set style line 1 lc rgb '#8a8f98' lw 2.5
set style line 2 lc rgb '#c2410c' lw 2.5
set style line 3 lc rgb '#c9cdd4' lw 2.5
set key noopaque
set border 15 lc rgb '#555555'
unset tics
set title 'vectors of prompts and answers (t-SNE)'
set size ratio -1
set key outside bottom center horizontal
plot directory.'/map.tsv' using ($3 == 0 ? $1 : NaN):2 with points pt 7 ps 0.3 lc rgb '#2563a8' title 'prompt', \
     '' using ($3 == 1 ? $1 : NaN):2 with points pt 7 ps 0.3 lc rgb '#c2410c' title 'answer'
set size noratio
set key inside
set border 3
set grid lc rgb '#dddddd' lt 1
set tics nomirror
set title 'validation NDCG@10, sampled protocol'
set xlabel 'epoch'
set yrange [0:*]
set key bottom right
plot directory.'/base.tsv' using 1:2 with lines ls 1 title 'base', \
     directory.'/genair.tsv' using 1:2 with lines ls 2 title 'genair'
set title 'test, sampled protocol'
set xlabel
set grid noxtics
set xtics scale 0
set key outside bottom center horizontal
set style data histograms
set style fill solid
set boxwidth 0.9
plot directory.'/metrics.tsv' using 2:xtic(1) ls 3 title 'pop', '' using 3 ls 1 title 'base', \
     '' using 4 ls 2 title 'genair'
unset multiplot
