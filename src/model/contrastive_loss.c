/* SPDX-License-Identifier: Apache-2.0 */
/* Contrast of two lists X, Y of M places, m distinct things i, each c_i times:
 *
 *     A = X Y^T / tau          Z = tau (X X^T + Y Y^T) / 2
 *     t_ij = e^(Z_ij - z_i)    z_i = log sum_j c_j e^Z_ij              what place i should prefer place j
 *     L = 1/2M sum_i c_i (r_i + v_i)     r_i = log sum_j c_j e^A_ij     k_j = log sum_i c_i e^A_ij
 *     v_i = sum_j c_j t_ij (k_j - 2 A_ij)                              both directions' targets at once
 *
 * InfoNCE is the same on unit vectors with t_ij = [i = j] / c_i, and without Z. Derivatives, with
 * s_j = sum_i c_i t_ij:
 *
 *     2M dL/dA_ij = c_i c_j (e^(A_ij - r_i) + s_j e^(A_ij - k_j) - 2 t_ij)
 *     2M dL/dZ_ij = c_i c_j t_ij (k_j - 2 A_ij - v_i)
 *
 * Rows go in tiles: three passes, for r, k and z; for s and v; for the gradients. Tiles of A, A^T and Z are kept from
 * the first pass on where m is small, else made again. */
#include "model/losses.h"

#include "base/size.h"
#include "tensor/gemm.h"

#include <math.h>
#include <string.h>

enum { ROWS_PER_TASK = 64, MOST_KEPT = 2048, N_ROWS = 6 };
#define NORM_FLOOR 1e-12f

struct side {
    struct tensor *tensor;
    const float *value; /* [m, n], unit rows for InfoNCE */
    float *unit, *norm; /* InfoNCE's: [m, n], [m] */
    float *gradient;    /* [m, n] with respect to value, or NULL */
};

struct work {
    struct tape *tape;
    struct parallel *parallel;
    const struct kernels *kernels;
    size_t m, n;
    bool soft, kept;
    float tau, scale;        /* 1 / 2M */
    struct side x, y;
    const uint32_t *multiplicity;
    float *count, *log_count; /* [m] */
    float *r, *k, *z, *s, *v; /* [m] */
    float *tiles;             /* [tasks or threads, 3, ROWS_PER_TASK, m]: A, A^T, Z */
    float *rows;              /* [threads, N_ROWS, m] */
    float *slopes;            /* [threads, 3, ROWS_PER_TASK, m] of A, A^T, Z */
    double *value, *slope;    /* [tasks] of the loss; of tau */
};

/* A tile's rows of the three matrices. */
struct tile {
    size_t first, n;
    float *a, *at, *z;
};

static void product(const struct work *w, const struct tile *t, const float *left, const float *right, float alpha,
                    float beta, float *to) {
    gemm_single(&(struct gemm){.kernels = w->kernels, .m = t->n, .n = w->m, .k = w->n, .a = left + t->first * w->n,
                               .lda = w->n, .b = right, .ldb = w->n, .b_transposed = true, .c = to, .ldc = w->m,
                               .alpha = alpha, .beta = beta});
}

static struct tile tile_of(const struct work *w, size_t task, int worker, bool first_pass) {
    const size_t size = ROWS_PER_TASK * w->m;
    float *at = w->tiles + (w->kept ? task : (size_t)worker) * 3 * size;
    const struct tile t = {task * ROWS_PER_TASK, min_size(ROWS_PER_TASK, w->m - task * ROWS_PER_TASK), at, at + size,
                           at + 2 * size};
    if (w->kept && !first_pass) return t;
    product(w, &t, w->x.value, w->y.value, 1 / w->tau, 0, t.a);
    product(w, &t, w->y.value, w->x.value, 1 / w->tau, 0, t.at);
    if (!w->soft) return t;
    product(w, &t, w->x.value, w->x.value, w->tau / 2, 0, t.z);
    product(w, &t, w->y.value, w->y.value, w->tau / 2, 1, t.z);
    return t;
}

/* log sum_j c_j e^row_j */
static float log_sum(const struct work *w, const float *row, float *scratch) {
    float max;
    w->kernels->add(row, w->log_count, scratch, w->m);
    const float sum = w->kernels->softmax_terms(scratch, w->m, &max);
    return max + logf(sum);
}

static void sums_task(void *context, size_t task, int worker) {
    const struct work *w = context;
    const struct tile t = tile_of(w, task, worker, true);
    float *scratch = w->rows + (size_t)worker * N_ROWS * w->m;
    for (size_t i = 0; i < t.n; i++) {
        w->r[t.first + i] = log_sum(w, t.a + i * w->m, scratch);
        w->k[t.first + i] = log_sum(w, t.at + i * w->m, scratch);
        if (w->soft) w->z[t.first + i] = log_sum(w, t.z + i * w->m, scratch);
    }
}

/* to_j = e^(row_j - less_j), or less[0] for all j when one. */
static void exp_less(const struct work *w, const float *row, const float *less, bool one, float *to) {
    for (size_t j = 0; j < w->m; j++) to[j] = row[j] - less[one ? 0 : j];
    w->kernels->exp(to, to, w->m);
}

static void targets_task(void *context, size_t task, int worker) {
    const struct work *w = context;
    const struct tile t = tile_of(w, task, worker, false);
    float *p = w->rows + (size_t)worker * N_ROWS * w->m;
    double value = 0;
    for (size_t i = 0; i < t.n; i++) {
        const size_t at = t.first + i;
        const float *a = t.a + i * w->m;
        double v = (double)(w->k[at] - 2 * a[at]), s = 1;
        if (w->soft) {
            v = s = 0;
            exp_less(w, t.z + i * w->m, w->z + at, true, p);
            for (size_t j = 0; j < w->m; j++) v += (double)(w->count[j] * p[j] * (w->k[j] - 2 * a[j]));
            exp_less(w, t.z + i * w->m, w->z, false, p);
            for (size_t j = 0; j < w->m; j++) s += (double)(w->count[j] * p[j]);
        }
        w->v[at] = (float)v;
        w->s[at] = (float)s;
        value += (double)w->count[at] * ((double)w->r[at] + v);
    }
    w->value[task] = value * (double)w->scale;
}

/* Row i of the slopes of A (to[0]), A^T (to[1]) and of Z + Z^T (to[2]), over 2M. */
static void slope_row(const struct work *w, const struct tile *tile, size_t i, float *rows, float *const to[3]) {
    const size_t m = w->m, at = tile->first + i;
    const float *a = tile->a + i * m, *b = tile->at + i * m, *z = tile->z + i * m;
    float *t = rows, *u = rows + m; /* t_ij, t_ji */
    float *own = rows + 2 * m, *other = rows + 3 * m, *own_t = rows + 4 * m, *other_t = rows + 5 * m;
    exp_less(w, a, w->r + at, true, own);
    exp_less(w, a, w->k, false, other);
    exp_less(w, b, w->r, false, own_t);
    exp_less(w, b, w->k + at, true, other_t);
    if (w->soft) {
        exp_less(w, z, w->z + at, true, t);
        exp_less(w, z, w->z, false, u);
    } else {
        memset(t, 0, 2 * m * sizeof *t);
        t[at] = u[at] = 1 / w->count[at];
    }
    const float c = w->count[at] * w->scale;
    for (size_t j = 0; j < m; j++) {
        const float both = c * w->count[j];
        to[0][j] = both * (own[j] + w->s[j] * other[j] - 2 * t[j]);
        to[1][j] = both * (own_t[j] + w->s[at] * other_t[j] - 2 * u[j]);
        to[2][j] = both * (t[j] * (w->k[j] - 2 * a[j] - w->v[at]) + u[j] * (w->k[at] - 2 * b[j] - w->v[j]));
    }
}

/* gradient of a side's rows: slope of its logits times the other side, slope of the targets times itself. */
static void rows_gradient(const struct work *w, const struct tile *t, const struct side *own, const struct side *other,
                          const float *slope, const float *target_slope) {
    if (!own->gradient) return;
    struct gemm g = {.kernels = w->kernels, .m = t->n, .n = w->n, .k = w->m, .a = slope, .lda = w->m, .b = other->value,
                     .ldb = w->n, .c = own->gradient + t->first * w->n, .ldc = w->n, .alpha = 1 / w->tau};
    gemm_single(&g);
    if (!w->soft) return;
    g.a = target_slope;
    g.b = own->value;
    g.alpha = w->tau / 2;
    g.beta = 1;
    gemm_single(&g);
}

static void slopes_task(void *context, size_t task, int worker) {
    const struct work *w = context;
    const size_t m = w->m, size = ROWS_PER_TASK * m;
    const struct tile t = tile_of(w, task, worker, false);
    float *rows = w->rows + (size_t)worker * N_ROWS * m, *slopes = w->slopes + (size_t)worker * 3 * size;
    double tau = 0;
    for (size_t i = 0; i < t.n; i++) {
        float *const to[3] = {slopes + i * m, slopes + size + i * m, slopes + 2 * size + i * m};
        slope_row(w, &t, i, rows, to);
        const float *a = t.a + i * m, *z = t.z + i * m; /* large terms that nearly cancel: in double */
        for (size_t j = 0; j < m; j++) tau -= (double)to[0][j] * (double)a[j];
        for (size_t j = 0; w->soft && j < m; j++) tau += (double)to[2][j] * (double)z[j] / 2;
    }
    w->slope[task] = tau / (double)w->tau;
    rows_gradient(w, &t, &w->x, &w->y, slopes, slopes + 2 * size);
    rows_gradient(w, &t, &w->y, &w->x, slopes + size, slopes + 2 * size);
}

/* ---- unit vectors; gradients to the tensors ---- */

static void unit_rows(const struct work *w, struct side *s) {
    for (size_t i = 0; i < w->m; i++) {
        const float *x = s->tensor->value + i * w->n;
        const float norm = sqrtf(w->kernels->dot(x, x, w->n));
        s->norm[i] = norm > NORM_FLOOR ? norm : NORM_FLOOR;
        w->kernels->scale_add(1 / s->norm[i], x, 0, s->unit + i * w->n, w->n);
    }
}

/* dx = (de - e (e . de)) / |x| for unit vectors e. */
static void hand_over(const struct work *w, const struct side *s, double weight) {
    if (!s->gradient) return;
    tensor_open_gradient(s->tensor);
    for (size_t i = 0; i < w->m; i++) {
        float *de = s->gradient + i * w->n, scale = (float)weight;
        if (!w->soft) {
            const float *e = s->unit + i * w->n;
            if (s->norm[i] > NORM_FLOOR) w->kernels->axpy(-w->kernels->dot(e, de, w->n), e, de, w->n);
            scale /= s->norm[i];
        }
        w->kernels->axpy(scale, de, s->tensor->gradient + i * w->n, w->n);
    }
}

static void prepare_side(const struct work *w, struct tensor *x, struct side *s) {
    struct tape *t = w->tape;
    *s = (struct side){.tensor = x, .value = x->value};
    if (x->gradient) s->gradient = tape_array(t, w->m * w->n, sizeof *s->gradient);
    if (w->soft) return;
    s->value = s->unit = tape_array(t, w->m * w->n, sizeof *s->unit);
    s->norm = tape_array(t, w->m, sizeof *s->norm);
    if (!tape_failed(t)) unit_rows(w, s);
}

static bool prepare(struct work *w, size_t n_tasks) {
    struct tape *t = w->tape;
    const size_t threads = (size_t)parallel_threads(t->parallel), size = ROWS_PER_TASK * w->m;
    float **const vectors[] = {&w->count, &w->log_count, &w->r, &w->k, &w->z, &w->s, &w->v};
    for (size_t i = 0; i < COUNT(vectors); i++) *vectors[i] = tape_array(t, w->m, sizeof(float));
    w->tiles = tape_array(t, (w->kept ? n_tasks : threads) * 3 * size, sizeof *w->tiles);
    w->rows = tape_array(t, threads * N_ROWS * w->m, sizeof *w->rows);
    w->slopes = tape_array(t, threads * 3 * size, sizeof *w->slopes);
    w->value = tape_array(t, n_tasks, sizeof *w->value);
    w->slope = tape_array(t, n_tasks, sizeof *w->slope);
    if (tape_failed(t)) return false;
    double places = 0;
    for (size_t i = 0; i < w->m; i++) {
        w->count[i] = w->multiplicity ? (float)w->multiplicity[i] : 1;
        w->log_count[i] = logf(w->count[i]);
        places += (double)w->count[i];
    }
    w->scale = (float)(0.5 / places);
    return true;
}

double contrastive_loss(struct tape *t, struct tensor *x, struct tensor *y, const struct contrast *c) {
    if (!x || !y || !c->tau || x->rows == 0) return 0;
    struct work w = {.tape = t, .parallel = t->parallel, .kernels = t->kernels, .m = x->rows, .n = x->cols,
                     .soft = c->form == CONTRAST_SOFT, .kept = x->rows <= MOST_KEPT, .tau = c->tau->value[0],
                     .multiplicity = c->multiplicity};
    const size_t n_tasks = (w.m + ROWS_PER_TASK - 1) / ROWS_PER_TASK;
    if (!prepare(&w, n_tasks)) return 0;
    prepare_side(&w, x, &w.x);
    prepare_side(&w, y, &w.y);
    if (tape_failed(t)) return 0;
    parallel_run(t->parallel, n_tasks, sums_task, &w);
    parallel_run(t->parallel, n_tasks, targets_task, &w);
    double value = 0, slope = 0;
    for (size_t i = 0; i < n_tasks; i++) value += w.value[i];
    t->flops += (w.soft ? 8.0 : 4.0) * (double)w.m * (double)w.m * (double)w.n;
    if (!x->gradient && !y->gradient && !c->tau->gradient) return value;
    parallel_run(t->parallel, n_tasks, slopes_task, &w);
    for (size_t i = 0; i < n_tasks; i++) slope += w.slope[i];
    hand_over(&w, &w.x, c->weight);
    hand_over(&w, &w.y, c->weight);
    if (c->tau->gradient) {
        tensor_open_gradient(c->tau);
        c->tau->gradient[0] += (float)(c->weight * slope);
    }
    return value;
}
