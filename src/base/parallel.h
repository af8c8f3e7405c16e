/* SPDX-License-Identifier: Apache-2.0 */
/* This module runs a fixed set of tasks on a fixed set of threads. */
#ifndef GENAIR_BASE_PARALLEL_H
#define GENAIR_BASE_PARALLEL_H

#include "base/status.h"

#include <stddef.h>

struct parallel;

/* n_threads >= 1, the caller's thread included. */
CHECKED genair_code parallel_create(int n_threads, struct parallel **out, genair_status *st);
/* In a forked process too, which can do nothing else with one of several threads. */
void parallel_free(struct parallel *p);
int parallel_threads(const struct parallel *p);

/* Calls task(context, i, worker) for every i < n_tasks and returns when all are done. worker is below
 * parallel_threads(p), for scratch memory. Which worker gets which i is not fixed, so what a task
 * computes may depend on i alone. Not from inside a task; one caller at a time. */
typedef void parallel_task(void *context, size_t i, int worker);
void parallel_run(struct parallel *p, size_t n_tasks, parallel_task *task, void *context);

#endif
