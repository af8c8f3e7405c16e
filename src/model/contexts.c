/* SPDX-License-Identifier: Apache-2.0 */
#include "model/contexts.h"

#include "base/alloc.h"

#include <string.h>

/* One pass over all occurrences: counts contexts (start[i + 1] of item i), or puts them and moves every start[i] to the
 * next item's. */
static void pass(struct contexts *c, contexts_rule *rule, const void *how, bool putting) {
    for (uint32_t u = 0; u < c->data->n_users; u++) {
        uint32_t n;
        const uint32_t *items = dataset_training(c->data, u, &n);
        for (uint32_t p = 0; p < n; p++) {
            const int n_contexts = rule(how, n, p);
            if (!putting) {
                c->count[items[p]]++;
                c->start[items[p] + 1] += (uint64_t)n_contexts;
            }
            for (int k = 0; putting && k < n_contexts; k++)
                c->context[c->start[items[p]]++] = (struct context){u, p, k > 0};
        }
    }
}

/* A counting sort. */
genair_code contexts_collect(const struct dataset *data, contexts_rule *rule, const void *how, struct contexts *out,
                             genair_status *st) {
    const size_t n = data->n_items;
    out->data = data;
    out->count = mem_zeros(n + 1, sizeof *out->count);
    out->start = mem_zeros(n + 2, sizeof *out->start);
    if (!out->count || !out->start) return fail_memory(st);
    pass(out, rule, how, false);
    for (size_t i = 1; i <= n + 1; i++) out->start[i] += out->start[i - 1];
    out->context = mem_array((size_t)out->start[n + 1] + 1, sizeof *out->context);
    if (!out->context) return fail_memory(st);
    pass(out, rule, how, true);
    memmove(out->start + 1, out->start, (n + 1) * sizeof *out->start);
    out->start[0] = 0;
    return GENAIR_OK;
}

void contexts_free(struct contexts *c) {
    mem_free(c->count);
    mem_free(c->start);
    mem_free(c->context);
    *c = (struct contexts){0};
}
