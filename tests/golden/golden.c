/* SPDX-License-Identifier: Apache-2.0 */
#include "golden/golden.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "workspace/npy.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_JSON = 256 << 20 };

struct array {
    const char *name; /* borrowed from case.json */
    struct npy *file;
    bool compared;
};

struct golden {
    const char *directory;
    json_t *json;
    size_t n_arrays, capacity;
    struct array *arrays;
    void **blocks; /* everything given out */
    size_t n_blocks, blocks_capacity;
    genair_context *ctx;
    const struct kernels *kernels;
    genair_status status;
    size_t n_failures;
    char message[1600]; /* of the first failure */
};

void golden_fail(struct golden *g, const char *format, ...) {
    if (g->n_failures++) return;
    va_list args;
    va_start(args, format);
    vsnprintf(g->message, sizeof g->message, format, args);
    va_end(args);
}

bool golden_failed(const struct golden *g) {
    return g->n_failures > 0;
}

bool golden_ok(struct golden *g, genair_code code) {
    if (code == GENAIR_OK) return true;
    char text[1200];
    genair_status_text(&g->status, text, sizeof text);
    golden_fail(g, "%s", text);
    return false;
}

genair_status *golden_status(struct golden *g) {
    return &g->status;
}

genair_context *golden_context(struct golden *g) {
    return g->ctx;
}

const struct kernels *golden_kernels(struct golden *g) {
    return g->kernels;
}

void *golden_zeros(struct golden *g, size_t n, size_t size) {
    void *block = mem_aligned(n ? n : 1, size);
    if (!block || !mem_grow(&g->blocks, &g->blocks_capacity, g->n_blocks + 1, sizeof *g->blocks)) {
        mem_free(block);
        golden_fail(g, "out of memory for %zu values of %zu bytes", n, size);
        return NULL;
    }
    memset(block, 0, (n ? n : 1) * size);
    return g->blocks[g->n_blocks++] = block;
}

/* ---- what the case holds ---- */

static struct array *find(const struct golden *g, const char *name) {
    for (size_t i = 0; i < g->n_arrays; i++)
        if (strcmp(g->arrays[i].name, name) == 0) return &g->arrays[i];
    return NULL;
}

static struct array *need(struct golden *g, const char *name, size_t *n) {
    struct array *a = find(g, name);
    if (n) *n = a ? a->file->n_values : 0;
    if (!a) golden_fail(g, "%s: the case has no such array", name);
    return a;
}

bool golden_has(const struct golden *g, const char *name) {
    return find(g, name) != NULL;
}

const double *golden_f64(struct golden *g, const char *name, size_t *n) {
    const struct array *a = need(g, name, n);
    double *values = a ? golden_zeros(g, a->file->n_values, sizeof *values) : NULL;
    for (size_t i = 0; values && i < a->file->n_values; i++)
        values[i] = npy_f64(a->file, i);
    return values;
}

const float *golden_f32(struct golden *g, const char *name, size_t *n) {
    const struct array *a = need(g, name, n);
    float *values = a ? golden_zeros(g, a->file->n_values, sizeof *values) : NULL;
    for (size_t i = 0; values && i < a->file->n_values; i++)
        values[i] = (float)npy_f64(a->file, i);
    return values;
}

static bool is_integer(const struct npy *a) {
    return a->type == NPY_I4 || a->type == NPY_I8 || a->type == NPY_U1;
}

const int64_t *golden_i64(struct golden *g, const char *name, size_t *n) {
    const struct array *a = need(g, name, n);
    if (a && !is_integer(a->file)) {
        golden_fail(g, "%s: expected integers, the file holds %s", name,
                    npy_type_name(a->file->type));
        return NULL;
    }
    int64_t *values = a ? golden_zeros(g, a->file->n_values, sizeof *values) : NULL;
    for (size_t i = 0; values && i < a->file->n_values; i++)
        values[i] = npy_i64(a->file, i);
    return values;
}

const uint32_t *golden_ids(struct golden *g, const char *name, int64_t limit, uint32_t offset,
                           size_t *n) {
    size_t count;
    const int64_t *values = golden_i64(g, name, &count);
    if (n) *n = count;
    uint32_t *ids = values ? golden_zeros(g, count, sizeof *ids) : NULL;
    for (size_t i = 0; ids && i < count; i++) {
        if (values[i] < 0 || values[i] >= limit || values[i] > (int64_t)UINT32_MAX - offset) {
            golden_fail(g, "%s[%zu] is %" PRId64 ", not in 0..%" PRId64, name, i, values[i],
                        limit - 1);
            return NULL;
        }
        ids[i] = (uint32_t)values[i] + offset;
    }
    return ids;
}

size_t golden_dim(struct golden *g, const char *name, size_t axis) {
    const struct array *a = need(g, name, NULL);
    return a && axis < a->file->n_dims ? a->file->shape[axis] : 0;
}

static const json_t *hyper(const struct golden *g, const char *name) {
    return json_object_get(json_object_get(g->json, "hyper"), name);
}

bool golden_has_hyper(const struct golden *g, const char *name) {
    return hyper(g, name) != NULL;
}

double golden_number(struct golden *g, const char *name) {
    if (!json_is_number(hyper(g, name))) golden_fail(g, "\"hyper\" has no number \"%s\"", name);
    return json_number_value(hyper(g, name));
}

const char *golden_text(struct golden *g, const char *name) {
    if (json_is_string(hyper(g, name))) return json_string_value(hyper(g, name));
    golden_fail(g, "\"hyper\" has no text \"%s\"", name);
    return "";
}

const json_t *golden_json(const struct golden *g) {
    return g->json;
}

const char *golden_directory(const struct golden *g) {
    return g->directory;
}

/* ---- what was found ---- */

struct tolerance {
    bool exact;
    double max_abs;
    const json_t *skip; /* list of [from, to) */
};

static bool tolerance_of(struct golden *g, const char *name, struct tolerance *t) {
    const json_t *entry = json_object_get(json_object_get(g->json, "tolerance"), name);
    *t = (struct tolerance){.exact = json_is_true(json_object_get(entry, "exact")),
                            .max_abs = json_number_value(json_object_get(entry, "max_abs")),
                            .skip = json_object_get(entry, "skip_flat")};
    if (t->exact || json_is_number(json_object_get(entry, "max_abs"))) return true;
    golden_fail(g, "%s: case.json gives it no tolerance", name);
    return false;
}

static bool skipped(const json_t *ranges, size_t i) {
    const json_t *range;
    size_t k;
    json_array_foreach(ranges, k, range) {
        const json_int_t from = json_integer_value(json_array_get(range, 0));
        const json_int_t to = json_integer_value(json_array_get(range, 1));
        if ((json_int_t)i >= from && (json_int_t)i < to) return true;
    }
    return false;
}

static void report(struct golden *g, const struct array *a, size_t flat, double found,
                   const struct tolerance *t, size_t n_wrong) {
    char index[128] = "";
    size_t used = 0, stride = a->file->n_values, rest = flat;
    for (size_t k = 0; k < a->file->n_dims && used < sizeof index; k++) {
        stride /= a->file->shape[k];
        used += (size_t)snprintf(index + used, sizeof index - used, "%s%zu", k ? ", " : "",
                                 rest / stride);
        rest %= stride;
    }
    const double expected = npy_f64(a->file, flat);
    golden_fail(g,
                "%s[%s] expected %.17g, found %.17g (difference %.3g, allowed %.3g; %zu of %zu "
                "entries differ)",
                a->name, index, expected, found, fabs(found - expected), t->exact ? 0 : t->max_abs,
                n_wrong, a->file->n_values);
}

/* The i-th value that was found, whatever its type. */
typedef double get_value(const void *found, size_t i);

/* Reports the entry that is furthest off; NaN counts as infinitely far. */
static void expect(struct golden *g, const char *name, const void *found, size_t n,
                   get_value *get) {
    struct array *a = need(g, name, NULL);
    struct tolerance t;
    if (!a || !tolerance_of(g, name, &t)) return;
    a->compared = true;
    if (n != a->file->n_values) {
        golden_fail(g, "%s: expected %zu values, found %zu", name, a->file->n_values, n);
        return;
    }
    size_t worst = 0, n_wrong = 0;
    double furthest = -1;
    for (size_t i = 0; i < n; i++) {
        const double value = get(found, i), expected = npy_f64(a->file, i),
                     off = fabs(value - expected);
        if (value == expected || off <= (t.exact ? 0 : t.max_abs) || skipped(t.skip, i)) continue;
        n_wrong++;
        if (off <= furthest) continue;
        worst = i;
        furthest = isnan(off) ? (double)INFINITY : off;
    }
    if (n_wrong) report(g, a, worst, get(found, worst), &t, n_wrong);
}

static double get_f64(const void *found, size_t i) {
    return ((const double *)found)[i];
}

static double get_f32(const void *found, size_t i) {
    return (double)((const float *)found)[i];
}

void golden_expect_f64(struct golden *g, const char *name, const double *found, size_t n) {
    expect(g, name, found, n, get_f64);
}

void golden_expect_f32(struct golden *g, const char *name, const float *found, size_t n) {
    expect(g, name, found, n, get_f32);
}

void golden_expect_i64(struct golden *g, const char *name, const int64_t *found, size_t n) {
    struct array *a = need(g, name, NULL);
    if (!a) return;
    a->compared = true;
    if (n != a->file->n_values) {
        golden_fail(g, "%s: expected %zu values, found %zu", name, a->file->n_values, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const int64_t expected = npy_i64(a->file, i);
        if (found[i] == expected) continue;
        golden_fail(g, "%s[%zu] expected %" PRId64 ", found %" PRId64 " (flat index)", name, i,
                    expected, found[i]);
        return;
    }
}

void golden_expect_number(struct golden *g, const char *label, double expected, double found,
                          double max_abs) {
    if (fabs(found - expected) <= max_abs) return;
    golden_fail(g, "%s expected %.17g, found %.17g (difference %.3g, allowed %.3g)", label,
                expected, found, fabs(found - expected), max_abs);
}

void golden_expect_scalar(struct golden *g, const char *name, double found, double max_abs) {
    const json_t *value = json_object_get(json_object_get(g->json, "scalars"), name);
    if (!json_is_number(value))
        golden_fail(g, "\"scalars\" has no number \"%s\"", name);
    else
        golden_expect_number(g, name, json_number_value(value), found, max_abs);
}

/* ---- one case ---- */

static void open_array(struct golden *g, const char *name, const json_t *entry) {
    const char *file = json_string_value(json_object_get(entry, "file"));
    if (!file || strchr(file, '/')) {
        golden_fail(g, "%s: case.json names no file of the case's directory", name);
        return;
    }
    char *path = path_join(g->directory, file);
    struct npy *a = NULL;
    if (!path || !mem_grow(&g->arrays, &g->capacity, g->n_arrays + 1, sizeof *g->arrays)) {
        golden_fail(g, "out of memory");
    } else if (golden_ok(g, npy_open(path, &a, &g->status))) {
        const json_t *shape = json_object_get(entry, "shape");
        bool equal = json_array_size(shape) == a->n_dims;
        for (size_t i = 0; i < a->n_dims && equal; i++)
            equal = json_integer_value(json_array_get(shape, i)) == (json_int_t)a->shape[i];
        if (!equal) golden_fail(g, "%s: the shape in case.json is not the file's", name);
        g->arrays[g->n_arrays++] = (struct array){name, a, false};
    }
    mem_free(path);
}

static void load(struct golden *g) {
    char *path = path_join(g->directory, "case.json"), *text = NULL;
    size_t size = 0;
    json_error_t error;
    const char *name;
    json_t *entry;
    if (path && golden_ok(g, file_read(path, MAX_JSON, &text, &size, &g->status))) {
        g->json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_object(g->json)) golden_fail(g, "case.json:%d: %s", error.line, error.text);
    }
    json_object_foreach(json_object_get(g->json, "arrays"), name, entry) open_array(g, name, entry);
    mem_free(text);
    mem_free(path);
}

static void check_all_compared(struct golden *g) {
    const char *name;
    json_t *entry;
    json_object_foreach(json_object_get(g->json, "tolerance"), name, entry) {
        const struct array *a = find(g, name);
        if (!a) golden_fail(g, "%s has a tolerance, but the case has no such array", name);
        if (a && !a->compared)
            golden_fail(g, "%s was not computed: this program has no rule for it", name);
    }
}

static void release(struct golden *g) {
    for (size_t i = 0; i < g->n_arrays; i++)
        npy_close(g->arrays[i].file);
    for (size_t i = 0; i < g->n_blocks; i++)
        mem_free(g->blocks[i]);
    mem_free(g->arrays);
    mem_free(g->blocks);
    json_decref(g->json);
}

bool golden_case(const char *directory, golden_run *(*run)(const char *kind), genair_context *ctx,
                 const struct kernels *kernels, char *out, size_t size) {
    struct golden g = {.directory = directory, .ctx = ctx, .kernels = kernels};
    load(&g);
    const char *kind = json_string_value(json_object_get(g.json, "kind"));
    golden_run *function = kind ? run(kind) : NULL;
    if (!golden_failed(&g)) {
        if (function) {
            function(&g);
            if (!golden_failed(&g)) check_all_compared(&g);
        } else {
            golden_fail(&g, "unknown kind \"%s\"", kind ? kind : "");
        }
    }
    const bool ok = !golden_failed(&g);
    if (g.n_failures > 1)
        snprintf(out, size, "%s; and %zu more", g.message, g.n_failures - 1);
    else
        snprintf(out, size, "%s", g.message);
    release(&g);
    return ok;
}
