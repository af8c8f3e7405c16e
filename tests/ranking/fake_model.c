/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_model.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <assert.h>
#include <string.h>

static void user_vector(const struct fake_model *m, const struct histories *h, size_t b,
                        float *out) {
    memset(out, 0, m->width * sizeof *out);
    for (uint64_t i = h->offsets[b]; i < h->offsets[b + 1]; i++)
        for (size_t j = 0; j < m->width; j++)
            out[j] += m->vectors[h->items[i] * m->width + j];
}

static genair_code encode(void *model, const struct histories *h, float *out, genair_status *st) {
    (void)st;
    const struct fake_model *m = model;
    for (size_t b = 0; b < h->n; b++)
        user_vector(m, h, b, out + b * m->width);
    return GENAIR_OK;
}

static genair_code scores(void *model, const struct histories *h, float *out, genair_status *st) {
    (void)st;
    const struct fake_model *m = model;
    float user[512];
    assert(m->width <= 512);
    const size_t columns = (size_t)m->scorer.n_items + 1;
    for (size_t b = 0; b < h->n; b++) {
        user_vector(m, h, b, user);
        for (size_t i = 0; i < columns; i++) {
            double sum = 0;
            for (size_t j = 0; j < m->width; j++)
                sum += (double)user[j] * (double)m->vectors[i * m->width + j];
            out[b * columns + i] = (float)sum;
        }
    }
    return GENAIR_OK;
}

struct fake_model *fake_model(uint32_t n_items, size_t width, int exact, uint64_t seed) {
    struct fake_model *m = mem_zeros(1, sizeof *m);
    m->width = width;
    m->vectors = mem_zeros(((size_t)n_items + 1) * width, sizeof *m->vectors);
    struct rng r = rng_start(seed, RNG_TEST, UINT64_MAX);
    for (size_t i = width; i < ((size_t)n_items + 1) * width; i++)
        m->vectors[i] = exact ? (float)rng_below(&r, 5) - 2 : (float)rng_normal(&r);
    m->scorer = (struct scorer){.n_items = n_items, .width = width, .item_vectors = m->vectors, .model = m, .encode = encode};
    m->rows = (struct scorer){.n_items = n_items, .model = m, .scores = scores};
    return m;
}

void fake_model_free(struct fake_model *m) {
    mem_free(m->vectors);
    mem_free(m);
}
