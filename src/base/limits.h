/* SPDX-License-Identifier: Apache-2.0 */
/* This module says what of the machine this process may use: by affinity, and by the control groups (versions 1 and 2, Linux) that it is
 * in. A group's limit holds for those below it, so the least counts. */
#ifndef GENAIR_BASE_LIMITS_H
#define GENAIR_BASE_LIMITS_H

/* Where the kernel tells: /proc/self/cgroup and /sys/fs/cgroup where NULL is given for all of it. */
struct control_groups {
    const char *own, *root;
};

/* Processors that the quota of time amounts to, 1.5 say; 0: no limit. */
double limit_processors(const struct control_groups *g);
/* MiB; 0: no limit. */
double limit_memory(const struct control_groups *g);
/* Processors that affinity allows (taskset, mpirun, a batch system), at least 1. */
long limit_allowed(void);
/* Threads that can run at the same time: the lesser of both, at least 1. More would wait for each other. */
long limit_threads(void);

#endif
