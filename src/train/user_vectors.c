/* SPDX-License-Identifier: Apache-2.0 */
#include "train/user_vectors.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "lm/engine.h"
#include "lm/tokenizer.h"
#include "workspace/catalogue.h"
#include "workspace/npy.h"

#include <math.h>
#include <string.h>

enum { HISTORY_CHARACTERS = 8000, SLOTS = 64, KV_BYTES = 1 << 30, CHUNK = 256 };

static const char before[] = "A user has chosen the following, one after the other: ";
static const char behind[] = ". Say in a few words what this user prefers.";

struct reading {
    genair_context *ctx;
    struct catalogue catalogue;
    struct lm_weights *weights;
    struct tokenizer *tokenizer;
    struct line {
        char *text;
        size_t n, capacity;
    } history, prompt;
    struct tokens tokens;
    uint32_t next, n_done;
    float *vectors; /* [n_users, hidden] */
    genair_code code; /* of the source, which has no other way to fail */
    genair_status *st;
};

static void reading_deinit(struct reading *r) {
    tokens_free(&r->tokens);
    mem_free(r->history.text);
    mem_free(r->prompt.text);
    mem_free(r->vectors);
    tokenizer_free(r->tokenizer);
    lm_weights_close(r->weights);
    catalogue_close(&r->catalogue);
}

static bool put(struct line *to, const char *p, size_t n) {
    if (!mem_grow(&to->text, &to->capacity, to->n + n + 1, 1)) return false;
    memcpy(to->text + to->n, p, n);
    to->n += n;
    return true;
}

/* ---- prompts ---- */

/* Names of the training items; those without one are passed over. */
static genair_code write_history(struct reading *r, uint32_t user, genair_status *st) {
    uint32_t n;
    const uint32_t *items = dataset_training(r->catalogue.data, user, &n);
    genair_code code = GENAIR_OK;
    r->history.n = 0;
    for (uint32_t i = 0; code == GENAIR_OK && i < n; i++) {
        json_t *record;
        code = catalogue_record(&r->catalogue, items[i], &record, st);
        if (code != GENAIR_OK) break;
        const json_t *name = json_object_get(record, "name");
        const struct text t = text_trim((struct text){json_is_string(name) ? json_string_value(name) : "", json_string_length(name)});
        if (t.n && !((r->history.n == 0 || put(&r->history, ", ", 2)) && put(&r->history, t.p, t.n))) code = fail_memory(st);
        json_decref(record);
    }
    return code;
}

/* Its last characters, at most so many. */
static struct text latest(const struct line *l, size_t most) {
    size_t at = l->n;
    for (size_t n = 0; at > 0 && n < most;) n += ((unsigned char)l->text[--at] & 0xC0) != 0x80;
    return (struct text){l->n ? l->text + at : "", l->n - at};
}

static genair_code encode(struct reading *r, size_t characters, genair_status *st) {
    const struct text history = latest(&r->history, characters);
    r->prompt.n = r->tokens.n = 0;
    if (!put(&r->prompt, before, strlen(before)) || !put(&r->prompt, history.p, history.n) ||
        !put(&r->prompt, behind, strlen(behind)))
        return fail_memory(st);
    return chat_encode(r->tokenizer, tokenizer_chat_format(r->tokenizer), (struct text){0},
                       (struct text){r->prompt.text, r->prompt.n}, &r->tokens, st);
}

/* A model that reads less gets less of the history. */
static genair_code encode_user(struct reading *r, uint32_t user, genair_status *st) {
    const size_t context = r->weights->config.context;
    genair_code code = write_history(r, user, st);
    for (size_t characters = HISTORY_CHARACTERS; code == GENAIR_OK; characters /= 2) {
        code = encode(r, characters, st);
        if (code == GENAIR_OK && r->tokens.n && r->tokens.n < context) return GENAIR_OK;
        if (code == GENAIR_OK && characters == 0)
            return fail(st, GENAIR_USAGE, "the model reads at most %zu tokens: too few to describe a user", context);
    }
    return code;
}

/* ---- reading ---- */

static bool give(void *user, struct lm_request *out) {
    struct reading *r = user;
    if (r->code != GENAIR_OK || r->next == r->catalogue.data->n_users) return false;
    r->code = encode_user(r, r->next, r->st);
    if (r->code != GENAIR_OK) return false;
    *out = (struct lm_request){.id = r->next++, .prompt = r->tokens.ids, .n_prompt = r->tokens.n, .max_new = 1};
    return true;
}

static genair_code take(void *user, const struct answer *a, genair_status *st) {
    struct reading *r = user;
    const size_t hidden = r->weights->config.hidden;
    for (size_t i = 0; a->prefill && i < hidden; i++)
        if (!isfinite(a->prefill[i])) return fail(st, GENAIR_FORMAT, "the model gave a vector that is not finite numbers");
    if (!a->prefill) return fail(st, GENAIR_INTERNAL, "user number %llu was not read", (unsigned long long)a->id);
    memcpy(r->vectors + a->id * hidden, a->prefill, hidden * sizeof *r->vectors);
    context_progress(r->ctx, "users read", (double)++r->n_done, (double)r->catalogue.data->n_users);
    return GENAIR_OK;
}

static genair_code read_users(struct reading *r, genair_status *st) {
    const struct engine_options options = {.n_slots = SLOTS, .kv_bytes = KV_BYTES, .one_always = true, .chunk = CHUNK, .arithmetic = ENGINE_INT8};
    size_t n;
    if (mul_size(r->catalogue.data->n_users, r->weights->config.hidden, &n)) r->vectors = mem_array(n, sizeof *r->vectors);
    struct engine *engine = NULL;
    genair_code code = r->vectors ? engine_create(r->ctx, r->weights, &options, &engine, st) : fail_memory(st);
    r->st = st;
    if (code == GENAIR_OK) code = engine_run(engine, NULL, 0, &(struct sampling){.greedy = true, .repetition_penalty = 1}, give, take, r, NULL, st);
    engine_free(engine);
    return code == GENAIR_OK ? r->code : code;
}

/* ---- the stage ---- */

static genair_code keep(struct reading *r, struct workspace *w, const json_t *inputs, genair_status *st) {
    const size_t n_users = r->catalogue.data->n_users, hidden = r->weights->config.hidden;
    char *path = path_join(workspace_path(w), USER_VECTORS);
    json_t *result = json_pack("{s:I, s:I}", "users", (json_int_t)n_users, "columns", (json_int_t)hidden);
    genair_code code = path && result ? npy_write_f32(path, n_users, hidden, r->vectors, st) : fail_memory(st);
    if (code == GENAIR_OK)
        code = workspace_record(w, USER_VECTORS_STAGE, inputs, (const char *const[]){USER_VECTORS}, 1, result, st);
    json_decref(result);
    mem_free(path);
    return code;
}

static genair_code open_parts(struct reading *r, const char *model, struct workspace *w, genair_status *st) {
    genair_code code = catalogue_open(workspace_path(w), &r->catalogue, st);
    if (code == GENAIR_OK && r->catalogue.records.size == 0)
        code = fail_line(st, GENAIR_USAGE, workspace_path(w), 0,
                         "there is no text for the language model; give `genair prepare` the items' metadata (--items)");
    if (code == GENAIR_OK) code = lm_weights_open(model, &r->weights, st);
    return code == GENAIR_OK ? tokenizer_open(r->weights, &r->tokenizer, st) : code;
}

static genair_code describe(const struct reading *r, struct workspace *w, json_t **out, genair_status *st) {
    char model[33], tokenizer[33];
    genair_code code = lm_weights_hash(r->ctx, r->weights, model, st);
    if (code == GENAIR_OK) code = tokenizer_hash(r->tokenizer, tokenizer, st);
    if (code != GENAIR_OK) return code;
    *out = json_pack("{s:s, s:s, s:s, s:s}", "made_by", "train", "prepare", workspace_stage_hash(w, "prepare"), "model", model,
                     "tokenizer", tokenizer);
    return *out ? GENAIR_OK : fail_memory(st);
}

static genair_code make(genair_context *ctx, const char *model, struct workspace *w, genair_status *st) {
    struct reading r = {.ctx = ctx};
    const double start = context_seconds();
    json_t *inputs = NULL, *known;
    genair_code code = open_parts(&r, model, w, st);
    if (code == GENAIR_OK) code = describe(&r, w, &inputs, st);
    if (code == GENAIR_OK && !workspace_is_current(w, USER_VECTORS_STAGE, inputs, &known)) {
        code = read_users(&r, st);
        if (code == GENAIR_OK) code = keep(&r, w, inputs, st);
        if (code == GENAIR_OK) context_info(ctx, "%u users read: %.0f seconds", r.n_done, context_seconds() - start);
    }
    json_decref(inputs);
    reading_deinit(&r);
    return code;
}

genair_code user_vectors_missing(const struct workspace *w, genair_status *st) {
    return fail_line(st, GENAIR_USAGE, workspace_path(w), 0,
                     "no language model has read its users; name one with --model, or take --user-semantic mean or FILE.npy");
}

genair_code user_vectors_make(genair_context *ctx, const genair_options *options, struct workspace *w, genair_status *st) {
    const char *model = option_text(options, "model");
    if (model) return make(ctx, model, w, st);
    return workspace_stage_is_of_data(w, USER_VECTORS_STAGE) ? workspace_verify(w, USER_VECTORS_STAGE, st)
                                                             : user_vectors_missing(w, st);
}
