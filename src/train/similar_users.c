/* SPDX-License-Identifier: Apache-2.0 */
#include "train/similar_users.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "ranking/topk.h"
#include "tensor/gemm.h"
#include "train/semantic.h"
#include "train/user_vectors.h"
#include "workspace/npy.h"

#include <math.h>
#include <string.h>

#define FILE_NAME "similar_users.npy"

enum { ROWS_PER_TASK = 64, COLUMNS_PER_BLOCK = 1024, TASKS_PER_ROUND = 64 };

/* ---- the search ---- */

struct search {
    const struct kernels *kernels;
    const float *users; /* [n, width] */
    size_t n, width, first_task;
    int32_t *out;
    struct worker {
        float scores[ROWS_PER_TASK * COLUMNS_PER_BLOCK];
        struct scored kept[ROWS_PER_TASK][SIMILAR_USERS];
    } *workers;
};

static void unit_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct search *s = context;
    float *x = (float *)(uintptr_t)s->users + task * s->width;
    double square = 0;
    for (size_t c = 0; c < s->width; c++) square += (double)x[c] * (double)x[c];
    for (size_t c = 0; square > 0 && c < s->width; c++) x[c] = (float)((double)x[c] / sqrt(square));
}

/* Rows of one block of users against all users, in ascending blocks; what is kept is the best so far. */
static void search_task(void *context, size_t task, int worker) {
    const struct search *s = context;
    struct worker *w = &s->workers[worker];
    const size_t first = (s->first_task + task) * ROWS_PER_TASK, rows = min_size(ROWS_PER_TASK, s->n - first);
    struct topk best[ROWS_PER_TASK];
    for (size_t r = 0; r < rows; r++) best[r] = (struct topk){.k = SIMILAR_USERS, .entries = w->kept[r]};
    for (size_t at = 0; at < s->n; at += COLUMNS_PER_BLOCK) {
        const size_t columns = min_size(COLUMNS_PER_BLOCK, s->n - at);
        gemm_single(&(struct gemm){.kernels = s->kernels, .m = rows, .n = columns, .k = s->width,
                                   .a = s->users + first * s->width, .lda = s->width, .b = s->users + at * s->width,
                                   .ldb = s->width, .b_transposed = true, .c = w->scores, .ldc = columns, .alpha = 1});
        for (size_t r = 0; r < rows; r++) {
            float *scores = w->scores + r * columns;
            if (first + r >= at && first + r < at + columns) scores[first + r - at] = -INFINITY; /* itself */
            topk_push_row(&best[r], s->kernels, scores, columns, (uint32_t)at);
        }
    }
    for (size_t r = 0; r < rows; r++) {
        int32_t *out = s->out + (first + r) * SIMILAR_USERS;
        topk_sort(&best[r]);
        for (size_t i = 0; i < SIMILAR_USERS; i++) out[i] = i < best[r].n ? (int32_t)best[r].entries[i].id : -1;
    }
}

static genair_code run(genair_context *ctx, struct search *s, genair_status *st) {
    const size_t n_tasks = (s->n + ROWS_PER_TASK - 1) / ROWS_PER_TASK;
    parallel_run(context_parallel(ctx), s->n, unit_task, s);
    for (; s->first_task < n_tasks; s->first_task += TASKS_PER_ROUND) {
        parallel_run(context_parallel(ctx), min_size(TASKS_PER_ROUND, n_tasks - s->first_task), search_task, s);
        context_progress(ctx, "similar users", (double)min_size(n_tasks, s->first_task + TASKS_PER_ROUND), (double)n_tasks);
        if (context_stopped(ctx)) return context_interrupted(st);
    }
    return GENAIR_OK;
}

genair_code similar_users_find(genair_context *ctx, float *users, size_t n_users, size_t width, int32_t **out,
                               genair_status *st) {
    struct search s = {.kernels = kernels_select(NULL), .users = users, .n = n_users, .width = width,
                       .out = n_users <= INT32_MAX ? mem_array(n_users * SIMILAR_USERS, sizeof *s.out) : NULL,
                       .workers = mem_aligned((size_t)parallel_threads(context_parallel(ctx)), sizeof *s.workers)};
    const genair_code code = s.out && s.workers ? run(ctx, &s, st) : fail_memory(st);
    mem_free(s.workers);
    if (code == GENAIR_OK)
        *out = s.out;
    else
        mem_free(s.out);
    return code;
}

/* ---- the user matrix ---- */

static bool is(const json_t *config, const char *source) {
    return method_is(config, "user-semantic", source);
}

genair_code similar_users_identity(const genair_context *ctx, struct workspace *w, const json_t *config,
                                   struct stage_inputs *files, char out[33], genair_status *st) {
    if (is(config, "mean")) return semantic_identity(ctx, w, config, files, out, st);
    if (!is(config, "llm")) return stage_inputs_hash(files, ctx, method_text(config, "user-semantic"), out, st);
    const char *hash = workspace_stage_hash(w, USER_VECTORS_STAGE);
    if (!hash) return user_vectors_missing(w, st);
    memcpy(out, hash, 33);
    return workspace_verify(w, USER_VECTORS_STAGE, st);
}

struct means {
    const struct dataset *data;
    struct method_matrix items;
    const struct kernels *kernels;
    float *users;
};

static void mean_task(void *context, size_t user, int worker) {
    (void)worker;
    const struct means *m = context;
    const size_t width = m->items.width;
    uint32_t n;
    const uint32_t *history = dataset_training(m->data, (uint32_t)user, &n);
    float *to = m->users + user * width;
    for (uint32_t i = 0; i < n; i++)
        m->kernels->axpy(1 / (float)n, m->items.values + (history[i] - 1) * width, to, width);
}

static genair_code mean_users(genair_context *ctx, const char *workspace, const json_t *config, const struct dataset *data,
                              struct method_matrix *out, genair_status *st) {
    struct means m = {.data = data, .kernels = kernels_select(NULL)};
    size_t n;
    const genair_code code = semantic_raw(workspace, config, data, &m.items, st);
    if (code != GENAIR_OK) return code;
    if (mul_size(data->n_users, m.items.width, &n)) m.users = mem_zeros(n, sizeof *m.users);
    if (m.users) parallel_run(context_parallel(ctx), data->n_users, mean_task, &m);
    mem_free((void *)(uintptr_t)m.items.values);
    *out = (struct method_matrix){m.users, m.items.width};
    return m.users ? GENAIR_OK : fail_memory(st);
}

static genair_code open_users(genair_context *ctx, const char *workspace, const json_t *config, const struct dataset *data,
                              struct method_matrix *out, genair_status *st) {
    if (is(config, "mean")) return mean_users(ctx, workspace, config, data, out, st);
    const char *given = method_text(config, "user-semantic");
    char *path = is(config, "llm") ? path_join(workspace, USER_VECTORS) : mem_text(given, strlen(given));
    const genair_code code = path ? float_matrix_read(path, data->n_users, "users", false, out, st) : fail_memory(st);
    mem_free(path);
    return code;
}

static genair_code find(genair_context *ctx, const char *workspace, const json_t *config, const struct dataset *data,
                        int32_t **out, genair_status *st) {
    struct method_matrix users = {0};
    const double start = context_seconds();
    genair_code code = open_users(ctx, workspace, config, data, &users, st);
    float *values = (float *)(uintptr_t)users.values;
    if (code == GENAIR_OK) code = similar_users_find(ctx, values, data->n_users, users.width, out, st);
    mem_free(values);
    if (code == GENAIR_OK)
        context_info(ctx, "the %d most similar of %u users, by %zu numbers each: %.1f seconds", SIMILAR_USERS, data->n_users,
                     users.width, context_seconds() - start);
    return code;
}

/* ---- the workspace's list ---- */

/* What the list is a function of. */
static genair_code describe(const genair_context *ctx, struct workspace *w, const json_t *config, struct stage_inputs *files,
                            json_t **out, genair_status *st) {
    char identity[33];
    const genair_code code = similar_users_identity(ctx, w, config, files, identity, st);
    if (code != GENAIR_OK) return code;
    *out = json_pack("{s:s, s:s?, s:s, s:s, s:s?}", "made_by", "train", "prepare", workspace_stage_hash(w, "prepare"),
                     "user-semantic", is(config, "mean") ? "mean" : is(config, "llm") ? "llm" : "file", "vectors", identity,
                     "semantic-scale", is(config, "mean") ? method_text(config, "semantic-scale") : NULL);
    return *out ? GENAIR_OK : fail_memory(st);
}

static size_t bytes_of(const struct dataset *data) {
    return (size_t)data->n_users * SIMILAR_USERS * sizeof(int32_t);
}

static genair_code keep(struct workspace *w, const json_t *inputs, const struct dataset *data, const int32_t *list,
                        genair_status *st) {
    char hash[33], *path = path_join(workspace_path(w), FILE_NAME);
    hash_bytes(list, bytes_of(data), hash);
    json_t *result = json_pack("{s:I, s:i, s:s}", "users", (json_int_t)data->n_users, "similar", SIMILAR_USERS, "hash", hash);
    genair_code code = path && result ? npy_write_i32(path, data->n_users, SIMILAR_USERS, list, st) : fail_memory(st);
    if (code == GENAIR_OK)
        code = workspace_record(w, SIMILAR_USERS_STAGE, inputs, (const char *const[]){FILE_NAME}, 1, result, st);
    json_decref(result);
    mem_free(path);
    return code;
}

static genair_code make(genair_context *ctx, struct workspace *w, const json_t *config, const json_t *inputs,
                        const struct stage_inputs *files, genair_status *st) {
    struct dataset *data;
    int32_t *list = NULL;
    genair_code code = dataset_open(workspace_path(w), &data, st);
    if (code != GENAIR_OK) return code;
    code = find(ctx, workspace_path(w), config, data, &list, st);
    if (code == GENAIR_OK) code = stage_inputs_unchanged(files, st);
    if (code == GENAIR_OK) code = keep(w, inputs, data, list, st);
    mem_free(list);
    dataset_close(data);
    return code;
}

genair_code similar_users_make(genair_context *ctx, struct workspace *w, const json_t *config, genair_status *st) {
    json_t *inputs = NULL, *known;
    struct stage_inputs files = {0};
    genair_code code = describe(ctx, w, config, &files, &inputs, st);
    if (code == GENAIR_OK && !workspace_is_current(w, SIMILAR_USERS_STAGE, inputs, &known))
        code = make(ctx, w, config, inputs, &files, st);
    json_decref(inputs);
    stage_inputs_free(&files);
    return code;
}

/* The file's content if it is what was recorded: another run of the same command may replace it meanwhile. */
static genair_code read_kept(const char *workspace, const struct dataset *data, const char *recorded, int32_t **out,
                             genair_status *st) {
    char hash[33], *path = path_join(workspace, FILE_NAME);
    struct npy *a = NULL;
    genair_code code = path ? npy_open(path, &a, st) : fail_memory(st);
    mem_free(path);
    if (code != GENAIR_OK) return code;
    if (a->type == NPY_I4 && !a->big_endian && a->n_values == (size_t)data->n_users * SIMILAR_USERS) {
        hash_bytes(a->data, bytes_of(data), hash);
        if (strcmp(hash, recorded) == 0) {
            *out = mem_array(a->n_values, sizeof **out);
            if (*out)
                memcpy(*out, a->data, bytes_of(data));
            else
                code = fail_memory(st);
        }
    }
    npy_close(a);
    return code;
}

genair_code similar_users_open(genair_context *ctx, const char *workspace, const json_t *config,
                               const struct dataset *data, int32_t **out, genair_status *st) {
    struct workspace *w;
    json_t *inputs = NULL, *known;
    struct stage_inputs files = {0}; /* the caller has noted it, and looks again */
    *out = NULL;
    genair_code code = workspace_open_read(ctx, workspace, &w, st);
    if (code != GENAIR_OK) return code;
    code = describe(ctx, w, config, &files, &inputs, st);
    if (code == GENAIR_OK && workspace_is_current(w, SIMILAR_USERS_STAGE, inputs, &known)) {
        const char *hash = json_string_value(json_object_get(known, "hash"));
        code = read_kept(workspace, data, hash ? hash : "", out, st);
    }
    json_decref(inputs);
    stage_inputs_free(&files);
    workspace_close(w);
    return code == GENAIR_OK && !*out ? find(ctx, workspace, config, data, out, st) : code;
}
