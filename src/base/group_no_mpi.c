/* SPDX-License-Identifier: Apache-2.0 */
/* Without MPI there is no group but that of one. */
#include "base/group.h"

#include "base/ranks.h"

#include <stdint.h>

genair_code group_open(struct group **out, genair_status *st) {
    const struct ranks ranks = ranks_of_job();
    *out = NULL;
    if (ranks.n == 1) return GENAIR_OK;
    return fail(st, GENAIR_USAGE,
                "started as %d processes, but this program was built without MPI: install libopenmpi-dev and build it again "
                "(-Dmpi=enabled), or start one process", ranks.n);
}

void group_close(struct group *g, bool sound) {
    (void)g;
    (void)sound;
}

size_t group_rank(const struct group *g) {
    (void)g;
    return 0;
}

size_t group_size(const struct group *g) {
    (void)g;
    return 1;
}

struct shard group_shard(const struct group *g) {
    (void)g;
    return (struct shard){0, 1};
}

genair_code group_gather(struct group *g, float *data, const size_t *start, genair_status *st) {
    (void)g;
    (void)data;
    (void)start;
    (void)st;
    return GENAIR_OK;
}

genair_code group_collect(struct group *g, float *data, const size_t *start, genair_status *st) {
    return group_gather(g, data, start, st);
}

genair_code group_exchange(struct group *g, const float *data, const size_t *start, float *const *others,
                           genair_status *st) {
    (void)others;
    return group_gather(g, (float *)(uintptr_t)data, start, st);
}

genair_code group_sum(struct group *g, double *values, size_t n, genair_status *st) {
    (void)g;
    (void)values;
    (void)n;
    (void)st;
    return GENAIR_OK;
}

genair_code group_count(struct group *g, uint32_t *values, size_t n, genair_status *st) {
    (void)g;
    (void)values;
    (void)n;
    (void)st;
    return GENAIR_OK;
}

genair_code group_share(struct group *g, void *bytes, size_t n, genair_status *st) {
    (void)g;
    (void)bytes;
    (void)n;
    (void)st;
    return GENAIR_OK;
}
