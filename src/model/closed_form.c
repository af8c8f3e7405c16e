/* SPDX-License-Identifier: Apache-2.0 */
#include "model/closed_form.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "model/closed_form_method.h"
#include "ranking/rank.h"

#include <string.h>

static const struct closed_form_method *const methods[] = {&method_pop, &method_itemknn,
                                                           &method_ease};

static const char file_name[] = "model.safetensors";

static const struct closed_form_method *named(const char *name) {
    for (size_t i = 0; i < COUNT(methods); i++)
        if (strcmp(methods[i]->name, name) == 0) return methods[i];
    return NULL;
}

bool closed_form_knows(const char *method) {
    return named(method) != NULL;
}

static const struct closed_form_method *find(const char *name, genair_status *st) {
    const struct closed_form_method *method = named(name);
    if (method) return method;
    fail(st, GENAIR_USAGE, "no closed-form method '%s': pop, itemknn or ease", name);
    return NULL;
}

genair_code closed_form_fit(genair_context *ctx, const genair_options *options, const char *method,
                            const struct dataset *data, const char *directory, genair_status *st) {
    const struct closed_form_method *m = find(method, st);
    if (!m) return GENAIR_USAGE;
    char *path = path_join(directory, file_name);
    if (!path) return fail_memory(st);
    const genair_code code = m->fit(ctx, options, data, path, st);
    mem_free(path);
    return code;
}

genair_code closed_form_save(const struct closed_form_method *method, const char *path,
                             size_t n_items, size_t n_columns, const float *first,
                             const float *second, genair_status *st) {
    const struct safetensor tensors[] = {safetensor_f32(method->first, n_items + 1, n_columns, first),
                                         safetensor_f32(method->second, n_items + 1, n_columns, second)};
    const char *const keys[] = {"method"}, *const values[] = {method->name};
    return safetensors_write(path, method->second ? 2 : 1, tensors, 1, keys, values, st);
}

static genair_code bind(struct closed_form *m, const char *name, const char *path,
                        const float **out, genair_status *st) {
    const struct safetensor *t = safetensors_find(m->file, name);
    const size_t rows = (size_t)m->n_items + 1;
    if (!t || strcmp(t->type, "F32") != 0 || t->n_dims != 2 || t->shape[0] != rows ||
        (uintptr_t)t->data % sizeof(float) != 0)
        return fail_line(
            st, GENAIR_FORMAT, path, 0,
            "no float32 array '%s' with %zu rows, as this workspace's items need: train again",
            name, rows);
    const size_t columns = m->method->n_columns == SIZE_MAX ? rows : m->method->n_columns;
    if ((columns && t->shape[1] != columns) || (m->n_columns && t->shape[1] != m->n_columns))
        return fail_line(st, GENAIR_FORMAT, path, 0, "array '%s' has %zu columns: train again",
                         name, t->shape[1]);
    m->n_columns = t->shape[1];
    *out = (const float *)(const void *)t->data;
    return GENAIR_OK;
}

static void close_model(struct closed_form *m) {
    if (!m) return;
    safetensors_close(m->file);
    mem_free(m);
}

static genair_code open_model(struct closed_form *m, const char *path, genair_status *st) {
    genair_code code = safetensors_open(path, &m->file, st);
    if (code == GENAIR_OK) code = bind(m, m->method->first, path, &m->first, st);
    if (code == GENAIR_OK && m->method->second)
        code = bind(m, m->method->second, path, &m->second, st);
    return code;
}

genair_code closed_form_open(const char *method, const char *directory, const struct dataset *data,
                             struct scorer *out, genair_status *st) {
    const struct closed_form_method *found = find(method, st);
    if (!found) return GENAIR_USAGE;
    char *path = path_join(directory, file_name);
    struct closed_form *m = mem_zeros(1, sizeof *m);
    if (!path || !m) {
        mem_free(path);
        mem_free(m);
        return fail_memory(st);
    }
    m->method = found;
    m->n_items = data->n_items;
    const genair_code code = open_model(m, path, st);
    mem_free(path);
    if (code == GENAIR_OK)
        *out = (struct scorer){.n_items = data->n_items, .model = m, .scores = found->scores};
    else
        close_model(m);
    return code;
}

void closed_form_close(struct scorer *s) {
    close_model(s->model);
    *s = (struct scorer){0};
}

uint32_t *closed_form_users(const struct dataset *data) {
    const size_t rows = (size_t)data->n_items + 1;
    uint32_t *n_users = mem_zeros(rows, sizeof *n_users);
    uint32_t *last = mem_zeros(rows, sizeof *last); /* the latest user that had the item, plus 1 */
    for (uint32_t u = 0; n_users && last && u < data->n_users; u++) {
        uint32_t n;
        const uint32_t *items = dataset_training(data, u, &n);
        for (uint32_t i = 0; i < n; i++) {
            n_users[items[i]] += last[items[i]] != u + 1;
            last[items[i]] = u + 1;
        }
    }
    if (!last) {
        mem_free(n_users);
        n_users = NULL;
    }
    mem_free(last);
    return n_users;
}

genair_code closed_form_sum(const struct closed_form *m, const struct histories *h, add_row *add,
                            float *out, genair_status *st) {
    const size_t columns = (size_t)m->n_items + 1;
    for (size_t b = 0; b < h->n; b++, out += columns) {
        const size_t n = h->offsets[b + 1] - h->offsets[b];
        memset(out, 0, columns * sizeof *out);
        if (n == 0) continue;
        uint32_t *items = mem_array(n, sizeof *items);
        if (!items) return fail_memory(st);
        memcpy(items, h->items + h->offsets[b], n * sizeof *items);
        const size_t distinct = ids_distinct(items, n);
        for (size_t i = 0; i < distinct; i++)
            add(m, items[i], out);
        mem_free(items);
        out[0] = 0;
    }
    return GENAIR_OK;
}
