/* SPDX-License-Identifier: Apache-2.0 */
/* A model as a Hugging Face directory: config.json, and model.safetensors or several such files
 * with an index that names the file of each tensor. */
#include "lm/weights_form.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/map.h"
#include "base/size.h"
#include "workspace/safetensors.h"

#include <jansson.h>
#include <string.h>

enum { MAX_INDEX = 64 << 20 };

struct place {
    size_t file, tensor;
};

struct directory {
    char *path;
    struct safetensors **files;
    size_t n_files, files_capacity;
    struct map *file_names; /* numbered as files */
    struct map *names;      /* of tensors, numbered as places */
    struct place *places;
    size_t places_capacity;
};

/* ---- files ---- */

/* Adds the tensors of the last file. */
static genair_code add_tensors(struct directory *d, const char *file_name, genair_status *st) {
    const size_t file = d->n_files - 1;
    const struct safetensors *f = d->files[file];
    for (size_t i = 0; i < f->n; i++) {
        const uint32_t n = map_count(d->names);
        uint32_t number;
        if (!mem_grow(&d->places, &d->places_capacity, (size_t)n + 1, sizeof *d->places))
            return fail_memory(st);
        const genair_code code = map_add(d->names, text_of(f->tensors[i].name), &number, st);
        if (code != GENAIR_OK) return code;
        if (number < n)
            return fail_line(st, GENAIR_FORMAT, d->path, 0,
                             "tensor \"%.100s\" stands in two files, one is \"%.100s\"",
                             f->tensors[i].name, file_name);
        d->places[number] = (struct place){file, i};
    }
    return GENAIR_OK;
}

static genair_code open_file(struct directory *d, const char *name, genair_status *st) {
    uint32_t number;
    char *path = path_join(d->path, name);
    genair_code code = path ? map_add(d->file_names, text_of(name), &number, st) : fail_memory(st);
    if (code == GENAIR_OK && number == d->n_files) { /* a new one */
        if (!mem_grow(&d->files, &d->files_capacity, d->n_files + 1, sizeof(struct safetensors *)))
            code = fail_memory(st);
        if (code == GENAIR_OK) code = safetensors_open_unmapped(path, &d->files[d->n_files], st);
        if (code == GENAIR_OK) {
            d->n_files++;
            code = add_tensors(d, name, st);
        }
    }
    mem_free(path);
    return code;
}

/* ---- the index ---- */

/* A name that stays in the directory. */
static bool is_plain(const char *name) {
    return name && *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static genair_code open_listed(struct directory *d, json_t *files, const char *index,
                               genair_status *st) {
    const char *tensor;
    json_t *file;
    uint32_t number, n_file;
    genair_code code = GENAIR_OK;
    json_object_foreach(files, tensor, file) {
        if (!is_plain(json_string_value(file)))
            return fail_line(st, GENAIR_FORMAT, index, 0,
                             "tensor \"%.100s\" is put into something else than a file of this "
                             "directory",
                             tensor);
        code = open_file(d, json_string_value(file), st);
        if (code != GENAIR_OK) return code;
    }
    json_object_foreach(files, tensor, file) {
        const char *name = json_string_value(file);
        if (!map_find(d->names, text_of(tensor), &number) ||
            !map_find(d->file_names, text_of(name), &n_file) || d->places[number].file != n_file)
            return fail_line(st, GENAIR_FORMAT, index, 0,
                             "tensor \"%.100s\" is put into \"%.100s\", which does not hold it",
                             tensor, name);
    }
    return code;
}

static genair_code open_index(struct directory *d, const char *path, genair_status *st) {
    json_t *json;
    genair_code code = json_file_read(path, MAX_INDEX, &json, st);
    if (code != GENAIR_OK) return code;
    json_t *files = json_object_get(json, "weight_map");
    if (!json_is_object(files))
        code = fail_line(st, GENAIR_FORMAT, path, 0, "it has no \"weight_map\"");
    else
        code = open_listed(d, files, path, st);
    json_decref(json);
    return code;
}

static genair_code open_weights(struct directory *d, genair_status *st) {
    static const char one[] = "model.safetensors", index[] = "model.safetensors.index.json";
    char *one_path = path_join(d->path, one), *index_path = path_join(d->path, index);
    genair_code code;
    if (!one_path || !index_path)
        code = fail_memory(st);
    else if (file_exists(one_path))
        code = open_file(d, one, st);
    else if (file_exists(index_path))
        code = open_index(d, index_path, st);
    else
        code = fail_line(st, GENAIR_FORMAT, d->path, 0,
                         "no weights: neither %s nor %s is there (files of other kinds are not "
                         "read: convert the model)",
                         one, index);
    mem_free(one_path);
    mem_free(index_path);
    return code;
}

/* ---- the form ---- */

static void close_model(void *form) {
    struct directory *d = form;
    for (size_t i = 0; i < d->n_files; i++)
        safetensors_close(d->files[i]);
    mem_free(d->files);
    map_free(d->file_names);
    map_free(d->names);
    mem_free(d->places);
    mem_free(d->path);
    mem_free(d);
}

static genair_code open_model(const char *path, void **form, genair_status *st) {
    struct directory *d = mem_zeros(1, sizeof *d);
    if (!d) return fail_memory(st);
    d->path = mem_text(path, strlen(path));
    d->file_names = map_create();
    d->names = map_create();
    const genair_code code =
        d->path && d->file_names && d->names ? open_weights(d, st) : fail_memory(st);
    if (code == GENAIR_OK)
        *form = d;
    else
        close_model(d);
    return code;
}

static genair_code config(const void *form, struct form_config *out, genair_status *st) {
    const struct directory *d = form;
    return weights_config_read(d->path, out, st);
}

static size_t count(const void *form) {
    const struct directory *d = form;
    return map_count(d->names);
}

static bool find(const void *form, const char *name, size_t *i) {
    const struct directory *d = form;
    uint32_t number;
    const bool found = map_find(d->names, text_of(name), &number);
    if (found) *i = number;
    return found;
}

static struct text name_of(const void *form, size_t i) {
    const struct directory *d = form;
    return map_name(d->names, (uint32_t)i);
}

static genair_code tensor(const void *form, size_t i, struct form_tensor *out, genair_status *st) {
    const struct directory *d = form;
    const struct place p = d->places[i];
    const struct safetensor *t = &d->files[p.file]->tensors[p.tensor];
    static const enum lm_type known[] = {LM_F32, LM_F16, LM_BF16};
    for (size_t k = 0; k < COUNT(known); k++) {
        if (strcmp(t->type, lm_types[known[k]].name) != 0) continue;
        *out = (struct form_tensor){.type = known[k],
                                    .n_dims = t->n_dims,
                                    .dims = {t->shape[0], t->shape[1]},
                                    .file = (int)p.file,
                                    .offset = t->offset};
        return GENAIR_OK;
    }
    return fail_line(st, GENAIR_FORMAT, d->path, 0,
                     "tensor \"%.100s\" is of type %s; those known are F32, F16, BF16", t->name,
                     t->type);
}

static genair_code read_data(const void *form, int file, uint64_t offset, void *out, size_t size,
                             genair_status *st) {
    const struct directory *d = form;
    return safetensors_read(d->files[file], offset, out, size, st);
}

const struct weights_form weights_directory_form = {
    .column = 1,
    .open = open_model,
    .close = close_model,
    .config = config,
    .count = count,
    .find = find,
    .name = name_of,
    .tensor = tensor,
    .read = read_data,
};
