/* SPDX-License-Identifier: Apache-2.0 */
/* RecBole's atomic files: tab-separated, a type behind each name in the header. There is no way to quote: tabs and
 * line ends in texts become spaces (ids hold none, prepare sees to it). */
#include "export/export.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"

#include <stdio.h>
#include <string.h>

static genair_code put_text(struct writer *w, const char *s, size_t n, genair_status *st) {
    for (size_t i = 0; i < n; i++) {
        const bool control = (unsigned char)s[i] < 0x20 || s[i] == 0x7F;
        const genair_code code = writer_put(w, control ? " " : &s[i], 1, st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

static genair_code put_interactions(struct writer *w, const struct catalogue *c, genair_status *st) {
    const struct dataset *d = c->data;
    genair_code code = writer_printf(w, st, "user_id:token\titem_id:token\ttimestamp:float\n");
    for (uint32_t u = 0; u < d->n_users; u++)
        for (uint64_t i = d->start[u]; code == GENAIR_OK && i < d->start[u + 1]; i++) {
            const struct text user = dataset_user_name(d, u), item = dataset_item_name(d, d->item[i]);
            const int64_t time = d->time[i], seconds = time / 1000, rest = time % 1000;
            code = put_text(w, user.p, user.n, st);
            if (code == GENAIR_OK) code = writer_put(w, "\t", 1, st);
            if (code == GENAIR_OK) code = put_text(w, item.p, item.n, st);
            if (code == GENAIR_OK)
                code = writer_printf(w, st, "\t%s%lld.%03lld\n", time < 0 && seconds == 0 ? "-" : "",
                                     (long long)seconds, (long long)(rest < 0 ? -rest : rest));
        }
    return code;
}

static genair_code put_item(struct writer *w, const struct catalogue *c, uint32_t item, genair_status *st) {
    static const char *const keys[] = {"name", "brand", "categories", "description"};
    const struct text id = dataset_item_name(c->data, item);
    json_t *record;
    genair_code code = catalogue_record(c, item, &record, st);
    if (code == GENAIR_OK) code = put_text(w, id.p, id.n, st);
    for (size_t k = 0; code == GENAIR_OK && k < COUNT(keys); k++) {
        const json_t *value = json_object_get(record, keys[k]);
        code = writer_put(w, "\t", 1, st);
        if (code == GENAIR_OK && json_is_string(value))
            code = put_text(w, json_string_value(value), json_string_length(value), st);
    }
    json_decref(record);
    return code == GENAIR_OK ? writer_put(w, "\n", 1, st) : code;
}

static genair_code put_items(struct writer *w, const struct catalogue *c, genair_status *st) {
    genair_code code = writer_printf(w, st, "item_id:token\tname:token_seq\tbrand:token\tcategories:token_seq\t"
                                            "description:token_seq\n");
    for (uint32_t i = 1; code == GENAIR_OK && i <= c->data->n_items; i++)
        code = put_item(w, c, i, st);
    return code;
}

typedef genair_code put_file(struct writer *, const struct catalogue *, genair_status *);

static genair_code write_file(const struct catalogue *c, const char *directory, const char *extension,
                              put_file *put, json_t *files, genair_status *st) {
    char name[300];
    const struct text base = path_name(directory);
    if (base.n > 255 || base.n == 0 || base.p[0] == '.' || base.p[0] == '/')
        return fail_line(st, GENAIR_USAGE, directory, 0, "give the directory by its name: RecBole names the files after it");
    snprintf(name, sizeof name, "%.*s.%s", (int)base.n, base.p, extension);
    char *path = path_join(directory, name);
    struct writer *w = NULL;
    genair_code code = path ? writer_open(path, &w, st) : fail_memory(st);
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
    if (code == GENAIR_OK) code = write_file(&c, directory, "inter", put_interactions, files, st);
    if (code == GENAIR_OK) code = write_file(&c, directory, "item", put_items, files, st);
    catalogue_close(&c);
    return code;
}
