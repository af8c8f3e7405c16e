/* SPDX-License-Identifier: Apache-2.0 */
#include "ranking/ranks_file.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/mapping.h"

#include <stdio.h>
#include <string.h>

static const char header[] = "user\ttarget\trank\tties";
static const char special[] = "\t\n\r\\", letter[] = "tnr\\"; /* in names */

/* ---- writing ---- */

static genair_code put_tsv_name(struct writer *w, struct text name, genair_status *st) {
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

static genair_code write_file(const char *path, const char *columns, put_user *put, const struct dataset *data,
                              const struct ranking_result *r, genair_status *st) {
    struct writer *w;
    genair_code code = writer_open(path, &w, st);
    if (code != GENAIR_OK) return code;
    code = writer_printf(w, st, "%s\n", columns);
    for (size_t i = 0; i < r->n && code == GENAIR_OK; i++)
        code = put(w, data, r, i, st);
    if (code == GENAIR_OK) return writer_commit(w, st);
    writer_abandon(w);
    return code;
}

genair_code ranks_file_write(const char *path, const struct dataset *data, const struct ranking_result *result,
                             genair_status *st) {
    return write_file(path, header, put_rank, data, result, st);
}

genair_code lists_file_write(const char *path, const struct dataset *data, const struct ranking_result *result,
                             genair_status *st) {
    return write_file(path, "user\titem\tplace", put_list, data, result, st);
}

/* ---- reading ---- */

char *ranks_file_path(const char *directory, enum part part, enum protocol protocol) {
    char name[64];
    snprintf(name, sizeof name, "ranks-%s-%s.tsv", part_name(part), protocol_name(protocol));
    return path_join(directory, name);
}

/* The bytes at the front of t, and t after them. */
static bool take(struct text *t, const char *bytes, size_t n) {
    if (t->n < n || memcmp(t->p, bytes, n) != 0) return false;
    t->p += n;
    t->n -= n;
    return true;
}

static bool take_name(struct text *t, struct text name) {
    for (size_t i = 0; i < name.n; i++) {
        const char *found = name.p[i] ? strchr(special, name.p[i]) : NULL;
        const char escape[] = {'\\', found ? letter[found - special] : '\0'};
        if (!(found ? take(t, escape, 2) : take(t, name.p + i, 1))) return false;
    }
    return take(t, "\t", 1);
}

static bool take_count(struct text *t, char end, uint32_t *out) {
    const char *at = memchr(t->p, end, t->n);
    int64_t value;
    if (!at || !text_i64((struct text){t->p, (size_t)(at - t->p)}, &value) || value < 0 || value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    t->n -= (size_t)(at + 1 - t->p);
    t->p = at + 1;
    return true;
}

static genair_code read_ranks(const char *path, struct text t, const struct dataset *data, struct ranking_result *r,
                              genair_status *st) {
    bool sound = take(&t, header, sizeof header - 1) && take(&t, "\n", 1);
    size_t i = 0;
    for (; i < r->n && sound; i++)
        sound = take_name(&t, dataset_user_name(data, r->user[i])) &&
                take_name(&t, dataset_item_name(data, r->target[i])) && take_count(&t, '\t', &r->rank[i]) &&
                take_count(&t, '\n', &r->ties[i]) && r->rank[i] < data->n_items && r->ties[i] <= r->rank[i];
    if (sound && t.n == 0) return GENAIR_OK;
    return fail_line(st, GENAIR_FORMAT, path, (int64_t)(sound ? i + 2 : i + 1),
                     "not the rank of the next user of this workspace; run 'genair evaluate' again");
}

static genair_code read_file(const char *path, const struct dataset *data, struct ranking_result *r,
                             genair_status *st) {
    struct mapping m;
    genair_code code = mapping_open(path, &m, st);
    if (code != GENAIR_OK) return code;
    code = ranking_result_create(data, r, st);
    if (code == GENAIR_OK) code = read_ranks(path, (struct text){(const char *)m.data, m.size}, data, r, st);
    if (code == GENAIR_OK) code = ranking_result_summarise(data->cold, r, st);
    mapping_close(&m);
    return code;
}

genair_code ranks_file_read(const char *directory, const struct dataset *data, enum part part,
                            enum protocol protocol, struct ranking_result *out, bool *found, genair_status *st) {
    struct ranking_result r = {.part = part, .protocol = protocol};
    char *path = ranks_file_path(directory, part, protocol);
    if (!path) return fail_memory(st);
    *found = file_exists(path);
    const genair_code code = *found ? read_file(path, data, &r, st) : GENAIR_OK;
    mem_free(path);
    if (code == GENAIR_OK)
        *out = r;
    else
        ranking_result_free(&r);
    return code;
}
