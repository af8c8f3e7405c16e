/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect/describe.h"

#include "base/bytes.h"
#include "base/mapping.h"
#include "base/size.h"
#include "workspace/npy.h"
#include "workspace/safetensors.h"
#include "workspace/store.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KIND_AT = 12, KIND_BYTES = 4 }; /* in a workspace file, workspace/store.h */

genair_code describe_head(json_t *out, const char *kind, const char *path, genair_status *st) {
    const bool ok = json_object_set_new(out, "kind", json_string(kind)) == 0 &&
                    json_object_set_new(out, "path", json_string(path)) == 0;
    return ok ? GENAIR_OK : fail_memory(st);
}

static json_t *shape_of(const size_t *shape, size_t n_dims) {
    json_t *list = json_array();
    for (size_t i = 0; i < n_dims; i++)
        json_array_append_new(list, json_integer((json_int_t)shape[i]));
    return list;
}

/* ---- .npy ---- */

struct summary {
    size_t n_nan, n_infinite, n_finite;
    double min, max, mean;
};

static struct summary summarise(const struct npy *a) {
    struct summary s = {.min = (double)INFINITY, .max = -(double)INFINITY};
    for (size_t i = 0; i < a->n_values; i++) {
        const double v = npy_f64(a, i);
        if (!isfinite(v)) {
            s.n_nan += isnan(v);
            s.n_infinite += !isnan(v);
            continue;
        }
        s.n_finite++;
        s.min = fmin(s.min, v);
        s.max = fmax(s.max, v);
        s.mean += (v - s.mean) / (double)s.n_finite; /* a sum could overflow */
    }
    return s;
}

static genair_code describe_npy(const char *path, json_t *out, genair_status *st) {
    struct npy *a = NULL;
    genair_code code = npy_open(path, &a, st);
    if (code != GENAIR_OK) return code;
    const struct summary s = summarise(a);
    json_t *facts = json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:I}", "type", npy_type_name(a->type),
                              "byte_order", a->big_endian ? "big" : "little", "order",
                              a->fortran_order ? "Fortran" : "C", "shape",
                              shape_of(a->shape, a->n_dims), "values", (json_int_t)a->n_values,
                              "nan", (json_int_t)s.n_nan, "infinite", (json_int_t)s.n_infinite);
    if (facts && s.n_finite) {
        json_object_set_new(facts, "min", json_real(s.min));
        json_object_set_new(facts, "max", json_real(s.max));
        json_object_set_new(facts, "mean", json_real(s.mean));
    }
    npy_close(a);
    code = describe_head(out, "npy", path, st);
    if (code == GENAIR_OK && (!facts || json_object_update(out, facts) != 0))
        code = fail_memory(st);
    json_decref(facts);
    return code;
}

/* ---- safetensors ---- */

static json_t *list_tensors(const struct safetensors *f, json_int_t *n_values) {
    json_t *list = json_array();
    *n_values = 0;
    for (size_t i = 0; i < f->n; i++) {
        const struct safetensor *t = &f->tensors[i];
        char shape[160] = "";
        for (size_t k = 0, used = 0; k < t->n_dims && used < sizeof shape; k++)
            used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%zu", k ? " x " : "",
                                     t->shape[k]);
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:I}", "name", t->name, "type", t->type,
                                        "shape", shape, "values", (json_int_t)t->n_values));
        *n_values += (json_int_t)t->n_values;
    }
    return list;
}

static genair_code describe_safetensors(const char *path, json_t *out, genair_status *st) {
    struct safetensors *f = NULL;
    genair_code code = safetensors_open_unmapped(path, &f, st);
    if (code != GENAIR_OK) return code;
    json_int_t n_values;
    json_t *metadata = json_object(), *tensors = list_tensors(f, &n_values);
    for (size_t i = 0; i < f->n_metadata; i++)
        json_object_set_new(metadata, f->metadata_keys[i], json_string(f->metadata_values[i]));
    code = describe_head(out, "safetensors", path, st);
    json_t *facts =
        json_pack("{s:I, s:o, s:o}", "values", n_values, "metadata", metadata, "tensors", tensors);
    if (code == GENAIR_OK && (!facts || json_object_update(out, facts) != 0))
        code = fail_memory(st);
    json_decref(facts);
    safetensors_close(f);
    return code;
}

/* ---- a workspace's .bin ---- */

static genair_code describe_store(const char *path, const char *kind, json_t *out,
                                  genair_status *st) {
    struct store *s = NULL;
    genair_code code = store_open(path, kind, "prepare", &s, st); /* checks every byte */
    if (code != GENAIR_OK) return code;
    json_t *arrays = json_array();
    for (size_t i = 0; i < store_count(s); i++) {
        const struct store_entry e = store_entry(s, i);
        json_array_append_new(arrays, json_pack("{s:s, s:I, s:I}", "name", e.name, "elements",
                                                (json_int_t)e.n, "element_bytes",
                                                (json_int_t)e.element_bytes));
    }
    code = describe_head(out, "workspace file", path, st);
    json_t *facts = json_pack("{s:s, s:s, s:o}", "content", kind, "made_from", store_made_from(s),
                              "arrays", arrays);
    if (code == GENAIR_OK && (!facts || json_object_update(out, facts) != 0))
        code = fail_memory(st);
    json_decref(facts);
    store_close(s);
    return code;
}

/* ---- which of them ---- */

static genair_code unknown(const char *path, const unsigned char *begin, size_t n,
                           genair_status *st) {
    char bytes[64] = "", text[20] = "";
    for (size_t i = 0; i < n && i < 16; i++) {
        snprintf(bytes + 3 * i, sizeof bytes - 3 * i, " %02x", begin[i]);
        text[i] = isprint(begin[i]) ? (char)begin[i] : '.';
    }
    return fail_line(
        st, GENAIR_FORMAT, path, 0,
        "not a file that inspect knows (it begins with%s, \"%s\"); known are NumPy's "
        ".npy, safetensors, GGUF, "
        "a workspace's .bin files, workspaces, runs and directories of language models",
        n ? bytes : " nothing", text);
}

genair_code describe_file(const char *path, json_t *out, genair_status *st) {
    unsigned char begin[16] = {0};
    char kind[KIND_BYTES + 1] = "";
    struct mapping m;
    const genair_code code = mapping_open(path, &m, st);
    if (code != GENAIR_OK) return code;
    const size_t size = m.size, n = min_size(size, sizeof begin);
    memcpy(begin, m.data, n);
    mapping_close(&m);
    if (n >= 6 && memcmp(begin, "\x93NUMPY", 6) == 0) return describe_npy(path, out, st);
    if (n >= 4 && memcmp(begin, "GGUF", 4) == 0) return describe_gguf(path, out, st);
    if (n == sizeof begin && memcmp(begin, "GENAIRWS", 8) == 0) {
        memcpy(kind, begin + KIND_AT, KIND_BYTES);
        return describe_store(path, kind, out, st);
    }
    /* no magic: a length that fits, then a JSON object; or a name that says so, so that damage is
     * reported as such */
    const size_t n_path = strlen(path);
    const bool named = n_path > 12 && strcmp(path + n_path - 12, ".safetensors") == 0;
    if (named || (n > 8 && begin[8] == '{' && bytes_u64(begin) <= size - 8))
        return describe_safetensors(path, out, st);
    return unknown(path, begin, n, st);
}
