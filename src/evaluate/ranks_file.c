/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/ranks_file.h"

#include "base/alloc.h"
#include "base/files.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static genair_code put_name(struct writer *w, struct text name, genair_status *st) {
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

static genair_code put_user(struct writer *w, const struct dataset *data,
                            const struct ranking_result *r, size_t i, genair_status *st) {
    genair_code code = put_name(w, dataset_user_name(data, r->user[i]), st);
    if (code == GENAIR_OK) code = writer_put(w, "\t", 1, st);
    if (code == GENAIR_OK) code = put_name(w, dataset_item_name(data, r->target[i]), st);
    if (code == GENAIR_OK) code = writer_printf(w, st, "\t%u\t%u\n", r->rank[i], r->ties[i]);
    return code;
}

static genair_code write_file(const char *path, const struct dataset *data,
                              const struct ranking_result *r, genair_status *st) {
    struct writer *w;
    genair_code code = writer_open(path, &w, st);
    if (code != GENAIR_OK) return code;
    code = writer_printf(w, st, "user\ttarget\trank\tties\n");
    for (size_t i = 0; i < r->n && code == GENAIR_OK; i++)
        code = put_user(w, data, r, i, st);
    if (code == GENAIR_OK) return writer_commit(w, st);
    writer_abandon(w);
    return code;
}

genair_code ranks_file_write(const char *workspace, const char *run, const struct dataset *data,
                             const struct ranking_result *result, bool *written,
                             genair_status *st) {
    char name[64];
    snprintf(name, sizeof name, "ranks-%s-%s.tsv", part_name(result->part),
             protocol_name(result->protocol));
    char *runs = path_join(workspace, "runs"), *directory = runs ? path_join(runs, run) : NULL;
    char *path = directory ? path_join(directory, name) : NULL;
    genair_code code = path ? GENAIR_OK : fail_memory(st);
    *written = code == GENAIR_OK && access(directory, W_OK) == 0;
    if (*written) code = write_file(path, data, result, st);
    mem_free(path);
    mem_free(directory);
    mem_free(runs);
    return code;
}
