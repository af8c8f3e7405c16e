/* SPDX-License-Identifier: Apache-2.0 */
#include "golden/golden_model.h"

#include "base/size.h"
#include "tensor/ops.h"

#include <stdio.h>
#include <string.h>

static enum backbone backbone_of(struct golden *g) {
    const char *name = golden_text(g, "model");
    for (int i = 0; i < N_BACKBONES; i++)
        if (strcmp(name, backbone_names[i]) == 0) return (enum backbone)i;
    golden_fail(g, "\"hyper\": there is no model \"%s\"", name);
    return GRU4REC;
}

static size_t positions_of(struct golden *g) {
    const json_t *generated = json_object_get(json_object_get(golden_json(g), "generated"), "pos_emb");
    if (generated) return (size_t)json_integer_value(json_array_get(json_object_get(generated, "shape"), 0));
    return golden_dim(g, "param.pos_emb", 0);
}

struct model_config golden_config(struct golden *g) {
    struct model_config c = {.backbone = backbone_of(g),
                             .n_items = (size_t)golden_number(g, "items"),
                             .hidden = (size_t)golden_number(g, "d")};
    if (c.backbone == GRU4REC) {
        c.n_positions = SIZE_MAX; /* GRU4Rec has no positions: any length */
        return c;
    }
    c.n_layers = (size_t)golden_number(g, "layers");
    c.n_heads = (size_t)golden_number(g, "heads");
    c.n_positions = positions_of(g);
    c.causal = strcmp(golden_text(g, "attention"), "causal") == 0;
    return c;
}

struct adam_options golden_adam(struct golden *g) {
    const json_t *hyper = json_object_get(golden_json(g), "hyper"), *adam = json_object_get(hyper, "adam");
    if (!adam) adam = hyper; /* the case of Adam alone */
    const json_t *betas = json_object_get(adam, "betas");
    if (!betas) return (struct adam_options){1e-3, 0.9, 0.999, 1e-8, 0};
    return (struct adam_options){.rate = json_number_value(json_object_get(adam, "lr")),
                                 .beta1 = json_number_value(json_array_get(betas, 0)),
                                 .beta2 = json_number_value(json_array_get(betas, 1)),
                                 .epsilon = json_number_value(json_object_get(adam, "eps")),
                                 .decay = json_number_value(json_object_get(adam, "weight_decay"))};
}

struct model *golden_model(struct golden *g, const struct model_config *config, const float *fused,
                           const struct adam_options *adam) {
    struct model *m = NULL;
    if (golden_failed(g)) return NULL;
    if (!golden_ok(g, model_create(config, fused, context_parallel(golden_context(g)), golden_kernels(g), adam, 1,
                                   &m, golden_status(g))))
        return NULL;
    return m;
}

/* A table's row 0 is not in the case. */
static size_t hidden_values(const struct parameter *p) {
    return p->done ? p->cols : 0;
}

static bool begins_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

void golden_set_parameters(struct golden *g, struct model *m, const char *prefix) {
    for (size_t i = 0; i < parameters_count(m->parameters); i++) {
        struct parameter *p = parameters_at(m->parameters, i);
        if (!begins_with(p->name, prefix)) continue;
        char name[128];
        snprintf(name, sizeof name, "param.%s", p->name);
        size_t n;
        const float *values = golden_f32(g, name, &n);
        if (!values) return;
        if (n != p->rows * p->cols - hidden_values(p)) {
            golden_fail(g, "%s: %zu values, the model has %zu", name, n, p->rows * p->cols - hidden_values(p));
            return;
        }
        memcpy(p->value + hidden_values(p), values, n * sizeof *values);
    }
}

void golden_expect_parameters(struct golden *g, struct model *m, const char *step) {
    for (size_t i = 0; i < parameters_count(m->parameters); i++) {
        struct parameter *p = parameters_at(m->parameters, i);
        if (p->done) parameters_catch_up(m->parameters, p, NULL, 0);
        char name[128];
        snprintf(name, sizeof name, "%s.%s", step, p->name);
        golden_expect_f32(g, name, p->value + hidden_values(p), p->rows * p->cols - hidden_values(p));
        for (size_t k = 0; k < hidden_values(p); k++)
            golden_expect_number(g, "row 0 of the table", 0, (double)p->value[k], 0);
    }
}

void golden_expect_gradients(struct golden *g, struct model *m, const char *prefix) {
    for (size_t i = 0; i < parameters_count(m->parameters); i++) {
        const struct parameter *p = parameters_at(m->parameters, i);
        if (!p->gradient || !begins_with(p->name, prefix)) continue;
        const size_t n = p->rows * p->cols;
        const bool written = p->tensor && p->tensor->written;
        const float *gradient = written ? p->gradient : golden_zeros(g, n, sizeof *gradient);
        char name[128];
        snprintf(name, sizeof name, "grad.%s", p->name);
        if (gradient) golden_expect_f32(g, name, gradient, n);
    }
}

const uint32_t *golden_items(struct golden *g, const char *array, size_t n_items, size_t *n) {
    const int64_t *values = golden_i64(g, array, n);
    uint32_t *items = values ? golden_zeros(g, *n, sizeof *items) : NULL;
    for (size_t i = 0; items && i < *n; i++) {
        if (values[i] < -1 || values[i] >= (int64_t)n_items) {
            golden_fail(g, "%s[%zu] is no item", array, i);
            return NULL;
        }
        items[i] = values[i] == -1 ? MASK_ROW : (uint32_t)values[i] + 1;
    }
    return items;
}

const uint32_t *golden_offsets(struct golden *g, const char *array, size_t *n_sequences) {
    size_t n;
    const uint32_t *offsets = golden_ids(g, array, INT32_MAX, 0, &n);
    if (!offsets) return NULL;
    for (size_t i = 1; i < n; i++)
        if (offsets[i] < offsets[i - 1]) golden_fail(g, "%s decreases at %zu", array, i);
    if (n == 0 || golden_failed(g)) return NULL;
    *n_sequences = n - 1;
    return offsets;
}

/* The k-th count of (row, column) falls into its row: once with both orders, once for a self pair. */
static void fill_table(struct cooccurrence *c, uint64_t *start, uint32_t *item, uint32_t *count, size_t n_pairs,
                       const uint32_t *pairs, const uint32_t *counts) {
    for (size_t k = 0; k < n_pairs; k++) {
        start[pairs[2 * k] + 1]++;
        start[pairs[2 * k + 1] + 1] += pairs[2 * k] != pairs[2 * k + 1];
        if (counts[k] > c->max_count) c->max_count = counts[k];
    }
    for (size_t i = 1; i <= c->n_items + 1; i++) start[i] += start[i - 1];
    /* Pairs are sorted: first the smaller partners of every row, then the larger, keep columns ascending. */
    uint64_t *at = start + c->n_items + 2; /* the second half of the array */
    memcpy(at, start, (c->n_items + 2) * sizeof *at);
    for (int larger = 0; larger < 2; larger++)
        for (size_t k = 0; k < n_pairs; k++) {
            const uint32_t a = pairs[2 * k], b = pairs[2 * k + 1];
            if (larger == 0 && a == b) continue;
            const uint32_t row = larger ? a : b, column = larger ? b : a;
            item[at[row]] = column;
            count[at[row]++] = counts[k];
        }
}

const struct cooccurrence *golden_pair_counts(struct golden *g, size_t n_items) {
    size_t n_values, n_counts;
    const uint32_t *pairs = golden_ids(g, "in.cooc_pairs", (int64_t)n_items, 1, &n_values);
    const uint32_t *counts = golden_ids(g, "in.cooc_counts", UINT32_MAX, 0, &n_counts);
    struct cooccurrence *c = golden_zeros(g, 1, sizeof *c);
    uint64_t *start = golden_zeros(g, 2 * (n_items + 2), sizeof *start);
    uint32_t *item = golden_zeros(g, n_values, sizeof *item);
    uint32_t *count = golden_zeros(g, n_values, sizeof *count);
    if (!pairs || !counts || !c || !start || !item || !count) return NULL;
    if (n_values != 2 * n_counts) {
        golden_fail(g, "in.cooc_pairs and in.cooc_counts do not belong together");
        return NULL;
    }
    *c = (struct cooccurrence){.n_items = (uint32_t)n_items, .n_pairs = n_counts, .start = start, .item = item,
                               .count = count};
    fill_table(c, start, item, count, n_counts, pairs, counts);
    golden_expect_number(g, "the largest co-occurrence count", golden_number(g, "cooc_max"), c->max_count, 0);
    return c;
}

bool golden_tape(struct golden *g, struct tape *t) {
    if (!tape_init(t, context_parallel(golden_context(g)), golden_kernels(g), 1)) {
        golden_fail(g, "out of memory");
        return false;
    }
    tape_reset(t, true, 1);
    return true;
}

struct tensor *golden_tensor(struct golden *g, struct tape *t, const char *array, size_t rows, size_t cols) {
    size_t n;
    const float *values = golden_f32(g, array, &n);
    struct tensor *x = tape_tensor(t, rows, cols, true);
    if (!values || !x || n != rows * cols) {
        golden_fail(g, "%s: %zu values, expected %zu times %zu", array, n, rows, cols);
        return NULL;
    }
    memcpy(x->value, values, n * sizeof *values);
    return x;
}

double golden_backward(struct golden *g, struct tape *t, struct tensor *y, const char *cotangent) {
    size_t n;
    const float *weights = golden_f32(g, cotangent, &n);
    if (!y || !weights || n != y->rows * y->cols) {
        golden_fail(g, "%s: %zu values, or memory is out", cotangent, n);
        return 0;
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)y->value[i] * (double)weights[i];
    memcpy(y->gradient, weights, n * sizeof *weights);
    y->written = true;
    tape_backward(t);
    if (tape_failed(t)) golden_fail(g, "out of memory");
    return sum;
}
