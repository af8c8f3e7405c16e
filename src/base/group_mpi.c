/* SPDX-License-Identifier: Apache-2.0 */
/* MPI's own sums of fractions are not used: their order is the library's choice. Its errors end the job. */
#include "base/group.h"

#include "base/alloc.h"
#include "base/ranks.h"

#include <limits.h>
#include <mpi.h>
#include <string.h>

struct group {
    int rank, size;
    int *count, *first;     /* [size] of what is sent */
    MPI_Request *requests;  /* [2 size] */
    double *sums;           /* [size, GROUP_SUMS] */
};

static genair_code start_mpi(genair_status *st) {
    int begun, ended, threads;
    MPI_Initialized(&begun);
    MPI_Finalized(&ended);
    if (ended) return fail(st, GENAIR_USAGE, "this process has left its job: a process trains with others once");
    if (!begun) MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &threads);
    return GENAIR_OK;
}

static void group_free(struct group *g) {
    if (!g) return;
    mem_free(g->count);
    mem_free(g->first);
    mem_free(g->requests);
    mem_free(g->sums);
    mem_free(g);
}

genair_code group_open(struct group **out, genair_status *st) {
    *out = NULL;
    if (ranks_of_job().n == 1) return GENAIR_OK;
    genair_code code = start_mpi(st);
    if (code != GENAIR_OK) return code;
    struct group *g = mem_zeros(1, sizeof *g);
    if (!g) return fail_memory(st);
    MPI_Comm_rank(MPI_COMM_WORLD, &g->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &g->size);
    const size_t n = (size_t)g->size;
    g->count = mem_array(n, sizeof *g->count);
    g->first = mem_array(n, sizeof *g->first);
    g->requests = mem_array(2 * n, sizeof *g->requests);
    g->sums = mem_array(n * GROUP_SUMS, sizeof *g->sums);
    if (!g->count || !g->first || !g->requests || !g->sums) {
        group_free(g);
        return fail_memory(st);
    }
    *out = g;
    return GENAIR_OK;
}

void group_close(struct group *g, bool sound) {
    if (g && sound) MPI_Finalize();
    group_free(g);
}

size_t group_rank(const struct group *g) {
    return g ? (size_t)g->rank : 0;
}

size_t group_size(const struct group *g) {
    return g ? (size_t)g->size : 1;
}

struct shard group_shard(const struct group *g) {
    return (struct shard){group_rank(g), group_size(g)};
}

static genair_code check_size(size_t n, genair_status *st) {
    if (n <= INT_MAX) return GENAIR_OK;
    return fail(st, GENAIR_USAGE, "%zu numbers to send at once: MPI counts up to %d", n, INT_MAX);
}

static genair_code set_places(struct group *g, const size_t *start, genair_status *st) {
    const genair_code code = check_size(start[g->size], st);
    for (int r = 0; code == GENAIR_OK && r < g->size; r++) {
        g->first[r] = (int)start[r];
        g->count[r] = (int)(start[r + 1] - start[r]);
    }
    return code;
}

genair_code group_gather(struct group *g, float *data, const size_t *start, genair_status *st) {
    const genair_code code = g ? set_places(g, start, st) : GENAIR_OK;
    if (!g || code != GENAIR_OK) return code;
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, g->count, g->first, MPI_FLOAT, MPI_COMM_WORLD);
    return GENAIR_OK;
}

genair_code group_collect(struct group *g, float *data, const size_t *start, genair_status *st) {
    const genair_code code = g ? set_places(g, start, st) : GENAIR_OK;
    if (!g || code != GENAIR_OK) return code;
    if (g->rank == 0)
        MPI_Gatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, g->count, g->first, MPI_FLOAT, 0, MPI_COMM_WORLD);
    else
        MPI_Gatherv(data + start[g->rank], g->count[g->rank], MPI_FLOAT, NULL, NULL, NULL, MPI_FLOAT, 0, MPI_COMM_WORLD);
    return GENAIR_OK;
}

genair_code group_exchange(struct group *g, const float *data, const size_t *start, float *const *others,
                           genair_status *st) {
    const genair_code code = g ? check_size(start[g->size], st) : GENAIR_OK;
    if (!g || code != GENAIR_OK) return code;
    const int own = (int)(start[g->rank + 1] - start[g->rank]);
    int n = 0;
    for (int i = 1; i < g->size; i++) {
        const int from = (g->rank + i) % g->size;
        MPI_Irecv(others[from], own, MPI_FLOAT, from, 0, MPI_COMM_WORLD, &g->requests[n++]);
    }
    for (int i = 1; i < g->size; i++) {
        const int to = (g->rank + g->size - i) % g->size;
        MPI_Isend(data + start[to], (int)(start[to + 1] - start[to]), MPI_FLOAT, to, 0, MPI_COMM_WORLD, &g->requests[n++]);
    }
    MPI_Waitall(n, g->requests, MPI_STATUSES_IGNORE);
    return GENAIR_OK;
}

genair_code group_sum(struct group *g, double *values, size_t n, genair_status *st) {
    (void)st;
    if (!g) return GENAIR_OK;
    const size_t size = (size_t)g->size;
    MPI_Allgather(values, (int)n, MPI_DOUBLE, g->sums, (int)n, MPI_DOUBLE, MPI_COMM_WORLD);
    for (size_t width = 1; width < size; width *= 2)
        for (size_t r = 0; r + width < size; r += 2 * width)
            for (size_t i = 0; i < n; i++) g->sums[r * n + i] += g->sums[(r + width) * n + i];
    memcpy(values, g->sums, n * sizeof *values);
    return GENAIR_OK;
}

genair_code group_count(struct group *g, uint32_t *values, size_t n, genair_status *st) {
    const genair_code code = g ? check_size(n, st) : GENAIR_OK;
    if (!g || code != GENAIR_OK) return code;
    MPI_Allreduce(MPI_IN_PLACE, values, (int)n, MPI_UINT32_T, MPI_SUM, MPI_COMM_WORLD);
    return GENAIR_OK;
}

genair_code group_share(struct group *g, void *bytes, size_t n, genair_status *st) {
    const genair_code code = g ? check_size(n, st) : GENAIR_OK;
    if (!g || code != GENAIR_OK) return code;
    MPI_Bcast(bytes, (int)n, MPI_BYTE, 0, MPI_COMM_WORLD);
    return GENAIR_OK;
}
