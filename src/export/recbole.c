/* SPDX-License-Identifier: Apache-2.0 */
/* RecBole's atomic files: tab-separated, a type behind each name in the header. There is no way to quote: tabs and
 * line ends in texts become spaces (ids hold none, prepare sees to it). */
#include "export/export.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "base/text.h"
#include "workspace/stage_input.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_COLUMNS = 1000 }; /* as many as prepare reads */

static genair_code put_text(struct writer *w, const char *s, size_t n, genair_status *st) {
    for (size_t i = 0; i < n; i++) {
        const bool control = (unsigned char)s[i] < 0x20 || s[i] == 0x7F;
        const genair_code code = writer_put(w, control ? " " : &s[i], 1, st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

/* So many seconds and more would be read back as milliseconds. */
static bool has_late_times(const struct dataset *d) {
    const int64_t late = (int64_t)100000000000 * 1000;
    for (uint64_t i = 0; i < d->n_interactions; i++)
        if (d->time[i] >= late) return true;
    return false;
}

static genair_code put_time(struct writer *w, int64_t time, bool milliseconds, genair_status *st) {
    const int64_t seconds = time / 1000, rest = time % 1000;
    if (milliseconds) return writer_printf(w, st, "\t%lld\n", (long long)time);
    return writer_printf(w, st, "\t%s%lld.%03lld\n", time < 0 && seconds == 0 ? "-" : "", (long long)seconds,
                         (long long)(rest < 0 ? -rest : rest));
}

static genair_code put_interactions(struct writer *w, const struct catalogue *c, genair_status *st) {
    const struct dataset *d = c->data;
    const bool milliseconds = has_late_times(d);
    genair_code code =
        writer_printf(w, st, "user_id:token\titem_id:token\ttimestamp%s:float\n", milliseconds ? "_ms" : "");
    for (uint32_t u = 0; u < d->n_users; u++)
        for (uint64_t i = d->start[u]; code == GENAIR_OK && i < d->start[u + 1]; i++) {
            const struct text user = dataset_user_name(d, u), item = dataset_item_name(d, d->item[i]);
            code = put_text(w, user.p, user.n, st);
            if (code == GENAIR_OK) code = writer_put(w, "\t", 1, st);
            if (code == GENAIR_OK) code = put_text(w, item.p, item.n, st);
            if (code == GENAIR_OK) code = put_time(w, d->time[i], milliseconds, st);
        }
    return code;
}

/* ---- items ---- */

/* The columns of the item file by the attributes that any item has: each the type of its values. written: the names as
 * they stand in the header. */
struct columns {
    json_t *types, *written;
};

static void columns_deinit(struct columns *k) {
    json_decref(k->types);
    json_decref(k->written);
}

/* A colon would part another type, white space at an end is not read back. NULL when memory is out. */
static char *written_name(const char *key) {
    const struct text t = text_trim(text_of(key));
    char *name = mem_text(t.p, t.n);
    for (size_t i = 0; name && i < t.n; i++)
        if (name[i] == ':') name[i] = '_';
    return name;
}

static const char *type_of(const char *key, const json_t *value) {
    static const char *const numbers[] = {"price", "rating"},
                      *const words[] = {"name", "feature", "description", "categories"};
    double number;
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (strcmp(key, numbers[i]) == 0) {
            const struct text t = {json_string_value(value), json_string_length(value)};
            return text_f64(t, &number) && isfinite(number) ? "float" : "token";
        }
    for (size_t i = 0; i < COUNT(words); i++)
        if (strcmp(key, words[i]) == 0) return "token_seq";
    return "token";
}

/* A name that the header cannot hold, or holds already, is left out. */
static genair_code add_column(struct columns *k, const char *key, const char *type, genair_status *st) {
    char *name = written_name(key);
    if (!name) return fail_memory(st);
    bool added = true;
    if (name[0] && !json_object_get(k->written, name) && json_object_size(k->written) < MOST_COLUMNS)
        added = json_object_set_new(k->written, name, json_true()) == 0 &&
                json_object_set_new(k->types, key, json_string(type)) == 0;
    mem_free(name);
    return added ? GENAIR_OK : fail_memory(st);
}

static genair_code add_columns_of(struct columns *k, json_t *record, genair_status *st) {
    const char *key;
    json_t *value;
    genair_code code = GENAIR_OK;
    json_object_foreach(record, key, value) {
        if (code != GENAIR_OK || !json_is_string(value)) continue;
        const char *type = type_of(key, value), *known = json_string_value(json_object_get(k->types, key));
        if (!known)
            code = add_column(k, key, type, st);
        else if (strcmp(known, "float") == 0 && strcmp(type, "float") != 0) /* a number with a currency */
            code = json_object_set_new(k->types, key, json_string(type)) == 0 ? GENAIR_OK : fail_memory(st);
    }
    return code;
}

static genair_code find_columns(const struct catalogue *c, struct columns *k, genair_status *st) {
    *k = (struct columns){json_object(), json_pack("{s:b}", "item_id", 1)};
    genair_code code = k->types && k->written ? GENAIR_OK : fail_memory(st);
    for (uint32_t i = 1; code == GENAIR_OK && i <= c->data->n_items; i++) {
        json_t *record = NULL;
        code = catalogue_record(c, i, &record, st);
        if (code == GENAIR_OK) code = add_columns_of(k, record, st);
        json_decref(record);
    }
    return code;
}

static genair_code put_header(struct writer *w, const struct columns *k, genair_status *st) {
    const char *key;
    json_t *type;
    genair_code code = writer_printf(w, st, "item_id:token");
    json_object_foreach(k->types, key, type) {
        char *name = written_name(key);
        if (code == GENAIR_OK) code = name ? writer_printf(w, st, "\t%s:%s", name, json_string_value(type)) : fail_memory(st);
        mem_free(name);
    }
    return code == GENAIR_OK ? writer_put(w, "\n", 1, st) : code;
}

static genair_code put_item(struct writer *w, const struct catalogue *c, const struct columns *k, uint32_t item,
                            genair_status *st) {
    const struct text id = dataset_item_name(c->data, item);
    const char *key;
    json_t *record, *type;
    genair_code code = catalogue_record(c, item, &record, st);
    if (code != GENAIR_OK) return code;
    code = put_text(w, id.p, id.n, st);
    json_object_foreach(k->types, key, type) {
        const json_t *value = json_object_get(record, key);
        if (code == GENAIR_OK) code = writer_put(w, "\t", 1, st);
        if (code == GENAIR_OK && json_is_string(value))
            code = put_text(w, json_string_value(value), json_string_length(value), st);
    }
    json_decref(record);
    return code == GENAIR_OK ? writer_put(w, "\n", 1, st) : code;
}

static genair_code put_items(struct writer *w, const struct catalogue *c, genair_status *st) {
    struct columns k;
    genair_code code = find_columns(c, &k, st);
    if (code == GENAIR_OK) code = put_header(w, &k, st);
    for (uint32_t i = 1; code == GENAIR_OK && i <= c->data->n_items; i++)
        code = put_item(w, c, &k, i, st);
    columns_deinit(&k);
    return code;
}

/* ---- files ---- */

typedef genair_code put_file(struct writer *, const struct catalogue *, genair_status *);

static genair_code write_file(const struct catalogue *c, const char *workspace, const char *directory,
                              const char *extension, put_file *put, json_t *files, genair_status *st) {
    char name[300];
    const struct text base = path_name(directory);
    if (base.n > 255 || base.n == 0 || base.p[0] == '.' || base.p[0] == '/')
        return fail_line(st, GENAIR_USAGE, directory, 0, "give the directory by its name: RecBole names the files after it");
    snprintf(name, sizeof name, "%.*s.%s", (int)base.n, base.p, extension);
    char *path = path_join(directory, name);
    struct writer *w = NULL;
    genair_code code = path ? stage_output_check(workspace, "out", path, st) : fail_memory(st);
    if (code == GENAIR_OK) code = writer_open(path, &w, st);
    if (code == GENAIR_OK) {
        code = put(w, c, st);
        if (code == GENAIR_OK)
            code = writer_commit(w, st);
        else
            writer_abandon(w);
    }
    if (code == GENAIR_OK && json_array_append_new(files, json_string(path)) != 0) code = fail_memory(st);
    mem_free(path);
    return code;
}

genair_code export_recbole(const char *workspace, const char *directory, json_t *files, genair_status *st) {
    struct catalogue c;
    genair_code code = catalogue_open(workspace, &c, st);
    if (code != GENAIR_OK) return code;
    code = directory_make(directory, st);
    if (code == GENAIR_OK) code = write_file(&c, workspace, directory, "inter", put_interactions, files, st);
    if (code == GENAIR_OK) code = write_file(&c, workspace, directory, "item", put_items, files, st);
    catalogue_close(&c);
    return code;
}
