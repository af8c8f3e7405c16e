/* SPDX-License-Identifier: Apache-2.0 */
/* This module is what the closed-form methods share: one table row each, a file of float32 arrays.
 */
#ifndef GENAIR_MODEL_CLOSED_FORM_METHOD_H
#define GENAIR_MODEL_CLOSED_FORM_METHOD_H

#include "model/closed_form.h"
#include "workspace/safetensors.h"

/* What scorer->model points to. */
struct closed_form {
    const struct closed_form_method *method;
    struct safetensors *file; /* the arrays point into its mapping */
    uint32_t n_items;
    size_t n_columns; /* of the arrays */
    const float *first, *second;
};

struct closed_form_method {
    const char *name;
    genair_code (*fit)(genair_context *ctx, const genair_options *options,
                       const struct dataset *data, const char *path, genair_status *st);
    /* Names of the arrays, each [n_items + 1, n_columns]; second may be NULL. */
    const char *first, *second;
    size_t n_columns; /* 0: any; SIZE_MAX: n_items + 1 */
    genair_code (*scores)(void *model, const struct histories *h, float *out, genair_status *st);
};

extern const struct closed_form_method method_pop, method_itemknn, method_ease;

/* Arrays [n_items + 1, n_columns] under the names of the method. */
CHECKED genair_code closed_form_save(const struct closed_form_method *method, const char *path,
                                     size_t n_items, size_t n_columns, const float *first,
                                     const float *second, genair_status *st);

enum { CLOSED_FORM_INDEX_BYTES = 1 << 29 }; /* for cooccurrence_rows */
/* n_users[i] = users whose training part holds item i; [n_items + 1], row 0 zero. The caller's.
 * NULL when memory is out. */
uint32_t *closed_form_users(const struct dataset *data);

/* out[j] = sum over the distinct items i of history b of row(i)'s contribution, given by add. */
typedef void add_row(const struct closed_form *m, uint32_t item, float *out);
CHECKED genair_code closed_form_sum(const struct closed_form *m, const struct histories *h,
                                    add_row *add, float *out, genair_status *st);

#endif
