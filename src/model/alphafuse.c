/* SPDX-License-Identifier: Apache-2.0 */
/* AlphaFuse (Hu et al., 2025): the first d whitened components of the language vectors stay as they are; only where
 * language varies least, in the last n of them, an item has a trained vector: added to it, or in its place. */
#include "model/backbones.h"
#include "model/method.h"
#include "tensor/ops.h"

#include <string.h>

static bool is(const struct model *m, const char *option, const char *value) {
    return strcmp(method_text(m->config.inputs->options, option), value) == 0;
}

static struct matrix_request matrix(const json_t *options, size_t which) {
    (void)which;
    return (struct matrix_request){.components = method_count(options, "hidden"), .exact = true,
                                   .whiten = strcmp(method_text(options, "alphafuse-standardize"), "no") != 0};
}

static genair_code parameters(struct model *m, const float *language, genair_status *st) {
    const size_t given = method_count(m->config.inputs->options, "alphafuse-null");
    const size_t n = given ? given : (m->config.hidden + 1) / 2;
    (void)language;
    if (n > m->config.hidden)
        return fail(st, GENAIR_USAGE, "--alphafuse-null %zu: allowed is 1 to --hidden, %zu", n, m->config.hidden);
    const genair_code code = add_table(m, "alphafuse.table", n, NULL, st);
    if (code != GENAIR_OK) return code;
    if (is(m, "alphafuse-init", "normal"))
        parameter_normal(m->table, 1, m->seed);
    else
        parameter_fill(m->table, 0);
    memset(m->table->value, 0, n * sizeof *m->table->value);
    return GENAIR_OK;
}

/* Whitened coordinates have variance 1: places and the mask start on that scale. */
static genair_code begin(struct model *m, genair_status *st) {
    (void)st;
    struct parameter *mask = parameters_find(m->parameters, "mask_emb");
    struct parameter *places = parameters_find(m->parameters, "pos_emb");
    if (mask) parameter_normal(mask, 1, m->seed);
    if (places && m->config.input_scale > 0) parameter_normal(places, 1, m->seed);
    return GENAIR_OK;
}

static struct tensor *items(struct model *m, struct tensor *source, const uint32_t *ids) {
    const float *language = m->config.inputs->matrix[0].values; /* of item 1 first */
    uint32_t *rows = tape_array(&m->tape, source->rows, sizeof *rows);
    for (size_t i = 0; rows && i < source->rows; i++) rows[i] = ids[i] - 1;
    return rows ? op_overlay(&m->tape, language, m->config.hidden, rows, source, !is(m, "alphafuse-fuse", "concat"))
                : NULL;
}

const struct method method_alphafuse = {.name = "alphafuse", .n_matrices = 1, .matrix = matrix, .term = "calibration",
                                        .weight_options = "", .parameters = parameters, .begin = begin,
                                        .items = items};
