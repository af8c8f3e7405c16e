# SPDX-License-Identifier: Apache-2.0
# Validation quality and training loss by epoch, of the runs base and genair; epoch, loss, NDCG@10 in
# DIRECTORY/RUN.tsv. usage: gnuplot -e "directory='ws'" curve.gp
set terminal pngcairo noenhanced size 960,420 font 'sans,11' background rgb 'white'
set output directory.'/training-curve.png'
set multiplot layout 1,2
set grid lc rgb '#dddddd' lt 1
set border 3 lc rgb '#555555'
set xtics nomirror
set ytics nomirror
set xlabel 'epoch'
set key bottom right noopaque
set style line 1 lc rgb '#8a8f98' lw 2.5
set style line 2 lc rgb '#c2410c' lw 2.5
set title 'validation NDCG@10, sampled protocol'
set yrange [0:*]
plot directory.'/base.tsv' using 1:3 with lines ls 1 title 'base', \
     directory.'/genair.tsv' using 1:3 with lines ls 2 title 'genair'
set title 'training loss'
set key top right
set yrange [*:*]
plot directory.'/base.tsv' using 1:2 with lines ls 1 title 'base', \
     directory.'/genair.tsv' using 1:2 with lines ls 2 title 'genair'
unset multiplot
