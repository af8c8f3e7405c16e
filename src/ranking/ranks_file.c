/* SPDX-License-Identifier: Apache-2.0 */
#include "ranking/ranks_file.h"

#include "base/files.h"

#include <string.h>

genair_code put_tsv_name(struct writer *w, struct text name, genair_status *st) {
    static const char special[] = "\t\n\r\\", letter[] = "tnr\\";
    size_t begin = 0;
    for (size_t i = 0; i < name.n; i++) {
        const char *found = name.p[i] ? strchr(special, name.p[i]) : NULL;
        if (!found) continue;
        const char escape[] = {'\\', letter[found - special]};
        genair_code code = writer_put(w, name.p + begin, i - begin, st);
        if (code == GENAIR_OK) code = writer_put(w, escape, sizeof escape, st);
        if (code != GENAIR_OK) return code;
        begin = i + 1;
    }
    return writer_put(w, name.p + begin, name.n - begin, st);
}

static genair_code put_two_names(struct writer *w, const struct dataset *data, uint32_t user, uint32_t item,
                                 genair_status *st) {
    genair_code code = put_tsv_name(w, dataset_user_name(data, user), st);
    if (code == GENAIR_OK) code = writer_put(w, "\t", 1, st);
    return code == GENAIR_OK ? put_tsv_name(w, dataset_item_name(data, item), st) : code;
}

static genair_code put_rank(struct writer *w, const struct dataset *data, const struct ranking_result *r, size_t i,
                            genair_status *st) {
    const genair_code code = put_two_names(w, data, r->user[i], r->target[i], st);
    return code == GENAIR_OK ? writer_printf(w, st, "\t%u\t%u\n", r->rank[i], r->ties[i]) : code;
}

static genair_code put_list(struct writer *w, const struct dataset *data, const struct ranking_result *r, size_t i,
                            genair_status *st) {
    const uint32_t *list = r->list + i * RANKING_LIST;
    genair_code code = GENAIR_OK;
    for (unsigned k = 0; code == GENAIR_OK && k < RANKING_LIST && list[k]; k++) {
        code = put_two_names(w, data, r->user[i], list[k], st);
        if (code == GENAIR_OK) code = writer_printf(w, st, "\t%u\n", k + 1);
    }
    return code;
}

typedef genair_code put_user(struct writer *, const struct dataset *, const struct ranking_result *, size_t,
                             genair_status *);

static genair_code write_file(const char *path, const char *header, put_user *put, const struct dataset *data,
                              const struct ranking_result *r, genair_status *st) {
    struct writer *w;
    genair_code code = writer_open(path, &w, st);
    if (code != GENAIR_OK) return code;
    code = writer_printf(w, st, "%s\n", header);
    for (size_t i = 0; i < r->n && code == GENAIR_OK; i++)
        code = put(w, data, r, i, st);
    if (code == GENAIR_OK) return writer_commit(w, st);
    writer_abandon(w);
    return code;
}

genair_code ranks_file_write(const char *path, const struct dataset *data, const struct ranking_result *result,
                             genair_status *st) {
    return write_file(path, "user\ttarget\trank\tties", put_rank, data, result, st);
}

genair_code lists_file_write(const char *path, const struct dataset *data, const struct ranking_result *result,
                             genair_status *st) {
    return write_file(path, "user\titem\tplace", put_list, data, result, st);
}
