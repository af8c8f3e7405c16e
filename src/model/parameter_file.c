/* SPDX-License-Identifier: Apache-2.0 */
#include "model/parameter_file.h"

#include "base/size.h"
#include "model/owned_rows.h"

enum { VALUES_AT_ONCE = 1 << 20 };

static genair_code put(struct writer *w, struct hasher *h, const float *rows, size_t n, genair_status *st) {
    if (!w) return GENAIR_OK;
    if (h) hasher_add(h, rows, n * sizeof *rows);
    return writer_put(w, rows, n * sizeof *rows, st);
}

/* Rows first to end - 1, from 1 on, of all processes into w. */
static genair_code put_rows(struct model *m, const struct parameter *p, const float *array, size_t first, size_t end,
                            struct writer *w, struct hasher *h, genair_status *st) {
    struct tape *t = &m->tape;
    struct owned_rows o;
    tape_reset(t, false, 0);
    uint32_t *ids = tape_array(t, end - first, sizeof *ids);
    float *rows = w ? tape_array(t, (end - first) * p->cols, sizeof *rows) : NULL;
    for (size_t i = first; ids && i < end; i++) ids[i - first] = (uint32_t)i;
    if (!ids || (w && !rows) || !owned_rows_sort(t, m->config.group, ids, end - first, &o)) return fail_memory(st);
    const genair_code code = owned_rows_collect(t, m->config.group, &o, array, rows, p->cols, st);
    return code == GENAIR_OK ? put(w, h, rows, (end - first) * p->cols, st) : code;
}

genair_code parameter_put(struct model *m, const struct parameter *p, const float *array, struct writer *w,
                          struct hasher *h, genair_status *st) {
    const size_t most = max_size(1, VALUES_AT_ONCE / max_size(1, p->cols));
    if (shard_processes(&p->shard) == 1) return put(w, h, array, p->rows * p->cols, st);
    genair_code code = put(w, h, array, p->cols, st); /* row 0 */
    for (size_t first = 1; first < p->rows; first += most) {
        const genair_code more = put_rows(m, p, array, first, min_size(p->rows, first + most), w, h, st);
        if (code == GENAIR_OK) code = more;
    }
    return code;
}

genair_code parameter_get(const struct parameter *p, const struct safetensors *f, const struct safetensor *t, float *array,
                          genair_status *st) {
    const size_t bytes = p->cols * sizeof *array;
    if (shard_processes(&p->shard) == 1) return safetensors_read(f, t->offset, array, p->rows * bytes, st);
    genair_code code = p->held ? safetensors_read(f, t->offset, array, bytes, st) : GENAIR_OK;
    for (size_t place = 1; code == GENAIR_OK && place < p->held; place += SHARD_BLOCK)
        code = safetensors_read(f, t->offset + shard_row(&p->shard, place) * bytes, array + place * p->cols,
                                min_size(SHARD_BLOCK, p->held - place) * bytes, st);
    return code;
}
