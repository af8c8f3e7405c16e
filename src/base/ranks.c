/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ranks.h"

#include "base/size.h"
#include "base/text.h"

#include <stdlib.h>

enum { MOST = 65536 };

/* A job's allocation may have a number of tasks outside of any step: only that of a step says that srun started us. */
static const struct {
    const char *rank, *n;
} variables[] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                 {"PMI_RANK", "PMI_SIZE"},
                 {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"}};

static bool number_of(const char *variable, int64_t *out) {
    const char *text = getenv(variable);
    return text && text_i64(text_of(text), out);
}

struct ranks ranks_of_job(void) {
    for (size_t i = 0; i < COUNT(variables); i++) {
        int64_t rank, n;
        if (number_of(variables[i].rank, &rank) && number_of(variables[i].n, &n) && n >= 1 && n <= MOST && rank >= 0 &&
            rank < n)
            return (struct ranks){(int)rank, (int)n};
    }
    return (struct ranks){0, 1};
}

genair_code ranks_of(const genair_options *o, struct ranks *out, genair_status *st) {
    *out = ranks_of_job();
    if (option_given(o, "rank") != option_given(o, "ranks"))
        return fail(st, GENAIR_USAGE, "--rank and --ranks belong together: which process this is, from 0, and how many there are");
    if (!option_given(o, "rank")) return GENAIR_OK;
    *out = (struct ranks){(int)option_int(o, "rank"), (int)option_int(o, "ranks")};
    if (out->rank < out->n) return GENAIR_OK;
    return fail(st, GENAIR_USAGE, "--rank %d of --ranks %d: ranks count from 0", out->rank, out->n);
}
