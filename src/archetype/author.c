/* SPDX-License-Identifier: Apache-2.0 */
#include "archetype/author.h"

#include "archetype/generate.h"
#include "base/alloc.h"
#include "workspace/item_matrix.h"
#include "workspace/manifest.h"

#include <stdio.h>
#include <string.h>

enum { SLOTS = 16, KV_BYTES = 1 << 30 };

struct author {
    const char *workspace, *run;
    json_t *settings; /* texts by name: archetype.c */
    struct template *template;
    struct lm_weights *weights;
    struct tokenizer *tokenizer;
    enum chat_format format;
};

void author_close(struct author *a) {
    if (!a) return;
    json_decref(a->settings);
    tokenizer_free(a->tokenizer);
    lm_weights_close(a->weights);
    template_free(a->template);
    mem_free(a);
}

/* ---- as before ---- */

static const char *setting(const struct author *a, const char *name) {
    const char *value = json_string_value(json_object_get(a->settings, name));
    return value ? value : "";
}

/* What the vectors that the run's item matrix was made of were made with: *out is a new reference. */
static genair_code settings_of(const struct workspace *w, const char *run, json_t **out, genair_status *st) {
    char stage[256];
    snprintf(stage, sizeof stage, "train/%s", run);
    const json_t *config = json_object_get(workspace_stage_inputs(w, stage), "config");
    const struct item_matrix items = item_matrix_named(json_string_value(json_object_get(config, "items")));
    const char *then = json_string_value(json_object_get(workspace_stage_inputs(w, items.stage), "embed"));
    const char *now = workspace_stage_hash(w, "embed"), *path = workspace_path(w);
    if (then && (!now || strcmp(then, now) != 0))
        return fail_line(st, GENAIR_USAGE, path, 0,
                         "the item vectors that run '%s' learned from are not those that are there now, so no --model can be known to be "
                         "theirs: give vectors (--prefill, --decoding)", run);
    json_t *settings = json_object_get(workspace_stage_inputs(w, "embed"), "settings");
    const char *answers = json_string_value(json_object_get(settings, "answers"));
    if (!settings)
        return fail_line(st, GENAIR_USAGE, path, 0,
                         "its item vectors were made elsewhere, so no --model can be known to be theirs: give vectors (--prefill, "
                         "--decoding)");
    if (!answers || strcmp(answers, "generated") != 0)
        return fail_line(st, GENAIR_USAGE, path, 0,
                         "its archetypes were written elsewhere (--texts): give vectors (--prefill, --decoding)");
    *out = json_incref(settings);
    return GENAIR_OK;
}

static genair_code read_settings(const struct author *a, json_t **out, genair_status *st) {
    struct workspace *w;
    genair_code code = workspace_open_read(NULL, a->workspace, &w, st);
    if (code != GENAIR_OK) return code;
    code = settings_of(w, a->run, out, st);
    workspace_close(w);
    return code;
}

/* Another template is told as such, also where it is none that can be parsed. */
static genair_code open_template(const char *path, struct author *a, genair_status *st) {
    char digits[33] = "";
    genair_status why = {0};
    const genair_code code = template_open(path, digits, &a->template, &why);
    if (*digits && strcmp(digits, setting(a, "template")) != 0)
        return fail(st, GENAIR_USAGE, "the workspace's archetypes were made with another template: give it with --template");
    if (code != GENAIR_OK && st) *st = why;
    return code;
}

/* One that an earlier version did not write down is not known to differ. */
static bool differs(const struct author *a, const char *name, const char *value) {
    return *setting(a, name) && strcmp(setting(a, name), value) != 0;
}

static genair_code open_model(const char *path, struct author *a, genair_status *st) {
    char weights[33], tokenizer[33];
    genair_code code = lm_weights_open(path, &a->weights, st);
    if (code == GENAIR_OK) code = tokenizer_open(a->weights, &a->tokenizer, st);
    if (code == GENAIR_OK) code = lm_weights_hash(NULL, a->weights, weights, st);
    if (code == GENAIR_OK) code = tokenizer_hash(a->tokenizer, tokenizer, st);
    if (code != GENAIR_OK) return code;
    if (!differs(a, "model", weights) && !differs(a, "tokenizer", tokenizer) &&
        chat_format_named(setting(a, "chat_format"), &a->format))
        return tokenizer_end_turns(a->tokenizer, a->format, a->weights, st);
    return fail_line(st, GENAIR_USAGE, path, 0, "not the model that made the item vectors of run '%s'", a->run);
}

genair_code author_open(const char *workspace, const char *run, const char *model, const char *template,
                        struct author **out, genair_status *st) {
    struct author *a = mem_zeros(1, sizeof *a);
    if (!a) return fail_memory(st);
    a->workspace = workspace;
    a->run = run;
    genair_code code = read_settings(a, &a->settings, st);
    if (code == GENAIR_OK) code = open_template(template, a, st);
    if (code == GENAIR_OK) code = open_model(model, a, st);
    if (code == GENAIR_OK)
        *out = a;
    else
        author_close(a);
    return code;
}

/* A server opens its model once, and the run that it serves may be trained anew. */
static genair_code check_settings(const struct author *a, genair_status *st) {
    json_t *now = NULL;
    const genair_code code = read_settings(a, &now, st);
    const bool same = json_equal(now, a->settings);
    json_decref(now);
    if (code != GENAIR_OK || same) return code;
    return fail_line(st, GENAIR_USAGE, a->workspace, 0,
                     "its archetypes were made anew with other settings since --model was opened: start again");
}

/* ---- items ---- */

struct work {
    const struct author_item *items;
    author_take *take;
    void *user;
    size_t width; /* of the vectors */
};

static struct text name_of(const void *user, uint32_t item) {
    return ((const struct work *)user)->items[item - 1].name;
}

static genair_code record_of(const void *user, uint32_t item, json_t **out, genair_status *st) {
    (void)st;
    *out = json_incref(((const struct work *)user)->items[item - 1].record);
    return GENAIR_OK;
}

static genair_code take(void *user, uint32_t item, const struct archetype *row, genair_status *st) {
    struct work *w = user;
    char name[TEXT_EXCERPT];
    if (row->done) return w->take(w->user, item - 1, row, w->width, st);
    text_excerpt(row->item, name);
    return fail(st, GENAIR_FORMAT, "item '%s': %.*s", name, (int)row->finish.n, row->finish.p);
}

static double real_setting(const struct author *a, const char *name, double fallback) {
    double value = fallback;
    return text_f64(text_of(setting(a, name)), &value) ? value : fallback;
}

static uint64_t count_setting(const struct author *a, const char *name, int64_t fallback) {
    int64_t value = fallback;
    return (uint64_t)(text_i64(text_of(setting(a, name)), &value) && value >= 0 ? value : fallback);
}

static struct sampling sampling_of(const struct author *a) {
    return (struct sampling){.greedy = strcmp(setting(a, "greedy"), "yes") == 0,
                             .temperature = (float)real_setting(a, "temperature", 1),
                             .top_p = (float)real_setting(a, "top-p", 1),
                             .repetition_penalty = (float)real_setting(a, "repetition-penalty", 1),
                             .seed = count_setting(a, "seed", 0)};
}

genair_code author_describe(struct author *a, genair_context *ctx, const struct author_item *items, size_t n,
                            author_take *taker, void *user, genair_status *st) {
    struct work w = {items, taker, user, a->weights->config.hidden};
    const struct generation g = {
        .ctx = ctx,
        .items = {.user = &w, .n_all = (uint32_t)n, .name = name_of, .record = record_of},
        .take = take,
        .taker = &w,
        .template = a->template,
        .style = {setting(a, "item-noun"), (size_t)count_setting(a, "attribute-characters", 100)},
        .n_items = (uint32_t)n,
        .sampling = sampling_of(a),
        .max_new = (size_t)count_setting(a, "max-new-tokens", 512)};
    const struct generator with = {.weights = a->weights,
                                   .tokenizer = a->tokenizer,
                                   .format = a->format,
                                   .options = {.n_slots = SLOTS, .kv_bytes = KV_BYTES, .one_always = true,
                                               .chunk = GENERATE_CHUNK, .arithmetic = ENGINE_INT8}};
    struct generate *generate = NULL;
    genair_code code = check_settings(a, st);
    if (code == GENAIR_OK) code = generate_create(&g, &generate, st);
    if (code == GENAIR_OK) code = generate_run(generate, &with, st);
    generate_free(generate);
    return code;
}
