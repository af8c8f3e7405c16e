/* SPDX-License-Identifier: Apache-2.0 */
/* This module asks the operating system what this process may use. Linux; elsewhere values are absent. */
#ifndef GENAIR_DOCTOR_MACHINE_H
#define GENAIR_DOCTOR_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

struct machine {
    char processor[128];    /* "" when unknown */
    long processors;        /* online */
    long allowed;           /* of these, what affinity (taskset, a batch system) allows */
    double quota;           /* processors that the control group's quota amounts to; 0: no limit */
    double memory_mb;       /* of the machine, MiB; 0: unknown */
    double available_mb;    /* without swapping */
    double memory_limit_mb; /* of the control group; 0: no limit */
    double address_limit_mb; /* ulimit -v; 0: no limit */
    long open_files;        /* ulimit -n; 0: no limit */
};

void machine_ask(struct machine *m);

/* Full path of a program on PATH; false when there is none. */
bool machine_find_program(const char *name, char *out, size_t size);
/* MiB free to this user where `path` is; negative when it cannot be told. */
double machine_free_mb(const char *path);

#endif
