/* SPDX-License-Identifier: Apache-2.0 */
/* Attention within packed sequences. For one sequence and head, with n tokens and width c:
 *
 *     S = Q K^T / sqrt(c)      P = softmax of S's rows (causal: over columns up to the row's)
 *     O = D(P) V               D: dropout
 *     dV = D(P)^T dO           dP = D(dO V^T)    dS = P (dP - rowsum(dP P))
 *     dQ = dS K / sqrt(c)      dK = dS^T Q / sqrt(c)
 *
 * P is kept for the backward pass: n^2 floats a sequence and head. Shop histories are short (4 to 12 on
 * average), so sequences below LONG use plain loops over rows, longer ones BLAS. */
#include "tensor/gemm.h"
#include "tensor/ops.h"

#include "base/size.h"

#include <math.h>
#include <string.h>

enum { LONG = 16 };

struct node {
    struct tape *tape;
    struct attention a;
    struct tensor *y;
    struct tensor *v;      /* where values stand: a.v or a.kv */
    size_t first_value;    /* their first column there */
    size_t width;          /* of a head */
    size_t group;          /* heads of q to one of keys and values */
    size_t longest;
    const size_t *place;   /* [n_sequences + 1] where a sequence's P starts; multiples of 64 */
    float *p;
    struct dropout dropout;
    uint64_t *bits;        /* over p, or NULL */
    float *scratch;        /* [threads, 2, longest^2] */
    bool accumulate_q, accumulate_kv, accumulate_v;
};

/* A head of a sequence: rows of q, k, v and so on with their leading dimensions. */
struct head {
    size_t n;
    size_t p_at; /* where its P starts in p; bits are at p_at / 64 */
    const float *q, *k, *v;
    size_t ldq, ldk, ldv;
};

static size_t square_padded(size_t n) {
    return (n * n + 63) / 64 * 64;
}

static struct head head_of(const struct node *a, size_t b, size_t h) {
    const uint32_t first = a->a.offsets[b];
    const size_t n = a->a.offsets[b + 1] - first, d = a->a.q->cols;
    const size_t ldk = a->a.kv->cols, ldv = a->v->cols, column = h / a->group * a->width;
    return (struct head){.n = n,
                         .p_at = a->place[b] + h * square_padded(n),
                         .q = a->a.q->value + (size_t)first * d + h * a->width,
                         .k = a->a.kv->value + first * ldk + column,
                         .v = a->v->value + first * ldv + a->first_value + column,
                         .ldq = d,
                         .ldk = ldk,
                         .ldv = ldv};
}

/* C = alpha A B^T + beta C; rows below may limit the columns of row i to i + 1 (causal). */
static void product_nt(const struct kernels *k, size_t n, size_t width, bool causal, float alpha, const float *a,
                       size_t lda, const float *b, size_t ldb, float *c) {
    if (n >= LONG) {
        gemm_single(&(struct gemm){.kernels = k, .m = n, .n = n, .k = width, .a = a, .lda = lda, .b = b,
                                   .ldb = ldb, .b_transposed = true, .c = c, .ldc = n, .alpha = alpha});
        return;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < (causal ? i + 1 : n); j++)
            c[i * n + j] = alpha * k->dot(a + i * lda, b + j * ldb, width);
}

/* C += alpha A B (or A^T B), A: [n, n], B: [n, width]; overwritten when !accumulate. */
static void product_square(const struct kernels *k, size_t n, size_t width, bool transposed, bool causal,
                           float alpha, const float *a, const float *b, size_t ldb, float *c, size_t ldc,
                           bool accumulate) {
    if (n >= LONG) {
        gemm_single(&(struct gemm){.kernels = k, .m = n, .n = width, .k = n, .a = a, .lda = n,
                                   .a_transposed = transposed, .b = b, .ldb = ldb, .c = c, .ldc = ldc,
                                   .alpha = alpha, .beta = accumulate ? 1 : 0});
        return;
    }
    for (size_t i = 0; i < n && !accumulate; i++) memset(c + i * ldc, 0, width * sizeof *c);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < (causal ? i + 1 : n); j++) {
            const float s = alpha * a[i * n + j];
            const size_t to = transposed ? j : i, from = transposed ? i : j;
            k->axpy(s, b + from * ldb, c + to * ldc, width);
        }
}

static void softmax_rows(const struct kernels *k, size_t n, bool causal, float *p) {
    for (size_t i = 0; i < n; i++) {
        const size_t seen = causal ? i + 1 : n;
        float max;
        const float sum = k->softmax_terms(p + i * n, seen, &max);
        k->scale(1 / sum, p + i * n, seen);
        memset(p + i * n + seen, 0, (n - seen) * sizeof *p);
    }
}

/* The weights after dropout: p itself, or a masked copy in scratch. */
static const float *dropped(const struct node *a, const struct head *s, float *scratch) {
    const float *p = a->p + s->p_at;
    if (!a->bits) return p;
    a->tape->kernels->dropout(a->bits + s->p_at / 64, a->dropout.scale, p, scratch, s->n * s->n);
    return scratch;
}

static void forward_head(const struct node *a, size_t b, size_t h, float *scratch) {
    const struct kernels *k = a->tape->kernels;
    const struct head s = head_of(a, b, h);
    float *p = a->p + s.p_at;
    const float scale = 1 / sqrtf((float)a->width);
    product_nt(k, s.n, a->width, a->a.causal, scale, s.q, s.ldq, s.k, s.ldk, p);
    softmax_rows(k, s.n, a->a.causal, p);
    if (a->bits) k->dropout_bits(&a->dropout, s.p_at, s.n * s.n, a->bits + s.p_at / 64);
    float *y = a->y->value + (size_t)a->a.offsets[b] * s.ldq + h * a->width;
    product_square(k, s.n, a->width, false, a->a.causal, 1, dropped(a, &s, scratch), s.v, s.ldv, y, s.ldq,
                   false);
}

static void backward_head(const struct node *a, size_t b, size_t h, float *scratch) {
    const struct kernels *k = a->tape->kernels;
    const struct head s = head_of(a, b, h);
    const size_t n = s.n, w = a->width, first = a->a.offsets[b];
    const bool causal = a->a.causal;
    const float scale = 1 / sqrtf((float)w);
    const float *dy = a->y->gradient + first * s.ldq + h * w, *p = a->p + s.p_at;
    float *dq = a->a.q->gradient + first * s.ldq + h * w;
    const size_t column = h / a->group * w;
    const bool later = h % a->group != 0; /* heads of a group add up */
    float *dk = a->a.kv->gradient + first * s.ldk + column;
    float *dv = a->v->gradient + first * s.ldv + a->first_value + column;
    float *ds = scratch + a->longest * a->longest;
    product_square(k, n, w, true, causal, 1, dropped(a, &s, scratch), dy, s.ldq, dv, s.ldv,
                   a->accumulate_v || later);
    product_nt(k, n, w, causal, 1, dy, s.ldq, s.v, s.ldv, ds);
    if (a->bits) k->dropout(a->bits + s.p_at / 64, a->dropout.scale, ds, ds, n * n);
    for (size_t i = 0; i < n; i++) {
        const size_t seen = causal ? i + 1 : n;
        const float mean = k->dot(p + i * n, ds + i * n, seen);
        for (size_t j = 0; j < seen; j++) ds[i * n + j] = p[i * n + j] * (ds[i * n + j] - mean);
        memset(ds + i * n + seen, 0, (n - seen) * sizeof *ds);
    }
    product_square(k, n, w, false, causal, scale, ds, s.k, s.ldk, dq, s.ldq, a->accumulate_q);
    product_square(k, n, w, true, causal, scale, ds, s.q, s.ldq, dk, s.ldk, a->accumulate_kv || later);
}

static void run_heads(const struct node *a, size_t sequence, int worker,
                      void (*head)(const struct node *, size_t, size_t, float *)) {
    float *scratch = a->scratch + (size_t)worker * 2 * a->longest * a->longest;
    for (size_t h = 0; h < a->a.n_heads; h++) head(a, sequence, h, scratch);
}

static void forward_task(void *context, size_t sequence, int worker) {
    run_heads(context, sequence, worker, forward_head);
}

static void backward_task(void *context, size_t sequence, int worker) {
    run_heads(context, sequence, worker, backward_head);
}

/* Useful operations of one direction's products: causal rows see half. */
static double flops_of(const struct node *a) {
    double pairs = 0;
    for (size_t b = 0; b < a->a.n_sequences; b++) {
        const double n = (double)(a->a.offsets[b + 1] - a->a.offsets[b]);
        pairs += a->a.causal ? n * (n + 1) / 2 : n * n;
    }
    return 4 * pairs * (double)a->a.q->cols;
}

static void attention_backward(void *context) {
    struct node *a = context;
    if (!a->y->written) return;
    a->accumulate_q = tensor_accumulates(a->a.q);
    a->accumulate_kv = tensor_accumulates(a->a.kv);
    a->accumulate_v = a->a.v ? tensor_accumulates(a->a.v) : a->accumulate_kv;
    parallel_run(a->tape->parallel, a->a.n_sequences, backward_task, a);
    a->tape->flops += 2 * flops_of(a);
}

struct tensor *op_attention(struct tape *t, const struct attention *attention) {
    if (!attention->q || !attention->kv) return NULL;
    const size_t d = attention->q->cols, n_sequences = attention->n_sequences;
    struct node *a = tape_array(t, 1, sizeof *a);
    size_t *place = tape_array(t, n_sequences + 1, sizeof *place);
    struct tensor *y = tape_tensor(t, attention->q->rows, d, true);
    if (!a || !place || !y) return NULL;
    size_t total = 0, longest = 0;
    for (size_t b = 0; b < n_sequences; b++) {
        const size_t n = attention->offsets[b + 1] - attention->offsets[b];
        place[b] = total;
        total += attention->n_heads * square_padded(n);
        longest = max_size(longest, n);
    }
    const size_t kv_columns = attention->v ? attention->kv->cols : attention->kv->cols / 2;
    *a = (struct node){.tape = t, .a = *attention, .y = y, .width = d / attention->n_heads,
                       .v = attention->v ? attention->v : attention->kv,
                       .first_value = attention->v ? 0 : kv_columns, .group = d / kv_columns,
                       .longest = longest, .place = place};
    a->p = tape_array(t, total, sizeof *a->p);
    a->scratch = tape_array(t, (size_t)parallel_threads(t->parallel) * 2 * longest * longest + 1,
                            sizeof *a->scratch);
    if (t->training && attention->dropout > 0) {
        a->bits = tape_array(t, total / 64 + 1, sizeof *a->bits);
        a->dropout = tape_dropout(t, attention->dropout);
    }
    if (tape_failed(t)) return NULL;
    parallel_run(t->parallel, n_sequences, forward_task, a);
    t->flops += flops_of(a);
    tape_push(t, attention_backward, a);
    return y;
}
