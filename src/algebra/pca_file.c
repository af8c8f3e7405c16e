/* SPDX-License-Identifier: Apache-2.0 */
#include "algebra/pca_file.h"

#include "base/alloc.h"
#include "workspace/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PER_PART = 3, NAME_BYTES = 32 };
static const char *const kinds[PER_PART] = {"mean", "components", "variances"};

/* ---- writing ---- */

static struct safetensor tensor_of(const char *name, size_t rows, size_t cols, const double *values) {
    return (struct safetensor){.name = name, .type = "F64", .n_dims = rows ? 2 : 1, .shape = {rows ? rows : cols, cols},
                               .n_values = (rows ? rows : 1) * cols, .data = (const unsigned char *)values};
}

genair_code pca_file_write(const char *path, const struct pca parts[N_PARTS], bool whiten, genair_status *st) {
    char names[N_PARTS][PER_PART][NAME_BYTES];
    struct safetensor tensors[N_PARTS * PER_PART];
    size_t n = 0;
    for (size_t i = 0; i < N_PARTS; i++) {
        const struct pca *p = &parts[i];
        if (p->n_components == 0) continue;
        for (size_t k = 0; k < PER_PART; k++) snprintf(names[i][k], NAME_BYTES, "%s.%s", part_names[i], kinds[k]);
        tensors[n++] = tensor_of(names[i][0], 0, p->width, p->mean);
        tensors[n++] = tensor_of(names[i][1], p->n_components, p->width, p->components);
        tensors[n++] = tensor_of(names[i][2], 0, p->n_components, p->variances);
    }
    const char *const keys[] = {"whiten"}, *const values[] = {whiten ? "yes" : "no"};
    return safetensors_write(path, n, tensors, 1, keys, values, st);
}

/* ---- reading ---- */

/* A copy: n_dims 1 or 2, cols as given unless 0. */
static genair_code read_values(const struct safetensors *f, const char *path, const char *part, const char *kind,
                               size_t n_dims, size_t cols, const struct safetensor **shape, double **out,
                               genair_status *st) {
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s.%s", part, kind);
    const struct safetensor *t = safetensors_find(f, name);
    if (!t || strcmp(t->type, "F64") != 0 || t->n_dims != n_dims || t->n_values == 0 ||
        (cols && t->shape[n_dims - 1] != cols))
        return fail_line(st, GENAIR_FORMAT, path, 0, "its tensor \"%s\" is not what 'genair fuse' writes; run it again", name);
    *out = mem_array(t->n_values, sizeof **out);
    if (!*out) return fail_memory(st);
    memcpy(*out, t->data, t->n_values * sizeof **out);
    for (size_t i = 0; i < t->n_values; i++)
        if (!isfinite((*out)[i]))
            return fail_line(st, GENAIR_FORMAT, path, 0, "\"%s\" holds what is not a finite number; run 'genair fuse' again", name);
    *shape = t;
    return GENAIR_OK;
}

static genair_code read_part(const struct safetensors *f, const char *path, enum item_part part, struct pca *p,
                             genair_status *st) {
    const char *name = part_names[part];
    const struct safetensor *t = NULL;
    genair_code code = read_values(f, path, name, kinds[0], 1, 0, &t, &p->mean, st);
    if (code != GENAIR_OK) return code;
    p->width = t->shape[0];
    code = read_values(f, path, name, kinds[1], 2, p->width, &t, &p->components, st);
    if (code != GENAIR_OK) return code;
    p->n_components = p->n_variances = t->shape[0];
    return read_values(f, path, name, kinds[2], 1, p->n_components, &t, &p->variances, st);
}

static bool is_whitened(const struct safetensors *f) {
    for (size_t i = 0; i < f->n_metadata; i++)
        if (strcmp(f->metadata_keys[i], "whiten") == 0) return strcmp(f->metadata_values[i], "yes") == 0;
    return false;
}

genair_code pca_file_read(const char *path, struct fused_components *out, genair_status *st) {
    *out = (struct fused_components){0};
    struct safetensors *f;
    genair_code code = safetensors_open(path, &f, st);
    if (code != GENAIR_OK) return code;
    out->whiten = is_whitened(f);
    for (size_t i = 0; i < N_PARTS && code == GENAIR_OK; i++) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "%s.%s", part_names[i], kinds[0]);
        if (safetensors_find(f, name)) code = read_part(f, path, (enum item_part)i, &out->part[i], st);
        out->width += out->part[i].n_components;
    }
    safetensors_close(f);
    if (code == GENAIR_OK && out->width == 0)
        code = fail_line(st, GENAIR_FORMAT, path, 0, "it holds no components; run 'genair fuse' again");
    return code;
}

void pca_file_free(struct fused_components *c) {
    for (size_t i = 0; i < N_PARTS; i++) pca_free(&c->part[i]);
    *c = (struct fused_components){0};
}

/* ---- projecting ---- */

struct floats {
    const float *values;
    size_t width;
};

static void read_row(const void *source, size_t r, double *out) {
    const struct floats *f = source;
    for (size_t c = 0; c < f->width; c++) out[c] = (double)f->values[r * f->width + c];
}

genair_code pca_file_project(genair_context *ctx, const struct fused_components *c, size_t n,
                             const float *const part[N_PARTS], float *out, genair_status *st) {
    genair_code code = GENAIR_OK;
    size_t column = 0;
    for (size_t i = 0; i < N_PARTS && code == GENAIR_OK; i++) {
        const struct pca *p = &c->part[i];
        if (p->n_components == 0) continue;
        const struct floats f = {part[i], p->width};
        const struct rows x = {.n = n, .width = p->width, .read = read_row, .source = &f};
        code = pca_project(ctx, p, &x, 0, n, c->whiten, out + column, c->width, st);
        column += p->n_components;
    }
    return code;
}
