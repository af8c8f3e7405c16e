/* SPDX-License-Identifier: Apache-2.0 */
/* q_ij = 1 / (1 + |y_i - y_j|²) / Z, Z the sum over all pairs; then (2008, eq. 5)
 *     dKL/dy_i = 4 sum_j (p_ij - q_ij) (y_i - y_j) q_ij Z
 *              = 4 (sum_j p_ij q_ij Z (y_i - y_j) - 1/Z sum_j (q_ij Z)² (y_i - y_j)):
 * attraction over the neighbours, repulsion over all points, by the tree or one by one. */
#include "analyze/tsne.h"

#include "base/alloc.h"
#include "base/size.h"

#include <math.h>

enum { POINTS = 64 /* of a task */ };

struct job {
    struct tsne_forces *f;
    const double *y;
    double exaggeration, theta;
    double *gradient; /* attraction at first */
    double *log_sum;  /* of tsne_divergence: a part for each block */
};

static size_t count_blocks(size_t n) {
    return (n + POINTS - 1) / POINTS;
}

genair_code tsne_forces_create(struct parallel *parallel, const struct affinities *p, double theta,
                               struct tsne_forces *out, genair_status *st) {
    *out = (struct tsne_forces){.parallel = parallel, .p = p, .theta = theta};
    out->repulsion = mem_array(p->n, 2 * sizeof *out->repulsion);
    out->z = mem_array(count_blocks(p->n), 2 * sizeof *out->z); /* and of the divergence */
    if (!out->repulsion || !out->z) return fail_memory(st);
    return theta > 0 ? quadtree_create(p->n, &out->tree, st) : GENAIR_OK;
}

void tsne_forces_free(struct tsne_forces *f) {
    mem_free(f->repulsion);
    mem_free(f->z);
    quadtree_free(&f->tree);
    *f = (struct tsne_forces){0};
}

static void repel_by_all(const double *y, size_t n, const double at[2], double force[2], double *z) {
    double fx = 0, fy = 0, sum = 0;
    for (size_t j = 0; j < n; j++) {
        const double dx = at[0] - y[2 * j], dy = at[1] - y[2 * j + 1], q = 1 / (1 + dx * dx + dy * dy);
        sum += q;
        fx += q * q * dx;
        fy += q * q * dy;
    }
    force[0] = fx;
    force[1] = fy;
    *z += sum;
}

static void attract(const struct job *j, size_t i, double force[2]) {
    const struct affinities *p = j->f->p;
    const double *at = j->y + 2 * i;
    double fx = 0, fy = 0;
    for (size_t e = p->start[i]; e < p->start[i + 1]; e++) {
        const double *other = j->y + 2 * (size_t)p->column[e];
        const double dx = at[0] - other[0], dy = at[1] - other[1], w = p->p[e] / (1 + dx * dx + dy * dy);
        fx += w * dx;
        fy += w * dy;
    }
    force[0] = fx;
    force[1] = fy;
}

static void forces_task(void *context, size_t block, int worker) {
    (void)worker;
    const struct job *j = context;
    struct tsne_forces *f = j->f;
    const size_t n = f->p->n, end = min_size(n, (block + 1) * POINTS);
    double z = 0;
    for (size_t i = block * POINTS; i < end; i++) {
        double *force = f->repulsion + 2 * i;
        force[0] = force[1] = 0;
        if (j->theta > 0)
            quadtree_repulsion(&f->tree, j->y + 2 * i, j->theta, force, &z);
        else
            repel_by_all(j->y, n, j->y + 2 * i, force, &z);
        z -= 1; /* the point itself */
        attract(j, i, j->gradient + 2 * i);
    }
    f->z[block] = z;
}

/* In the order of the blocks. */
static double sum_of(const double *parts, size_t n_blocks) {
    double sum = 0;
    for (size_t b = 0; b < n_blocks; b++)
        sum += parts[b];
    return sum;
}

void tsne_gradient(struct tsne_forces *f, const double *y, double exaggeration, double *gradient) {
    const size_t n = f->p->n, n_blocks = count_blocks(n);
    struct job j = {f, y, exaggeration, f->theta, gradient, NULL};
    if (f->theta > 0) quadtree_build(&f->tree, y);
    parallel_run(f->parallel, n_blocks, forces_task, &j);
    const double z = fmax(sum_of(f->z, n_blocks), 1e-300); /* 0 for one point, which no force moves */
    for (size_t i = 0; i < 2 * n; i++)
        gradient[i] = 4 * (exaggeration * gradient[i] - f->repulsion[i] / z);
}

/* Of each block: Z, and the sum of p log(p (1 + |y_i - y_j|²)). */
static void divergence_task(void *context, size_t block, int worker) {
    (void)worker;
    const struct job *j = context;
    const struct affinities *p = j->f->p;
    const size_t end = min_size(p->n, (block + 1) * POINTS);
    double z = 0, sum = 0, force[2];
    for (size_t i = block * POINTS; i < end; i++) {
        const double *at = j->y + 2 * i;
        repel_by_all(j->y, p->n, at, force, &z);
        z -= 1;
        for (size_t e = p->start[i]; e < p->start[i + 1]; e++) {
            const double *other = j->y + 2 * (size_t)p->column[e];
            const double dx = at[0] - other[0], dy = at[1] - other[1];
            if (p->p[e] > 0) sum += p->p[e] * log(p->p[e] * (1 + dx * dx + dy * dy));
        }
    }
    j->f->z[block] = z;
    j->log_sum[block] = sum;
}

double tsne_divergence(struct tsne_forces *f, const double *y) {
    const size_t n_blocks = count_blocks(f->p->n);
    if (f->p->n < 2) return 0;
    struct job j = {f, y, 1, 0, NULL, f->z + n_blocks};
    parallel_run(f->parallel, n_blocks, divergence_task, &j);
    return sum_of(j.log_sum, n_blocks) + log(sum_of(f->z, n_blocks)); /* p sums to 1 */
}
