/* SPDX-License-Identifier: Apache-2.0 */
/* This module measures what the machine's matrix product reaches: the peak that speeds are compared
 * with. */
#ifndef GENAIR_BENCH_PEAK_H
#define GENAIR_BENCH_PEAK_H

#include "base/parallel.h"

/* GFLOP/s of float32 products of 2048 x 2048 matrices, one for each thread at the same time; the
 * best of a few rounds. About two seconds and 32 MiB + 16 MiB a thread. 0 with a failure when
 * memory is out. */
double bench_sgemm_peak(struct parallel *parallel, genair_status *st);

#endif
