/* SPDX-License-Identifier: Apache-2.0 */
/* This module says which of the processes of one job this one is. */
#ifndef GENAIR_BASE_RANKS_H
#define GENAIR_BASE_RANKS_H

#include "base/options.h"

struct ranks {
    int rank, n; /* from 0, below n; 0 of 1: alone */
};

/* From --rank and --ranks; else from what the program that started the job tells its processes: mpirun (Open MPI; MPICH's
 * kin) or srun (Slurm); else alone. GENAIR_USAGE when one of the options is missing or they contradict each other. */
CHECKED genair_code ranks_of(const genair_options *o, struct ranks *out, genair_status *st);
/* The same without the options. */
struct ranks ranks_of_job(void);

#endif
