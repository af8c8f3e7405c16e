/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation of tensor/ops.h and every loss of model/losses.h against a plain float64 version of it.
 *
 * The forward pass is compared with that version, the backward pass with its central differences: with a step of
 * 1e-5 these are good to about 1e-9 of the largest slope. The engine's float32 sums have up to a few hundred
 * terms: 1e-5 of an array's largest entry is allowed (measured: below 2e-6). Each problem runs with every table
 * of kernels of this machine, and once more on gradients that hold something already. */
#include "model/losses.h"
#include "tensor/ops.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/size.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_INPUTS = 3, STEP = 7, SEED = 99, N_THREADS = 3 };
#define TOLERANCE 1e-5
#define DIFFERENCE 1e-5
#define LIST(...) (const uint32_t[]){__VA_ARGS__}

struct problem {
    const char *name;
    /* y from x in float64; returns how many numbers. */
    size_t (*reference)(const struct problem *p, const double *const *x, double *y);
    /* The result, or NULL for a loss, whose value goes to *loss. */
    struct tensor *(*engine)(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss);
    size_t n_inputs;
    struct {
        size_t rows, cols;
    } input[MOST_INPUTS];
    bool is_loss;
    bool first_is_frozen; /* input 0 wants no gradient */
    float eps;
    double dropout;
    const uint32_t *index;
    size_t n;
    const uint32_t *offsets;
    size_t n_sequences, n_heads;
    size_t group;              /* heads to one of keys and values; 0 counts as 1 */
    bool causal;
    bool halves;
    size_t n_negatives;
    const uint32_t *negatives; /* with index as positives */
    int form;
    const uint32_t *multiplicity;
    double weight;             /* of the gradient of a loss; 0 counts as 1 */
    double slack;              /* how much more than TOLERANCE is allowed; 0 counts as 1 */
};

/* kernels.h: element i of a tensor is kept when its 16 bits of the Philox stream reach the threshold. The first
 * dropout of a step has the number 0. Returns what the element is multiplied by. */
static double dropout_factor(double probability, size_t i) {
    if (probability == 0) return 1;
    const struct rng4 block = rng_at(SEED, RNG_DROPOUT, (uint64_t)STEP << 16, (uint32_t)(i / 8));
    const uint32_t word = block.v[i % 8 / 2], number = i % 2 ? word >> 16 : word & 0xFFFF;
    return number >= (uint32_t)lround(probability * 65536) ? (double)(float)(1 / (1 - probability)) : 0;
}

/* ---- the operations ---- */

static size_t linear_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t n = p->input[0].rows, in = p->input[0].cols, out = p->input[1].rows;
    for (size_t i = 0; i < n; i++)
        for (size_t o = 0; o < out; o++) {
            y[i * out + o] = p->n_inputs > 2 ? x[2][o] : 0;
            for (size_t k = 0; k < in; k++) y[i * out + o] += x[0][i * in + k] * x[1][o * in + k];
        }
    return n * out;
}

static struct tensor *linear_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)loss;
    return op_linear(t, x[0], x[1], p->n_inputs > 2 ? x[2] : NULL);
}

static size_t layernorm_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t rows = p->input[0].rows, n = p->input[0].cols;
    for (size_t r = 0; r < rows; r++) {
        const double *row = x[0] + r * n;
        double mean = 0, variance = 0;
        for (size_t i = 0; i < n; i++) mean += row[i] / (double)n;
        for (size_t i = 0; i < n; i++) variance += (row[i] - mean) * (row[i] - mean) / (double)n;
        for (size_t i = 0; i < n; i++)
            y[r * n + i] = (row[i] - mean) / sqrt(variance + (double)p->eps) * x[1][i] + x[2][i];
    }
    return rows * n;
}

static struct tensor *layernorm_engine(const struct problem *p, struct tape *t, struct tensor *const *x,
                                       double *loss) {
    (void)loss;
    return op_layernorm(t, x[0], x[1], x[2], p->eps);
}

static size_t rmsnorm_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t rows = p->input[0].rows, n = p->input[0].cols;
    for (size_t r = 0; r < rows; r++) {
        const double *row = x[0] + r * n;
        double square = 0;
        for (size_t i = 0; i < n; i++) square += row[i] * row[i] / (double)n;
        for (size_t i = 0; i < n; i++) y[r * n + i] = row[i] / sqrt(square + (double)p->eps) * x[1][i];
    }
    return rows * n;
}

static struct tensor *rmsnorm_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)loss;
    return op_rmsnorm(t, x[0], x[1], p->eps);
}

static const double frozen_gain[4] = {0.5, -1, 2, 0.25};

static size_t rmsnorm_frozen_reference(const struct problem *p, const double *const *x, double *y) {
    return rmsnorm_reference(p, (const double *const[]){x[0], frozen_gain}, y);
}

static struct tensor *rmsnorm_frozen_engine(const struct problem *p, struct tape *t, struct tensor *const *x,
                                            double *loss) {
    (void)loss;
    static float gain[4];
    for (size_t i = 0; i < COUNT(gain); i++) gain[i] = (float)frozen_gain[i];
    return op_rmsnorm(t, x[0], tape_view(t, 1, COUNT(gain), gain, NULL), p->eps);
}

static size_t elements(const struct problem *p) {
    return p->input[0].rows * p->input[0].cols;
}

static size_t leaky_reference(const struct problem *p, const double *const *x, double *y) {
    for (size_t i = 0; i < elements(p); i++) y[i] = x[0][i] > 0 ? x[0][i] : 0.25 * x[0][i];
    return elements(p);
}

static struct tensor *leaky_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)p;
    (void)loss;
    return op_leaky_relu(t, x[0], 0.25f);
}

static size_t unit_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t d = p->input[0].cols;
    for (size_t r = 0; r < p->input[0].rows; r++) {
        double square = 0;
        for (size_t c = 0; c < d; c++) square += x[0][r * d + c] * x[0][r * d + c];
        for (size_t c = 0; c < d; c++) y[r * d + c] = 5 * x[0][r * d + c] / sqrt(square);
    }
    return elements(p);
}

static struct tensor *unit_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)p;
    (void)loss;
    return op_unit_rows(t, x[0], 5);
}

/* Four rows of seven columns under the last columns of x; form: added. */
static const float ground[4 * 7] = {1, 2, 3, 4, 5, 6, 7, -1, -2, -3, -4, -5, -6, -7, 2, 1, 2, 1, 2, 1, 2};

static size_t overlay_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t n = p->input[0].cols;
    for (size_t r = 0; r < p->input[0].rows; r++)
        for (size_t c = 0; c < 7; c++) {
            const double under = (double)ground[p->index[r] * 7 + c];
            y[r * 7 + c] = c < 7 - n ? under : x[0][r * n + c - (7 - n)] + (p->form ? under : 0);
        }
    return p->input[0].rows * 7;
}

static struct tensor *overlay_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)loss;
    return op_overlay(t, ground, 7, p->index, x[0], p->form);
}

/* The first four of seven slots are filled. The ground is also their shift. */
static const float slot_mask[7] = {3, -1, 2, 0, 1, 1, -2};

static size_t slots_reference(const struct problem *p, const double *const *x, double *y) {
    for (size_t i = 0; i < p->n; i++)
        for (size_t c = 0; c < 7; c++) {
            const float *row = p->index[i] == MASK_ROW ? slot_mask : ground + p->index[i] * 7;
            const size_t slot = i % 4;
            y[i * 7 + c] = x[0][slot] * (double)row[c] + (double)ground[slot * 7 + c];
        }
    return p->n * 7;
}

static struct tensor *slots_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)loss;
    uint32_t *slot = tape_array(t, p->n + 1, sizeof *slot);
    assert_non_null(slot);
    for (size_t i = 0; i < p->n; i++) slot[i] = (uint32_t)(i % 4);
    return op_slots(t, &(struct slots){.table = ground, .mask = slot_mask, .shift = ground, .width = 7, .gain = x[0],
                                       .index = p->index, .slot = slot, .n = p->n});
}

static size_t group_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t d = p->input[0].cols;
    for (size_t g = 0; g < p->n_sequences; g++)
        for (size_t c = 0; c < d; c++) {
            y[g * d + c] = 0;
            for (uint32_t r = p->offsets[g]; r < p->offsets[g + 1]; r++)
                y[g * d + c] += 0.5 * x[0][r * d + c] / (p->offsets[g + 1] - p->offsets[g]);
        }
    return p->n_sequences * d;
}

static struct tensor *group_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)loss;
    return op_group_mean(t, x[0], p->offsets, p->n_sequences, 0.5f);
}

static double row_weight(size_t r) {
    return (double)(1 + r % 3) / 4;
}

static size_t square_reference(const struct problem *p, const double *const *x, double *y) {
    *y = 0;
    for (size_t i = 0; i < elements(p); i++)
        *y += row_weight(i / p->input[0].cols) * (x[0][i] - x[1][i]) * (x[0][i] - x[1][i]);
    return 1;
}

static struct tensor *square_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    float *weight = tape_array(t, p->input[0].rows, sizeof *weight);
    assert_non_null(weight);
    for (size_t r = 0; r < p->input[0].rows; r++) weight[r] = (float)row_weight(r);
    *loss = square_loss(t, x[0], x[1], weight);
    return NULL;
}

static size_t direction_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t d = p->input[0].cols;
    *y = 0;
    for (size_t r = 0; r < p->input[0].rows; r++) {
        double product = 0;
        for (size_t c = 0; c < d; c++) product += x[0][r * d + c] * x[1][r * d + c];
        *y += row_weight(r) * (1 - product);
    }
    return 1;
}

static struct tensor *direction_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    float *weight = tape_array(t, p->input[0].rows, sizeof *weight);
    assert_non_null(weight);
    for (size_t r = 0; r < p->input[0].rows; r++) weight[r] = (float)row_weight(r);
    *loss = direction_loss(t, x[0], x[1], weight);
    return NULL;
}

static size_t gelu_reference(const struct problem *p, const double *const *x, double *y) {
    for (size_t i = 0; i < elements(p); i++) y[i] = 0.5 * x[0][i] * (1 + erf(x[0][i] / sqrt(2)));
    return elements(p);
}

static struct tensor *gelu_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)p;
    (void)loss;
    return op_gelu(t, x[0]);
}

static size_t swiglu_reference(const struct problem *p, const double *const *x, double *y) {
    for (size_t i = 0; i < elements(p); i++) y[i] = x[0][i] / (1 + exp(-x[0][i])) * x[1][i];
    return elements(p);
}

static struct tensor *swiglu_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)p;
    (void)loss;
    return op_swiglu(t, x[0], x[1]);
}

static size_t dropout_relu_reference(const struct problem *p, const double *const *x, double *y) {
    for (size_t i = 0; i < elements(p); i++) y[i] = fmax(0, dropout_factor(p->dropout, i) * x[0][i]);
    return elements(p);
}

static struct tensor *dropout_relu_engine(const struct problem *p, struct tape *t, struct tensor *const *x,
                                          double *loss) {
    (void)loss;
    return op_dropout_relu(t, x[0], p->dropout);
}

static size_t dropout_scaled_reference(const struct problem *p, const double *const *x, double *y) {
    for (size_t i = 0; i < elements(p); i++) y[i] = 4 * dropout_factor(p->dropout, i) * x[0][i];
    return elements(p);
}

static struct tensor *dropout_scaled_engine(const struct problem *p, struct tape *t, struct tensor *const *x,
                                            double *loss) {
    (void)loss;
    return op_dropout_scaled(t, x[0], p->dropout, 4);
}

static size_t dropout_add_reference(const struct problem *p, const double *const *x, double *y) {
    for (size_t i = 0; i < elements(p); i++) y[i] = x[1][i] + dropout_factor(p->dropout, i) * x[0][i];
    return elements(p);
}

static struct tensor *dropout_add_engine(const struct problem *p, struct tape *t, struct tensor *const *x,
                                         double *loss) {
    (void)loss;
    return op_dropout_add(t, x[0], p->dropout, x[1]);
}

static struct tensor *add_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)p;
    (void)loss;
    return op_add(t, x[0], x[1]);
}

/* Inputs: table, mask, position (embed only). */
static size_t rows_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t d = p->input[0].cols;
    const bool embeds = p->n_inputs == 3;
    for (size_t i = 0; i < p->n; i++) {
        size_t place = 0;
        for (size_t b = 0; embeds && b < p->n_sequences; b++)
            if (i >= p->offsets[b] && i < p->offsets[b + 1]) place = i - p->offsets[b] + 1;
        const double *from = p->index[i] == MASK_ROW ? x[1] : x[0] + p->index[i] * d;
        for (size_t k = 0; k < d; k++)
            y[i * d + k] = dropout_factor(p->dropout, i * d + k) *
                           (embeds ? 3 * from[k] + x[2][place * d + k] : from[k]);
    }
    return p->n * d;
}

static struct tensor *gather_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)loss;
    if (p->n_inputs == 1) return op_gather_dropped(t, x[0], p->index, p->n, p->dropout);
    return op_gather(t, x[0], x[1], p->index, p->n);
}

static struct tensor *embed_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)loss;
    return op_embed(t, &(struct embedding){.table = x[0], .mask = x[1], .position = x[2], .index = p->index,
                                           .offsets = p->offsets, .n_sequences = p->n_sequences, .scale = 3,
                                           .dropout = p->dropout});
}

/* One head of one sequence of n tokens; weights: [n] scratch; first_weight: number of its first attention weight
 * among all, for dropout (each head's square is padded to 64). */
static void head_reference(const struct problem *p, const double *const *x, size_t first, size_t n, size_t head,
                           size_t first_weight, double *y) {
    const size_t d = p->input[0].cols, width = d / p->n_heads, column = head / (p->group ? p->group : 1) * width;
    const bool apart = p->n_inputs == 3; /* keys, values */
    const size_t ld = p->input[1].cols, first_value = apart ? 0 : ld / 2;
    double weights[64];
    for (size_t i = 0; i < n; i++) {
        const size_t seen = p->causal ? i + 1 : n;
        const double *q = x[0] + (first + i) * d + head * width;
        double sum = 0;
        for (size_t j = 0; j < seen; j++) {
            const double *k = x[1] + (first + j) * ld + column;
            double product = 0;
            for (size_t c = 0; c < width; c++) product += q[c] * k[c];
            sum += weights[j] = exp(product / sqrt((double)width));
        }
        for (size_t c = 0; c < width; c++) {
            double *to = y + (first + i) * d + head * width + c;
            *to = 0;
            for (size_t j = 0; j < seen; j++)
                *to += weights[j] / sum * dropout_factor(p->dropout, first_weight + i * n + j) *
                       x[apart ? 2 : 1][(first + j) * ld + first_value + column + c];
        }
    }
}

static size_t attention_reference(const struct problem *p, const double *const *x, double *y) {
    size_t first_weight = 0;
    for (size_t b = 0; b < p->n_sequences; b++) {
        const size_t first = p->offsets[b], n = p->offsets[b + 1] - first;
        for (size_t h = 0; h < p->n_heads; h++) {
            head_reference(p, x, first, n, h, first_weight, y);
            first_weight += (n * n + 63) / 64 * 64;
        }
    }
    return elements(p);
}

static struct tensor *attention_engine(const struct problem *p, struct tape *t, struct tensor *const *x,
                                       double *loss) {
    (void)loss;
    return op_attention(t, &(struct attention){.q = x[0], .kv = x[1], .v = p->n_inputs == 3 ? x[2] : NULL,
                                               .offsets = p->offsets, .n_sequences = p->n_sequences, .n_heads = p->n_heads,
                                               .causal = p->causal, .dropout = p->dropout});
}

/* Columns that are turned, in heads of 6. */
enum { TURNED = 12, HEAD = 6 };
static const float divisors[HEAD / 2] = {1, 2.5f, 4};

static size_t rope_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t cols = p->input[0].cols;
    for (size_t b = 0; b < p->n_sequences; b++)
        for (size_t i = p->offsets[b]; i < p->offsets[b + 1]; i++)
            for (size_t c = 0; c < cols; c++) {
                const size_t in = c % HEAD, pair = p->halves ? in % (HEAD / 2) : in / 2;
                const bool second = p->halves ? in >= HEAD / 2 : in % 2;
                const size_t apart = p->halves ? HEAD / 2 : 1, one = i * cols + c - (second ? apart : 0);
                const double angle = (double)(i - p->offsets[b]) * pow(100, -2.0 * (double)pair / HEAD) /
                                     (p->halves ? (double)divisors[pair] : 1);
                if (c >= TURNED)
                    y[i * cols + c] = x[0][i * cols + c];
                else if (!second)
                    y[i * cols + c] = x[0][one] * cos(angle) - x[0][one + apart] * sin(angle);
                else
                    y[i * cols + c] = x[0][one] * sin(angle) + x[0][one + apart] * cos(angle);
            }
    return elements(p);
}

static struct tensor *rope_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)loss;
    return op_rope(t, x[0], &(struct rotation){.offsets = p->offsets, .n_sequences = p->n_sequences, .width = HEAD,
                                               .n_columns = TURNED, .base = 100, .halves = p->halves,
                                               .divisors = p->halves ? divisors : NULL});
}

static size_t mean_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t cols = p->input[0].cols;
    for (size_t i = 0; i < p->n_sequences * cols; i++) y[i] = 0;
    for (size_t b = 0; b < p->n_sequences; b++)
        for (size_t i = p->offsets[b]; i < p->offsets[b + 1]; i++)
            for (size_t c = 0; c < cols; c++)
                y[b * cols + c] += x[0][i * cols + c] / (p->offsets[b + 1] - p->offsets[b]);
    return p->n_sequences * cols;
}

static struct tensor *mean_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)loss;
    return op_mean(t, x[0], p->offsets, p->n_sequences);
}

static double logistic(double x) {
    return 1 / (1 + exp(-x));
}

static size_t gru_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t d = p->input[1].cols;
    for (size_t b = 0; b < p->n_sequences; b++)
        for (size_t i = p->offsets[b]; i < p->offsets[b + 1]; i++) {
            const double *before = i > p->offsets[b] ? y + (i - 1) * d : NULL, *in = x[0] + i * 3 * d;
            for (size_t c = 0; c < d; c++) {
                double u[3] = {0};
                for (size_t gate = 0; before && gate < 3; gate++)
                    for (size_t k = 0; k < d; k++) u[gate] += x[1][(gate * d + c) * d + k] * before[k];
                const double r = logistic(in[c] + u[0]), z = logistic(in[d + c] + u[1]);
                const double n = tanh(in[2 * d + c] + r * u[2]);
                y[i * d + c] = (1 - z) * n + z * (before ? before[c] : 0);
            }
        }
    return p->input[0].rows * d;
}

static struct tensor *gru_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)loss;
    return op_gru(t, x[0], x[1], p->offsets, p->n_sequences);
}

/* ---- the losses; inputs: u, table ---- */

static double product_of(const struct problem *p, const double *const *x, size_t target, size_t row) {
    const size_t d = p->input[0].cols;
    double sum = 0;
    for (size_t k = 0; k < d; k++) sum += x[0][target * d + k] * x[1][row * d + k];
    return sum;
}

static double softplus(double x) {
    return log1p(exp(x)); /* scores here are small */
}

#define GBCE_BETA 0.3

static size_t pair_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t n = p->input[0].rows, k = p->n_negatives;
    double sum = 0;
    for (size_t r = 0; r < n; r++) {
        const double positive = product_of(p, x, r, p->index[r]);
        double bpr = 0, negatives = 0, exponentials = exp(positive);
        for (size_t j = 0; j < k; j++) {
            const double score = product_of(p, x, r, p->negatives[r * k + j]);
            bpr += softplus(score - positive);
            negatives += softplus(score);
            exponentials += exp(score);
        }
        const double value[] = {[PAIR_BCE] = softplus(-positive) + negatives / (double)k,
                                [PAIR_BPR] = bpr / (double)k,
                                [PAIR_BPR_SUM] = bpr,
                                [PAIR_SAMPLED_SOFTMAX] = log(exponentials) - positive,
                                [PAIR_GBCE] = (GBCE_BETA * softplus(-positive) + negatives) / (double)(k + 1)};
        sum += value[p->form];
    }
    y[0] = p->form == PAIR_BPR_SUM || n == 0 ? sum : sum / (double)n;
    return 1;
}

static struct tensor *pair_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    const struct pair_loss pair = {.form = (enum pair_form)p->form, .n_negatives = p->n_negatives,
                                   .positive = p->index, .negatives = p->negatives, .beta = GBCE_BETA};
    *loss = pair_loss(t, x[0], x[1], &pair);
    return NULL;
}

static size_t softmax_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t n = p->input[0].rows;
    y[0] = 0;
    for (size_t r = 0; r < n; r++) {
        double sum = 0;
        for (size_t j = 0; j < p->input[1].rows; j++) sum += exp(product_of(p, x, r, j));
        y[0] += (log(sum) - product_of(p, x, r, p->index[r])) / (double)n;
    }
    return 1;
}

static struct tensor *softmax_engine(const struct problem *p, struct tape *t, struct tensor *const *x,
                                     double *loss) {
    *loss = softmax_loss(t, x[0], x[1], p->index);
    return NULL;
}

static double target_weight(size_t r) {
    return (double)(float)(0.25 * (double)(r % 4)); /* 0 among them */
}

#define Z_WEIGHT 0.125

static size_t weighted_softmax_reference(const struct problem *p, const double *const *x, double *y) {
    y[0] = 0;
    for (size_t r = 0; r < p->input[0].rows; r++) {
        double sum = 0;
        for (size_t j = 0; j < p->input[1].rows; j++) sum += exp(product_of(p, x, r, j));
        const double l = log(sum);
        y[0] += target_weight(r) * (l - product_of(p, x, r, p->index[r]) + Z_WEIGHT * l * l);
    }
    return 1;
}

static struct tensor *weighted_softmax_engine(const struct problem *p, struct tape *t, struct tensor *const *x,
                                              double *loss) {
    float weight[600];
    for (size_t r = 0; r < p->input[0].rows; r++) weight[r] = (float)target_weight(r);
    *loss = weighted_softmax_loss(t, x[0], x[1], p->index, weight, Z_WEIGHT);
    return NULL;
}

/* Items 1 … 6 with counts, some as large as can be; 2 and 5 have pairs with themselves. C of a pair stands in both rows. */
static const struct cooccurrence counts = {
    .n_items = 6, .max_count = UINT32_MAX, .n_pairs = 6,
    .start = (const uint64_t[]){0, 0, 2, 5, 6, 7, 9, 10},
    .item = (const uint32_t[]){2, 5, 1, 2, 3, 2, 6, 1, 5, 4},
    .count = (const uint32_t[]){UINT32_MAX, 1, UINT32_MAX, 70000, 3, 3, 16384, 1, 99999, 16384},
};

static double association(uint32_t a, uint32_t b) {
    for (uint64_t e = counts.start[a]; e < counts.start[a + 1]; e++)
        if (counts.item[e] == b) return log(1 + (double)counts.count[e]) / log(1 + (double)counts.max_count);
    return 0;
}

#define GAMMA 1.5
#define TEMPERATURE 2.0

/* Place by place, as eqs. 12 to 14 have it. index: rows of the table, row r holding item r + 1. */
static size_t calibration_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t d = p->input[0].cols;
    size_t place[32], n = 0;
    for (size_t a = 0; a < p->n; a++)
        for (uint32_t c = 0; c < p->multiplicity[a]; c++) place[n++] = p->index[a];
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            const double *a = x[0] + place[i] * d, *b = x[0] + place[j] * d;
            double aa = 0, bb = 0, ab = 0;
            for (size_t k = 0; k < d; k++) {
                aa += a[k] * a[k];
                bb += b[k] * b[k];
                ab += a[k] * b[k];
            }
            const double cosine = ab / sqrt(aa * bb), square = 2 - 2 * cosine;
            const double value[] = {[CALIBRATION_KERNEL] = exp(-TEMPERATURE * square),
                                    [CALIBRATION_DOT] = exp(2 * TEMPERATURE * cosine),
                                    [CALIBRATION_LINEAR] = -square};
            const double s = association((uint32_t)place[i] + 1, (uint32_t)place[j] + 1);
            if (i != j) sum += exp(-GAMMA * s) * value[p->form];
        }
    y[0] = n < 2 ? 0 : sum / (double)(n * (n - 1));
    return 1;
}

static struct tensor *calibration_engine(const struct problem *p, struct tape *t, struct tensor *const *x,
                                         double *loss) {
    uint32_t *item = tape_array(t, p->n + 1, sizeof *item);
    for (size_t a = 0; a < p->n; a++) item[a] = p->index[a] + 1;
    *loss = calibration_loss(t, x[0], &(struct calibration){.form = (enum calibration_form)p->form,
                                                            .weight = p->weight, .gamma = GAMMA,
                                                            .t = TEMPERATURE, .n_distinct = p->n,
                                                            .row = p->index, .item = item,
                                                            .multiplicity = p->multiplicity,
                                                            .cooccurrence = &counts});
    return NULL;
}

/* Inputs: x, y, tau; everything as the definition has it, over places: thing i stands multiplicity[i] times. */
static size_t contrast_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t n = p->input[0].cols;
    size_t place[64], m = 0;
    for (size_t i = 0; i < p->input[0].rows; i++)
        for (uint32_t c = 0; c < (p->multiplicity ? p->multiplicity[i] : 1); c++) place[m++] = i;
    static double a[64][64], t[64][64];
    const double tau = x[2][0];
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < m; j++) {
            const double *xi = x[0] + place[i] * n, *xj = x[0] + place[j] * n;
            const double *yi = x[1] + place[i] * n, *yj = x[1] + place[j] * n;
            double xy = 0, xx = 0, yy = 0, nx = 0, ny = 0;
            for (size_t k = 0; k < n; k++) {
                xy += xi[k] * yj[k], xx += xi[k] * xj[k], yy += yi[k] * yj[k];
                nx += xi[k] * xi[k], ny += yj[k] * yj[k];
            }
            a[i][j] = p->form == CONTRAST_SOFT ? xy / tau : xy / sqrt(nx * ny) / tau;
            t[i][j] = p->form == CONTRAST_SOFT ? exp(tau * (xx + yy) / 2) : place[i] == place[j];
        }
    for (size_t i = 0; i < m; i++) {
        double sum = 0;
        for (size_t j = 0; j < m; j++) sum += t[i][j];
        for (size_t j = 0; j < m; j++) t[i][j] /= sum;
    }
    y[0] = 0;
    for (size_t i = 0; i < m; i++) {
        double row = 0, column = 0;
        for (size_t j = 0; j < m; j++) row += exp(a[i][j]), column += exp(a[j][i]);
        for (size_t j = 0; j < m; j++)
            y[0] -= (t[i][j] * (a[i][j] - log(row)) + t[j][i] * (a[j][i] - log(column))) / (2 * (double)m);
    }
    return 1;
}

static struct tensor *contrast_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    *loss = contrastive_loss(t, x[0], x[1], &(struct contrast){.form = (enum contrast_form)p->form, .tau = x[2],
                                                               .weight = p->weight != 0 ? p->weight : 1,
                                                               .multiplicity = p->multiplicity});
    return NULL;
}

/* ---- the comparison ---- */

struct numbers {
    double *x[MOST_INPUTS]; /* inputs, exact as float */
    double *y, *weights;    /* [n_out] */
    double *slope[MOST_INPUTS];
    size_t n_out, n_in[MOST_INPUTS];
};

static double *doubles(size_t n) {
    double *x = mem_zeros(n + 1, sizeof *x);
    assert_non_null(x);
    return x;
}

static double weighted(const struct problem *p, const struct numbers *v, double *scratch) {
    double sum = 0;
    p->reference(p, (const double *const *)v->x, scratch);
    for (size_t i = 0; i < v->n_out; i++) sum += v->weights[i] * scratch[i];
    return sum;
}

static size_t most_outputs(const struct problem *p) {
    size_t most = p->n * p->input[0].cols;
    for (size_t i = 0; i < p->n_inputs; i++)
        most = max_size(most, p->input[0].rows * max_size(p->input[i].rows, p->input[i].cols));
    return most + 1;
}

static void compute_reference(const struct problem *p, struct numbers *v) {
    struct rng r = rng_start(SEED, RNG_TEST, 1);
    for (size_t i = 0; i < p->n_inputs; i++) {
        v->n_in[i] = p->input[i].rows * p->input[i].cols;
        v->x[i] = doubles(v->n_in[i]);
        v->slope[i] = doubles(v->n_in[i]);
        for (size_t k = 0; k < v->n_in[i]; k++) {
            v->x[i][k] = (double)(float)rng_normal(&r);
            if (fabs(v->x[i][k]) < 1e-3) v->x[i][k] = 0.25; /* away from the edge of relu */
            if (p->reference == contrast_reference && i == 2) v->x[i][k] = 1.75; /* a temperature is above 0 */
        }
    }
    v->y = doubles(most_outputs(p));
    v->weights = doubles(most_outputs(p));
    double *scratch = doubles(most_outputs(p));
    v->n_out = p->reference(p, (const double *const *)v->x, v->y);
    for (size_t i = 0; i < v->n_out; i++) v->weights[i] = p->is_loss ? 1 : (double)(float)rng_normal(&r);
    for (size_t i = 0; i < p->n_inputs; i++)
        for (size_t k = 0; k < v->n_in[i]; k++) {
            const double at = v->x[i][k];
            v->x[i][k] = at + DIFFERENCE;
            const double above = weighted(p, v, scratch);
            v->x[i][k] = at - DIFFERENCE;
            v->slope[i][k] = (above - weighted(p, v, scratch)) / (2 * DIFFERENCE) * (p->weight != 0 ? p->weight : 1);
            v->x[i][k] = at;
        }
    mem_free(scratch);
}

static void expect(const struct problem *p, const struct kernels *k, const char *what, size_t input,
                   const double *want, const float *got, double before, size_t n) {
    double largest = 1e-3;
    const double tolerance = TOLERANCE * (p->slack > 0 ? p->slack : 1);
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i] + before));
    for (size_t i = 0; i < n; i++)
        if (!(fabs(want[i] + before - (double)got[i]) <= tolerance * largest))
            fail_msg("%s, kernels %s: %s %zu [%zu] expected %.9g, found %.9g (allowed %.3g)", p->name, k->name,
                     what, input, i, want[i] + before, (double)got[i], tolerance * largest);
}

/* before: what every gradient holds already; 0: nothing was written. */
static void compare(const struct problem *p, const struct numbers *v, const struct kernels *k,
                    struct parallel *parallel, float before) {
    struct tape t;
    struct tensor *x[MOST_INPUTS] = {0};
    double loss = 0;
    assert_true(tape_init(&t, parallel, k, SEED));
    tape_reset(&t, true, STEP);
    for (size_t i = 0; i < p->n_inputs; i++) {
        x[i] = tape_tensor(&t, p->input[i].rows, p->input[i].cols, i > 0 || !p->first_is_frozen);
        for (size_t e = 0; e < v->n_in[i]; e++) x[i]->value[e] = (float)v->x[i][e];
        if (!x[i]->gradient) continue;
        for (size_t e = 0; e < v->n_in[i]; e++) x[i]->gradient[e] = before != 0 ? before : NAN;
        x[i]->written = before != 0;
    }
    struct tensor *y = p->engine(p, &t, x, &loss);
    if (p->is_loss) {
        expect(p, k, "loss", 0, v->y, &(float){(float)loss}, 0, 1);
    } else {
        assert_non_null(y);
        assert_int_equal(y->rows * y->cols, v->n_out);
        expect(p, k, "result", 0, v->y, y->value, 0, v->n_out);
        for (size_t i = 0; i < v->n_out; i++) y->gradient[i] = (float)v->weights[i];
        y->written = true;
        tape_backward(&t);
    }
    assert_false(tape_failed(&t));
    for (size_t i = 0; i < p->n_inputs; i++) {
        if (!x[i]->gradient) continue;
        tensor_open_gradient(x[i]); /* a loss without targets writes nothing */
        expect(p, k, "gradient", i, v->slope[i], x[i]->gradient, (double)before, v->n_in[i]);
    }
    tape_deinit(&t);
}

static void solve(const struct problem *p) {
    static const char *const tables[] = {"scalar", "avx2", "avx512", "neon"};
    struct numbers v = {0};
    struct parallel *parallel;
    assert_int_equal(parallel_create(N_THREADS, &parallel, NULL), GENAIR_OK);
    compute_reference(p, &v);
    for (size_t i = 0; i < COUNT(tables); i++) {
        const struct kernels *k = kernels_select(tables[i]);
        if (!k) continue;
        compare(p, &v, k, parallel, 0);
        compare(p, &v, k, parallel, 0.5f);
    }
    parallel_free(parallel);
    for (size_t i = 0; i < p->n_inputs; i++) {
        mem_free(v.x[i]);
        mem_free(v.slope[i]);
    }
    mem_free(v.y);
    mem_free(v.weights);
}

static void solve_all(const struct problem *problems, size_t n) {
    for (size_t i = 0; i < n; i++) solve(&problems[i]);
}

/* ---- the problems ---- */

static void test_linear(void **state) {
    (void)state;
    static const struct problem problems[] = {
        {"linear", linear_reference, linear_engine, 3, {{5, 7}, {3, 7}, {1, 3}}, .weight = 1},
        {"linear, no bias", linear_reference, linear_engine, 2, {{17, 33}, {18, 33}}, .weight = 1},
        {"linear, frozen input", linear_reference, linear_engine, 3, {{5, 7}, {3, 7}, {1, 3}},
         .first_is_frozen = true},
        {"linear, one row", linear_reference, linear_engine, 3, {{1, 4}, {2, 4}, {1, 2}}, .weight = 1},
        {"linear, no rows", linear_reference, linear_engine, 3, {{0, 4}, {2, 4}, {1, 2}}, .weight = 1},
        {"linear, several tasks", linear_reference, linear_engine, 3, {{530, 2}, {3, 2}, {1, 3}}, .weight = 1},
        {"linear, several blocks of terms", linear_reference, linear_engine, 3, {{2, 270}, {3, 270}, {1, 3}}, .weight = 1},
    };
    solve_all(problems, COUNT(problems));
}

static void test_layernorm(void **state) {
    (void)state;
    static const struct problem problems[] = {
        {"layernorm", layernorm_reference, layernorm_engine, 3, {{4, 13}, {1, 13}, {1, 13}}, .eps = 1e-8f},
        {"layernorm, wide", layernorm_reference, layernorm_engine, 3, {{3, 40}, {1, 40}, {1, 40}}, .eps = 1e-5f},
        {"layernorm, several tasks", layernorm_reference, layernorm_engine, 3, {{130, 4}, {1, 4}, {1, 4}},
         .eps = 1e-1f},
        {"layernorm, no rows", layernorm_reference, layernorm_engine, 3, {{0, 4}, {1, 4}, {1, 4}}, .eps = 1e-5f},
    };
    solve_all(problems, COUNT(problems));
}

static void test_rmsnorm(void **state) {
    (void)state;
    static const struct problem problems[] = {
        {"rmsnorm", rmsnorm_reference, rmsnorm_engine, 2, {{4, 13}, {1, 13}}, .eps = 1e-5f},
        {"rmsnorm, wide", rmsnorm_reference, rmsnorm_engine, 2, {{3, 40}, {1, 40}}, .eps = 1e-1f},
        {"rmsnorm, several tasks", rmsnorm_reference, rmsnorm_engine, 2, {{130, 4}, {1, 4}}, .eps = 1e-2f},
        {"rmsnorm, several tasks, frozen gain", rmsnorm_frozen_reference, rmsnorm_frozen_engine, 1, {{130, 4}},
         .eps = 1e-2f},
        {"rmsnorm, no rows", rmsnorm_reference, rmsnorm_engine, 2, {{0, 4}, {1, 4}}, .eps = 1e-5f},
    };
    solve_all(problems, COUNT(problems));
}

static void test_elementwise(void **state) {
    (void)state;
    const struct problem problems[] = {
        {"gelu", gelu_reference, gelu_engine, 1, {{9, 15}}, .weight = 1},
        {"leaky relu", leaky_reference, leaky_engine, 1, {{9, 15}}, .weight = 1},
        {"unit rows", unit_reference, unit_engine, 1, {{70, 5}}, .weight = 1},
        {"unit rows of nothing", unit_reference, unit_engine, 1, {{0, 5}}, .weight = 1},
        {"overlay", overlay_reference, overlay_engine, 1, {{5, 3}}, .index = LIST(3, 0, 1, 1, 2), .n = 15},
        {"overlay, added", overlay_reference, overlay_engine, 1, {{5, 3}}, .index = LIST(3, 0, 1, 1, 2), .n = 15, .form = 1},
        {"overlay, whole", overlay_reference, overlay_engine, 1, {{2, 7}}, .index = LIST(3, 0), .n = 15},
        {"slots", slots_reference, slots_engine, 1, {{1, 7}}, .index = LIST(3, 0, MASK_ROW, 1, 2, 2, MASK_ROW), .n = 7},
        {"slots of nothing", slots_reference, slots_engine, 1, {{1, 7}}, .index = LIST(0), .n = 0},
        {"means of groups", group_reference, group_engine, 1, {{9, 3}}, .offsets = LIST(0, 1, 5, 9), .n_sequences = 3},
        {"square", square_reference, square_engine, 2, {{70, 4}, {70, 4}}, .is_loss = true},
        {"direction", direction_reference, direction_engine, 2, {{70, 4}, {70, 4}}, .is_loss = true},
        {"swiglu", swiglu_reference, swiglu_engine, 2, {{9, 15}, {9, 15}}, .weight = 1},
        {"swiglu of nothing", swiglu_reference, swiglu_engine, 2, {{0, 3}, {0, 3}}, .weight = 1},
        {"relu", dropout_relu_reference, dropout_relu_engine, 1, {{9, 15}}, .weight = 1},
        {"relu with dropout", dropout_relu_reference, dropout_relu_engine, 1, {{9, 15}}, .dropout = 0.5},
        {"relu with little dropout", dropout_relu_reference, dropout_relu_engine, 1, {{3, 67}}, .dropout = 0.1},
        {"scaled", dropout_scaled_reference, dropout_scaled_engine, 1, {{9, 15}}, .weight = 1},
        {"scaled with dropout", dropout_scaled_reference, dropout_scaled_engine, 1, {{9, 15}}, .dropout = 0.1},
        {"add", dropout_add_reference, add_engine, 2, {{9, 15}, {9, 15}}, .weight = 1},
        {"add with dropout", dropout_add_reference, dropout_add_engine, 2, {{9, 15}, {9, 15}}, .dropout = 0.3},
        {"add without dropout", dropout_add_reference, dropout_add_engine, 2, {{2, 3}, {2, 3}}, .weight = 1},
        {"no elements", dropout_add_reference, dropout_add_engine, 2, {{0, 3}, {0, 3}}, .dropout = 0.3},
    };
    solve_all(problems, COUNT(problems));
}

enum { N_TOKENS = 13, N_SEQUENCES = 5 };
#define TOKENS LIST(3, 0, MASK_ROW, 3, 3, 1, MASK_ROW, 4, 0, 1, 1, 3, MASK_ROW)
#define WITHOUT_MASK LIST(3, 0, 2, 3, 3, 1, 2, 4, 0, 1, 1, 3, 4)
#define OFFSETS LIST(0, 3, 4, 4, 11, 13) /* lengths 3, 1, 0, 7, 2 */

/* n columns from form on. */
static size_t columns_reference(const struct problem *p, const double *const *x, double *y) {
    for (size_t r = 0; r < p->input[0].rows; r++)
        for (size_t c = 0; c < p->n; c++) y[r * p->n + c] = x[0][r * p->input[0].cols + (size_t)p->form + c];
    return p->input[0].rows * p->n;
}

static struct tensor *columns_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)loss;
    return op_columns(t, x[0], (size_t)p->form, p->n);
}

/* With one input, it stands beside itself. */
static size_t beside_reference(const struct problem *p, const double *const *x, double *y) {
    const size_t second = p->n_inputs - 1, a = p->input[0].cols, b = p->input[second].cols;
    for (size_t r = 0; r < p->input[0].rows; r++)
        for (size_t c = 0; c < a + b; c++) y[r * (a + b) + c] = c < a ? x[0][r * a + c] : x[second][r * b + c - a];
    return p->input[0].rows * (a + b);
}

static struct tensor *beside_engine(const struct problem *p, struct tape *t, struct tensor *const *x, double *loss) {
    (void)loss;
    return op_beside(t, x[0], x[p->n_inputs - 1]);
}

static void test_columns(void **state) {
    (void)state;
    const struct problem problems[] = {
        {"columns, left", columns_reference, columns_engine, 1, {{70, 7}}, .n = 3},
        {"columns, right", columns_reference, columns_engine, 1, {{70, 7}}, .n = 4, .form = 3},
        {"columns of nothing", columns_reference, columns_engine, 1, {{0, 7}}, .n = 4, .form = 3},
        {"beside", beside_reference, beside_engine, 2, {{70, 3}, {70, 5}}, .n = 0},
        {"beside itself", beside_reference, beside_engine, 1, {{9, 3}}, .n = 0},
    };
    solve_all(problems, COUNT(problems));
}

static void test_rows(void **state) {
    (void)state;
    uint32_t many[150];
    for (size_t i = 0; i < COUNT(many); i++) many[i] = (uint32_t)(i * i % 40);
    const struct problem problems[] = {
        {"gather", rows_reference, gather_engine, 2, {{5, 6}, {1, 6}}, .index = TOKENS, .n = N_TOKENS},
        {"gather of nothing", rows_reference, gather_engine, 2, {{5, 6}, {1, 6}}, .index = TOKENS, .n = 0},
        {"gather with dropout", rows_reference, gather_engine, 1, {{5, 6}}, .index = WITHOUT_MASK, .n = N_TOKENS,
         .dropout = 0.4},
        {"gather, several tasks", rows_reference, gather_engine, 1, {{40, 3}}, .index = many, .n = COUNT(many),
         .dropout = 0.5},
        {"embed", rows_reference, embed_engine, 3, {{5, 6}, {1, 6}, {8, 6}}, .index = TOKENS, .n = N_TOKENS,
         .offsets = OFFSETS, .n_sequences = N_SEQUENCES},
        {"embed with dropout", rows_reference, embed_engine, 3, {{5, 6}, {1, 6}, {9, 6}}, .index = TOKENS,
         .n = N_TOKENS, .offsets = OFFSETS, .n_sequences = N_SEQUENCES, .dropout = 0.5},
        {"embed, nothing is masked", rows_reference, embed_engine, 3, {{5, 6}, {1, 6}, {8, 6}},
         .index = WITHOUT_MASK, .n = N_TOKENS, .offsets = OFFSETS, .n_sequences = N_SEQUENCES},
    };
    solve_all(problems, COUNT(problems));
}

/* Lengths 1, 20, 0, 3, 16, 2: below, at and above what attention hands to matrix products. */
#define MIXED LIST(0, 1, 21, 21, 24, 40, 42)

static void test_attention(void **state) {
    (void)state;
    static const size_t heads[] = {1, 2, 4};
    static const double dropouts[] = {0, 0.4};
    for (size_t i = 0; i < COUNT(heads) * COUNT(dropouts) * 2; i++) {
        char name[64];
        struct problem p = {name, attention_reference, attention_engine, 2, {{42, 8}, {42, 16}}, .offsets = MIXED,
                            .n_sequences = 6, .n_heads = heads[i % 3], .causal = i / 6, .dropout = dropouts[i / 3 % 2]};
        snprintf(name, sizeof name, "%s attention, %zu heads, dropout %g", p.causal ? "causal" : "full", p.n_heads,
                 p.dropout);
        solve(&p);
    }
    for (int apart = 0; apart < 2; apart++) {
        const struct problem grouped = {apart ? "grouped attention, values apart" : "grouped attention",
                                        attention_reference, attention_engine, apart ? 3 : 2,
                                        {{42, 8}, {42, apart ? 4 : 8}, {42, 4}}, .offsets = MIXED, .n_sequences = 6,
                                        .n_heads = 4, .group = 2, .causal = true};
        solve(&grouped);
    }
    const struct problem empty = {"attention of nothing", attention_reference, attention_engine, 2,
                                  {{0, 8}, {0, 16}}, .offsets = LIST(0, 0), .n_sequences = 1, .n_heads = 2};
    solve(&empty);
}

static void test_rope(void **state) {
    (void)state;
    const struct problem problems[] = {
        {"rope", rope_reference, rope_engine, 1, {{N_TOKENS, 15}}, .offsets = OFFSETS, .n_sequences = N_SEQUENCES},
        {"rope, nothing passes through", rope_reference, rope_engine, 1, {{42, TURNED}}, .offsets = MIXED,
         .n_sequences = 6},
        {"rope, halves, slowed down", rope_reference, rope_engine, 1, {{N_TOKENS, 15}}, .offsets = OFFSETS,
         .n_sequences = N_SEQUENCES, .halves = true},
        {"rope of nothing", rope_reference, rope_engine, 1, {{0, 15}}, .offsets = LIST(0, 0), .n_sequences = 1},
    };
    solve_all(problems, COUNT(problems));
}

static void test_mean(void **state) {
    (void)state;
    const struct problem problems[] = {
        {"mean", mean_reference, mean_engine, 1, {{13, 7}}, .offsets = LIST(0, 3, 4, 11, 13), .n_sequences = 4},
        {"mean of nothing", mean_reference, mean_engine, 1, {{0, 7}}, .offsets = LIST(0)},
    };
    solve_all(problems, COUNT(problems));
}

static void test_gru(void **state) {
    (void)state;
    uint32_t many[152] = {0};
    for (size_t b = 1; b < COUNT(many); b++) many[b] = many[b - 1] + (uint32_t)(b * 7 % 4);
    const struct problem problems[] = {
        {"gru", gru_reference, gru_engine, 2, {{N_TOKENS, 18}, {18, 6}}, .offsets = OFFSETS,
         .n_sequences = N_SEQUENCES},
        {"gru, one sequence", gru_reference, gru_engine, 2, {{9, 15}, {15, 5}}, .offsets = LIST(0, 9),
         .n_sequences = 1},
        {"gru, nothing", gru_reference, gru_engine, 2, {{0, 6}, {6, 2}}, .offsets = LIST(0, 0), .n_sequences = 1},
        {"gru, several groups", gru_reference, gru_engine, 2, {{many[151], 6}, {6, 2}}, .offsets = many,
         .n_sequences = 151},
    };
    solve_all(problems, COUNT(problems));
}

static void test_pair_losses(void **state) {
    (void)state;
    static const char *const names[] = {[PAIR_BCE] = "bce", [PAIR_BPR] = "bpr", [PAIR_BPR_SUM] = "bpr, summed",
                                        [PAIR_SAMPLED_SOFTMAX] = "sampled softmax", [PAIR_GBCE] = "gbce"};
    uint32_t positives[70], negatives[70 * 3];
    for (size_t i = 0; i < 70 * 3; i++) negatives[i] = (uint32_t)(i * i % 11);
    for (size_t i = 0; i < 70; i++) positives[i] = (uint32_t)(i * 5 % 11); /* a negative too, now and then */
    for (int form = PAIR_BCE; form <= PAIR_GBCE; form++)
        for (size_t k = 1; k <= 3; k += 2) {
            struct problem p = {names[form], pair_reference, pair_engine, 2, {{70, 4}, {11, 4}}, .is_loss = true,
                                .index = positives, .negatives = negatives, .n_negatives = k, .form = form};
            solve(&p);
            p.input[0].rows = 1;
            solve(&p);
            p.input[0].rows = 0; /* a batch without targets */
            solve(&p);
        }
}

static void test_softmax_loss(void **state) {
    (void)state;
    uint32_t positives[530];
    for (size_t i = 0; i < COUNT(positives); i++) positives[i] = (uint32_t)(i * 3 % 5);
    const struct problem problems[] = {
        {"softmax", softmax_reference, softmax_engine, 2, {{7, 4}, {37, 4}}, .is_loss = true, .index = positives},
        {"softmax, several blocks", softmax_reference, softmax_engine, 2, {{530, 2}, {5, 2}}, .is_loss = true,
         .index = positives},
        {"softmax, many items", softmax_reference, softmax_engine, 2, {{3, 2}, {600, 2}}, .is_loss = true,
         .index = positives},
        {"softmax, no targets", softmax_reference, softmax_engine, 2, {{0, 4}, {37, 4}}, .is_loss = true,
         .index = positives},
        {"softmax, weighted", weighted_softmax_reference, weighted_softmax_engine, 2, {{7, 4}, {37, 4}},
         .is_loss = true, .index = positives},
        {"softmax, weighted, several blocks", weighted_softmax_reference, weighted_softmax_engine, 2,
         {{530, 2}, {5, 2}}, .is_loss = true, .index = positives},
    };
    solve_all(problems, COUNT(problems));
}

static void test_calibration(void **state) {
    (void)state;
    static const char *const names[] = {[CALIBRATION_KERNEL] = "calibration, kernel",
                                        [CALIBRATION_DOT] = "calibration, dot",
                                        [CALIBRATION_LINEAR] = "calibration, linear"};
    for (int form = CALIBRATION_KERNEL; form <= CALIBRATION_LINEAR; form++) {
        const struct problem problems[] = {
            {names[form], calibration_reference, calibration_engine, 1, {{6, 5}}, .is_loss = true,
             .index = LIST(4, 1, 0, 5), .n = 4, .multiplicity = LIST(1, 1, 1, 1), .form = form, .weight = 1},
            {names[form], calibration_reference, calibration_engine, 1, {{6, 5}}, .is_loss = true,
             .index = LIST(2, 4, 1, 0, 3), .n = 5, .multiplicity = LIST(1, 3, 2, 1, 4), .form = form,
             .weight = 0.25},
            {names[form], calibration_reference, calibration_engine, 1, {{6, 5}}, .is_loss = true,
             .index = LIST(4), .n = 1, .multiplicity = LIST(3), .form = form, .weight = 1},
            {names[form], calibration_reference, calibration_engine, 1, {{6, 5}}, .is_loss = true,
             .index = LIST(4), .n = 1, .multiplicity = LIST(1), .form = form, .weight = 1},
            {names[form], calibration_reference, calibration_engine, 1, {{6, 5}}, .is_loss = true,
             .index = LIST(4), .n = 0, .multiplicity = LIST(1), .form = form, .weight = 1},
        };
        solve_all(problems, COUNT(problems));
    }
}

static void test_contrastive(void **state) {
    (void)state;
    static const char *const names[] = {[CONTRAST_SOFT] = "soft labels", [CONTRAST_INFONCE] = "infonce"};
    /* Slopes are sums of terms several times as large, tau's most of all (measured: 1.1e-5 of it). */
    for (int form = CONTRAST_SOFT; form <= CONTRAST_INFONCE; form++) {
        const struct problem problems[] = {
            {names[form], contrast_reference, contrast_engine, 3, {{6, 5}, {6, 5}, {1, 1}}, .is_loss = true,
             .form = form, .slack = 3},
            {names[form], contrast_reference, contrast_engine, 3, {{5, 3}, {5, 3}, {1, 1}}, .is_loss = true,
             .form = form, .multiplicity = LIST(1, 3, 2, 1, 4), .weight = 0.25, .slack = 3},
            {names[form], contrast_reference, contrast_engine, 3, {{5, 3}, {5, 3}, {1, 1}}, .is_loss = true,
             .form = form, .first_is_frozen = true, .slack = 3},
            {names[form], contrast_reference, contrast_engine, 3, {{1, 3}, {1, 3}, {1, 1}}, .is_loss = true,
             .form = form, .slack = 3},
        };
        solve_all(problems, COUNT(problems));
    }
}

/* Many tiles: the same things as multiplicities of a few and one by one, kept and made again. */
static double contrast_of(size_t copies, struct tensor *x, struct tensor *y, struct tape *t, float *slopes) {
    const size_t n = 3, m = 5;
    static uint32_t multiplicity[5];
    for (size_t i = 0; i < m; i++) multiplicity[i] = (uint32_t)copies;
    struct tensor *all[2] = {x, y};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < all[k]->rows * n; i++) all[k]->value[i] = cosf((float)(i % (m * n) * (k + 2)));
    float tau = 1.5f, dtau = 0;
    const struct contrast c = {.form = CONTRAST_SOFT, .weight = 1, .tau = tape_view(t, 1, 1, &tau, &dtau),
                               .multiplicity = x->rows == m ? multiplicity : NULL};
    const double loss = contrastive_loss(t, x, y, &c);
    memset(slopes, 0, 31 * sizeof *slopes);
    for (size_t i = 0; i < x->rows * n; i++) {
        slopes[i % (m * n)] += x->gradient[i];
        slopes[15 + i % (m * n)] += y->gradient[i];
    }
    slopes[30] = dtau;
    return loss;
}

static void test_contrastive_tiles(void **state) {
    (void)state;
    struct parallel *parallel;
    struct tape t;
    assert_int_equal(parallel_create(N_THREADS, &parallel, NULL), GENAIR_OK);
    assert_true(tape_init(&t, parallel, kernels_select(NULL), SEED));
    for (size_t copies = 30; copies <= 420; copies += 390) { /* 150 places, 2100 */
        float few[31], many[31];
        tape_reset(&t, true, STEP);
        const double a = contrast_of(copies, tape_tensor(&t, 5, 3, true), tape_tensor(&t, 5, 3, true), &t, few);
        const double b = contrast_of(copies, tape_tensor(&t, 5 * copies, 3, true),
                                     tape_tensor(&t, 5 * copies, 3, true), &t, many);
        assert_true(fabs(a - b) < 1e-5);
        for (size_t i = 0; i < COUNT(few); i++)
            if (!(fabs((double)(few[i] - many[i])) < 2e-5)) fail_msg("%zu: %g and %g", i, (double)few[i], (double)many[i]);
    }
    tape_deinit(&t);
    parallel_free(parallel);
}

/* Values worked out by hand. */
static void test_contrastive_values(void **state) {
    (void)state;
    static const struct {
        enum contrast_form form;
        float tau, x[4], y[4];
        double loss;
    } cases[] = {
        {CONTRAST_SOFT, 1, {1, 0, 0, 1}, {1, 0, 0, 1}, 0.582203109},
        {CONTRAST_SOFT, 2, {1, 0, 0, 1}, {1, 0, 0, 1}, 0.533678445},
        {CONTRAST_SOFT, 3, {1, 0, 0, 1}, {1, 0, 0, 1}, 0.556114199},
        {CONTRAST_SOFT, 2, {1, 0, 0, 2}, {0.5f, 0.5f, 1, -1}, 1.222169425},
        {CONTRAST_SOFT, 2, {3, 1, 3, 1}, {-1, 2, -1, 2}, 0.693147181},
        {CONTRAST_INFONCE, 0.5f, {1, 0, 0, 1}, {1, 0, 0, 1}, 0.126928011},
    };
    struct parallel *parallel;
    struct tape t;
    assert_int_equal(parallel_create(1, &parallel, NULL), GENAIR_OK);
    assert_true(tape_init(&t, parallel, kernels_select(NULL), SEED));
    for (size_t i = 0; i < COUNT(cases); i++) {
        float x[4], y[4], tau = cases[i].tau;
        memcpy(x, cases[i].x, sizeof x);
        memcpy(y, cases[i].y, sizeof y);
        tape_reset(&t, false, STEP);
        const double loss = contrastive_loss(&t, tape_view(&t, 2, 2, x, NULL), tape_view(&t, 2, 2, y, NULL),
                                             &(struct contrast){.form = cases[i].form, .weight = 1,
                                                                .tau = tape_view(&t, 1, 1, &tau, NULL)});
        if (!(fabs(loss - cases[i].loss) < 3e-7)) fail_msg("case %zu: %.9f, expected %.9f", i, loss, cases[i].loss);
    }
    tape_deinit(&t);
    parallel_free(parallel);
}

static void expect_near(double found, double expected) {
    if (!(fabs(found - expected) < 1e-12)) fail_msg("expected %.17g, found %.17g", expected, found);
}

/* gSASRec: t = 0 is plain BCE, t = 1 undoes the sampling altogether. */
static void test_gbce_beta(void **state) {
    (void)state;
    expect_near(gbce_beta(256, 10001, 0), 1);
    expect_near(gbce_beta(256, 10001, 1), 0.0256);
    expect_near(gbce_beta(256, 10001, 0.75), 0.25 + 0.75 * 0.0256);
    expect_near(gbce_beta(256, 100, 0.75), 1); /* more negatives than items */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),      cmocka_unit_test(test_layernorm),
        cmocka_unit_test(test_rmsnorm),     cmocka_unit_test(test_rope),
        cmocka_unit_test(test_elementwise), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_attention),   cmocka_unit_test(test_gru),
        cmocka_unit_test(test_pair_losses), cmocka_unit_test(test_softmax_loss),
        cmocka_unit_test(test_calibration), cmocka_unit_test(test_gbce_beta),
        cmocka_unit_test(test_contrastive), cmocka_unit_test(test_contrastive_tiles),
        cmocka_unit_test(test_contrastive_values), cmocka_unit_test(test_mean),
        cmocka_unit_test(test_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
