/* SPDX-License-Identifier: Apache-2.0 */
/* genair archetype: a language model reads what the catalogue says of each item and writes who it is
 * for; the text and both vectors (eq. 5, 6) go into the workspace's store, and when all are there
 * the vectors become what fuse reads. */
#include "genair.h"

#include "archetype/generate.h"
#include "archetype/ranks.h"
#include "archetype/show.h"
#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/options.h"
#include "base/ranks.h"
#include "base/size.h"
#include "workspace/item_vectors.h"
#include "workspace/stage_input.h"
#include "workspace/stage_result.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_SETTINGS = 16,
    SETTING_BYTES = 256
};

struct stage {
    genair_context *ctx;
    const genair_options *options;
    struct workspace *workspace;
    struct catalogue catalogue;
    struct template *template;
    char template_hash[33];
    struct texts *texts;
    char texts_hash[33];
    struct lm_weights *weights;
    struct tokenizer *tokenizer;
    enum chat_format format;
    struct sampling sampling;
    struct archetype_setting settings[MAX_SETTINGS];
    char values[MAX_SETTINGS][SETTING_BYTES];
    size_t n_settings;
    struct ranks ranks; /* this process among those that share out the items */
    struct leases *leases; /* theirs; NULL: alone */
    struct archetypes *store;
    struct generate *generate;
    uint64_t n_merged; /* items that ranks had made */
};

static void stage_deinit(struct stage *s) {
    generate_free(s->generate);
    leases_close(s->leases);
    archetypes_close(s->store);
    tokenizer_free(s->tokenizer);
    lm_weights_close(s->weights);
    texts_free(s->texts);
    template_free(s->template);
    catalogue_close(&s->catalogue);
    workspace_close(s->workspace);
}

/* ---- what goes in ---- */

static genair_code open_model(struct stage *s, genair_status *st) {
    const char *path = option_text(s->options, "model");
    genair_code code = lm_weights_open(path, &s->weights, st);
    if (code == GENAIR_OK) code = tokenizer_open(s->weights, &s->tokenizer, st);
    if (code != GENAIR_OK) return code;
    if (chat_format_named(option_text(s->options, "chat-format"), &s->format))
        return tokenizer_end_turns(s->tokenizer, s->format, s->weights, st);
    s->format = tokenizer_chat_format(s->tokenizer);
    if (tokenizer_chat_unknown(s->tokenizer))
        context_warn(s->ctx, "the model's chat template is of none of the formats that --chat-format lists: it is given plain text");
    return GENAIR_OK;
}

static struct sampling sampling_of(const genair_options *o) {
    const double temperature = option_real(o, "temperature"), lowest = 1e-6; /* logits divided by less would overflow */
    return (struct sampling){.greedy = option_flag(o, "greedy") || temperature < lowest,
                             .temperature = (float)temperature,
                             .top_p = (float)option_real(o, "top-p"),
                             .repetition_penalty = (float)option_real(o, "repetition-penalty"),
                             .seed = (uint64_t)option_int(o, "seed")};
}

static void set(struct stage *s, const char *name, bool fixed, const char *format, ...)
    PRINTF(4, 5);

static void set(struct stage *s, const char *name, bool fixed, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *value = s->values[s->n_settings];
    vsnprintf(value, SETTING_BYTES, format, args);
    va_end(args);
    s->settings[s->n_settings++] = (struct archetype_setting){name, value, fixed};
}

/* It goes into every prompt, and into the store. */
static genair_code check_noun(const char *noun, genair_status *st) {
    const struct text text = text_of(noun);
    if (text_utf8_prefix(text) == text.n && text.n < SETTING_BYTES) return GENAIR_OK;
    char shown[TEXT_EXCERPT];
    text_excerpt(text, shown);
    return fail(st, GENAIR_USAGE, "--item-noun is '%s': allowed is text in UTF-8 of less than %d bytes",
                shown, SETTING_BYTES);
}

/* What the archetypes are a function of, items apart. Named like the options. */
static genair_code describe_settings(struct stage *s, genair_status *st) {
    const genair_options *o = s->options;
    char weights[33], tokenizer[33];
    genair_code code = lm_weights_hash(s->ctx, s->weights, weights, st);
    if (code == GENAIR_OK) code = tokenizer_hash(s->tokenizer, tokenizer, st);
    if (code != GENAIR_OK) return code;
    set(s, "model", true, "%s", weights);
    set(s, "tokenizer", true, "%s", tokenizer);
    const struct text file = path_name(option_text(o, "model"));
    set(s, "model_file", false, "%.*s", (int)min_size(file.n, SETTING_BYTES), file.p);
    set(s, "chat_format", true, "%s", chat_format_names[s->format]);
    set(s, "template", true, "%s", s->template_hash);
    set(s, "item-noun", true, "%s", option_text(o, "item-noun"));
    set(s, "attribute-characters", true, "%" PRId64, option_int(o, "attribute-characters"));
    set(s, "answers", true, "%s", option_text(o, "texts") ? "given" : "generated");
    if (option_text(o, "texts")) return GENAIR_OK; /* nothing is drawn */
    set(s, "greedy", true, "%s", s->sampling.greedy ? "yes" : "no");
    set(s, "repetition-penalty", true, "%.9g", option_real(o, "repetition-penalty"));
    set(s, "max-new-tokens", true, "%" PRId64, option_int(o, "max-new-tokens"));
    if (s->sampling.greedy) return GENAIR_OK;
    set(s, "temperature", true, "%.9g", option_real(o, "temperature"));
    set(s, "top-p", true, "%.9g", option_real(o, "top-p"));
    set(s, "seed", true, "%" PRId64, option_int(o, "seed"));
    return GENAIR_OK;
}

static genair_code describe_inputs(const struct stage *s, json_t **out, genair_status *st) {
    json_t *settings = json_object();
    for (size_t i = 0; i < s->n_settings; i++)
        if (s->settings[i].fixed)
            json_object_set_new(settings, s->settings[i].name, json_string(s->settings[i].value));
    *out = json_pack("{s:s, s:s, s:o, s:s?}", "made_by", "archetype", "prepare",
                     workspace_stage_hash(s->workspace, "prepare"), "settings", settings, "texts",
                     s->texts ? s->texts_hash : NULL);
    return *out ? GENAIR_OK : fail_memory(st);
}

static genair_code open_texts(struct stage *s, const char *path, genair_status *st) {
    struct stage_inputs file = {0};
    genair_code code = stage_inputs_hash(&file, s->ctx, path, s->texts_hash, st);
    if (code == GENAIR_OK) code = texts_read(path, s->catalogue.data, &s->texts, st);
    if (code == GENAIR_OK) code = stage_inputs_unchanged(&file, st);
    stage_inputs_free(&file);
    return code;
}

static genair_code open_catalogue(struct stage *s, genair_status *st) {
    const char *path = workspace_path(s->workspace), *texts = option_text(s->options, "texts");
    genair_code code = catalogue_open(path, &s->catalogue, st);
    if (code == GENAIR_OK && texts) code = open_texts(s, texts, st);
    if (code == GENAIR_OK && texts && texts_unused(s->texts))
        context_info(s->ctx, "%zu texts belong to items that prepare did not keep and are left out",
                     texts_unused(s->texts));
    return code;
}

/* Whether all have been seen. */
static bool note_attributes(const json_t *record, const struct text *names, size_t n, bool *seen) {
    bool all = true;
    for (size_t i = 0; i < n; i++) {
        seen[i] = seen[i] || json_object_getn(record, names[i].p, names[i].n);
        all = all && seen[i];
    }
    return all;
}

/* A misspelt name would silently leave its sentence out of every prompt. */
static genair_code tell_unknown_attributes(struct stage *s, genair_status *st) {
    size_t n;
    const struct text *names = template_attributes(s->template, &n);
    bool *seen = mem_zeros(n + 1, sizeof *seen), all = n == 0;
    genair_code code = seen ? GENAIR_OK : fail_memory(st);
    for (uint32_t i = 1; code == GENAIR_OK && !all && i <= s->catalogue.data->n_items; i++) {
        json_t *record;
        code = catalogue_record(&s->catalogue, i, &record, st);
        if (code == GENAIR_OK) all = note_attributes(record, names, n, seen);
        json_decref(record);
    }
    for (size_t i = 0; code == GENAIR_OK && i < n; i++) {
        char name[TEXT_EXCERPT];
        text_excerpt(names[i], name);
        if (!seen[i])
            context_warn(s->ctx, "no item has the attribute '%s' that the template names", name);
    }
    mem_free(seen);
    return code;
}

/* ---- the vectors ---- */

static genair_code vector_of(void *user, enum item_part part, uint32_t item, float *out,
                             genair_status *st) {
    struct stage *s = user;
    const struct text name = dataset_item_name(s->catalogue.data, item);
    struct archetype row;
    bool found;
    const genair_code code = archetypes_get(s->store, name, &row, &found, st);
    if (code != GENAIR_OK) return code;
    if (!found || !row.done)
        return fail(st, GENAIR_INTERNAL, "item %" PRIu32 " was done and is not in the store", item);
    memcpy(out, part == PREFILL ? row.prefill : row.decoding,
           archetypes_width(s->store) * sizeof *out);
    return GENAIR_OK;
}

static genair_code export_vectors(struct stage *s, const json_t *inputs, const json_t *result,
                                  genair_status *st) {
    struct item_vectors vectors = {s->ctx, s->workspace, s->catalogue.data->n_items,
                                   .row = vector_of, .user = s};
    vectors.width[PREFILL] = vectors.width[DECODING] = archetypes_width(s->store);
    return item_vectors_publish(&vectors, inputs, result, st);
}

/* ---- result ---- */

static double rate(uint64_t tokens, double seconds) {
    return seconds > 0 ? (double)tokens / seconds : 0;
}

/* What the store holds: the same however it came about. */
static json_t *describe_store(const struct stage *s) {
    const struct made *m = generate_made(s->generate);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "items", (json_int_t)m->n_done, "columns",
                     (json_int_t)archetypes_width(s->store), "prompt_tokens",
                     (json_int_t)m->n_prompt, "generated_tokens", (json_int_t)m->n_generated,
                     "short_answers", (json_int_t)m->n_short, "failed", (json_int_t)m->n_failed);
}

/* What this run did. Borrows nothing: a new object. */
static json_t *describe_run(const json_t *store, const struct made *m) {
    const struct engine_statistics *v = &m->speed;
    json_t *all = json_deep_copy(store),
           *run = json_pack("{s:I, s:I, s:f, s:f}", "made", (json_int_t)m->n_new,
                            "prefix_tokens_saved", (json_int_t)v->prefix_tokens_saved,
                            "prefill_tokens_per_second", rate(v->prompt_tokens, v->prompt_seconds),
                            "decode_tokens_per_second",
                            rate(v->generated_tokens, v->generate_seconds));
    const bool done = all && run && json_object_update(all, run) == 0;
    json_decref(run);
    if (done) return all;
    json_decref(all);
    return NULL;
}

static void tell_short(const struct stage *s) {
    const uint64_t n = generate_made(s->generate)->n_short;
    if (n)
        context_warn(s->ctx,
                     "%" PRIu64 " items have an answer of which nothing could be read back (empty, or one token long); their "
                     "decoding vector is that of the prompt's last position",
                     n);
}

static genair_code fail_missing(const struct stage *s, uint32_t n_missing, uint32_t first,
                                genair_status *st) {
    char name[TEXT_EXCERPT];
    text_excerpt(dataset_item_name(s->catalogue.data, first), name);
    const uint32_t n_items = s->catalogue.data->n_items;
    const uint64_t n_failed = generate_made(s->generate)->n_failed;
    const char *kept = n_missing < n_items ? "the others are kept, and " : "";
    if (option_flag(s->options, "merge"))
        return fail_line(st, GENAIR_FORMAT, workspace_path(s->workspace), 0,
                         "%" PRIu32 " of %" PRIu32 " items are missing, the first is '%s'; %sno vectors "
                         "were written: the same command without --merge, in one process or several, makes them",
                         n_missing, n_items, name, kept);
    if (s->texts && n_missing > n_failed)
        return fail_line(st, GENAIR_FORMAT, option_text(s->options, "texts"), 0,
                         "no text for %" PRIu32 " of %" PRIu32 " items, the first is '%s'; %sno vectors were written: give "
                         "texts for all",
                         n_missing, n_items, name, kept);
    return fail_line(st, GENAIR_FORMAT, workspace_path(s->workspace), 0,
                     "%" PRIu32 " of %" PRIu32 " items failed, the first is '%s' ('genair archetype "
                     "-w %s --show %s' says why); %sno vectors were written: "
                     "the same command tries the failed ones again",
                     n_missing, n_items, name, workspace_path(s->workspace), name, kept);
}

/* ---- the stage ---- */

/* Of the few items at the end no rank takes more than its share at once. */
static size_t slots(const struct stage *s) {
    const size_t n = (size_t)s->ranks.n, share = (generate_pending(s->generate) + n - 1) / n;
    return min_size((size_t)option_int(s->options, "batch"), max_size(share, 1));
}

static struct generator generator_of(const struct stage *s) {
    return (struct generator){.weights = s->weights,
                              .tokenizer = s->tokenizer,
                              .format = s->format,
                              .options = {.n_slots = slots(s),
                                          .kv_bytes = (uint64_t)option_int(s->options, "kv-memory") << 20,
                                          .chunk = GENERATE_CHUNK,
                                          .arithmetic = ENGINE_INT8}};
}

static genair_code make_pending(struct stage *s, genair_status *st) {
    const struct generator with = generator_of(s);
    return generate_pending(s->generate) ? generate_run(s->generate, &with, st) : GENAIR_OK;
}

static genair_code start_generation(struct stage *s, genair_status *st) {
    const genair_options *o = s->options;
    const uint32_t n_items = s->catalogue.data->n_items;
    struct generation g = {
        .ctx = s->ctx,
        .items = described_catalogue(&s->catalogue),
        .store = s->store,
        .template = s->template,
        .style = {option_text(o, "item-noun"), (size_t)option_int(o, "attribute-characters")},
        .texts = s->texts,
        .n_items = n_items,
        .sampling = s->sampling,
        .max_new = (size_t)option_int(o, "max-new-tokens")};
    if (option_given(o, "limit") && option_int(o, "limit") < n_items)
        g.n_items = (uint32_t)option_int(o, "limit");
    return generate_create(&g, &s->generate, st);
}

static genair_code check_generation(struct stage *s, genair_status *st) {
    const struct generator with = generator_of(s);
    return generate_check(s->generate, &with, st);
}

static genair_code check_merge(struct stage *s, genair_status *st) {
    const struct ranks_settings settings = {workspace_path(s->workspace), s->settings, s->n_settings, ""};
    const genair_code code = ranks_check(&settings, s->generate, st);
    if (code != GENAIR_OK || generate_made(s->generate)->n_done) return code;
    return fail_line(st, GENAIR_USAGE, settings.workspace, 0,
                     "no rank has left archetypes that could take the place of those here, which are kept: without --merge they are "
                     "thrown away and made anew");
}

/* What nothing would take the place of is not thrown away. */
static genair_code check_restart(struct stage *s, bool merge, genair_status *st) {
    genair_code code = start_generation(s, st); /* without a store: every item is looked at */
    if (code == GENAIR_OK) code = merge ? check_merge(s, st) : check_generation(s, st);
    generate_free(s->generate);
    s->generate = NULL;
    return code;
}

static genair_code throw_away(struct stage *s, genair_status *st) {
    const char *path = workspace_path(s->workspace);
    const bool merge = option_flag(s->options, "merge"); /* what the ranks made takes its place */
    genair_code code = check_restart(s, merge, st);
    if (code == GENAIR_OK) code = archetypes_remove(path, ARCHETYPES_FILE, st);
    return code == GENAIR_OK && !merge ? ranks_remove(path, st) : code;
}

static genair_code open_store(struct stage *s, genair_status *st) {
    char file[64] = ARCHETYPES_FILE;
    const genair_code code = option_flag(s->options, "restart") ? throw_away(s, st) : GENAIR_OK;
    if (code != GENAIR_OK) return code;
    if (s->ranks.n > 1) snprintf(file, sizeof file, ARCHETYPES_RANK_FILE, s->ranks.rank);
    return archetypes_open(workspace_path(s->workspace), file, s->weights->config.hidden, s->settings, s->n_settings,
                           &s->store, st);
}

static genair_code finish(struct stage *s, const json_t *inputs, json_t **result,
                          genair_status *st) {
    const uint32_t n_items = s->catalogue.data->n_items;
    uint32_t first = 0, n_missing = generate_missing(s->generate, &first);
    tell_short(s);
    if (n_missing) return fail_missing(s, n_missing, first, st);
    json_t *store = describe_store(s);
    genair_code code = store ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK && generate_made(s->generate)->n_done == n_items)
        code = export_vectors(s, inputs, store, st);
    else if (code == GENAIR_OK)
        context_info(s->ctx, "%" PRIu64 " of %" PRIu32 " items are done; without --limit the "
                             "command goes on and writes the vectors that fuse needs",
                     generate_made(s->generate)->n_done, n_items);
    if (code == GENAIR_OK) *result = describe_run(store, generate_made(s->generate));
    json_decref(store);
    if (code == GENAIR_OK &&
        (!*result || json_object_set_new(*result, "merged", json_integer((json_int_t)s->n_merged)) != 0))
        code = fail_memory(st);
    return code;
}

/* A rank's end: what it holds is one part of several, and failed items are said when the parts are put together. */
static genair_code finish_share(struct stage *s, json_t **result, genair_status *st) {
    json_t *store = describe_store(s);
    *result = store ? describe_run(store, generate_made(s->generate)) : NULL;
    json_decref(store);
    if (!*result || json_object_set_new(*result, "rank", json_integer(s->ranks.rank)) != 0 ||
        json_object_set_new(*result, "ranks", json_integer(s->ranks.n)) != 0)
        return fail_memory(st);
    context_info(s->ctx, "rank %d of %d made %" PRIu64 " items, and nothing is left to make; when all ranks are done the same "
                         "command with --merge makes one store of theirs",
                 s->ranks.rank, s->ranks.n, generate_made(s->generate)->n_new);
    return GENAIR_OK;
}

/* Of this rank, or, alone, of all that ranks left. */
static genair_code join_ranks(struct stage *s, const json_t *inputs, genair_status *st) {
    char digits[33];
    if (!json_hash("", inputs, digits)) return fail_memory(st);
    const struct ranks_settings settings = {workspace_path(s->workspace), s->settings, s->n_settings, digits};
    if (s->ranks.n > 1) return ranks_begin(&settings, s->catalogue.data->n_items, s->generate, &s->leases, st);
    return ranks_adopt(&settings, s->store, s->generate, &s->n_merged, st);
}

static genair_code make(struct stage *s, const json_t *inputs, json_t **result, genair_status *st) {
    genair_code code = open_store(s, st);
    if (code == GENAIR_OK) code = start_generation(s, st);
    if (code == GENAIR_OK) code = join_ranks(s, inputs, st);
    if (code == GENAIR_OK && s->n_merged)
        context_info(s->ctx, "took over %" PRIu64 " items that ranks made", s->n_merged);
    if (code == GENAIR_OK && !option_flag(s->options, "merge")) code = make_pending(s, st);
    if (code != GENAIR_OK) return code;
    return s->ranks.n > 1 ? finish_share(s, result, st) : finish(s, inputs, result, st);
}

/* The vectors are those of these inputs, and the store holds all that they were made from: read
 * through, since a row may be damaged. Nothing is written. */
static genair_code is_complete(struct stage *s, const json_t *inputs, json_t **recorded,
                               bool *complete, genair_status *st) {
    *complete = false;
    if (option_flag(s->options, "restart") ||
        !workspace_is_current(s->workspace, "embed", inputs, recorded))
        return GENAIR_OK;
    genair_code code = archetypes_open_read(workspace_path(s->workspace), ARCHETYPES_FILE, &s->store, st);
    if (code != GENAIR_OK || !s->store) return code;
    if (archetypes_made_with(s->store, s->settings, s->n_settings)) {
        uint32_t first;
        code = start_generation(s, st);
        if (code == GENAIR_OK) *complete = generate_missing(s->generate, &first) == 0;
    }
    generate_free(s->generate);
    archetypes_close(s->store);
    s->generate = NULL;
    s->store = NULL;
    return code;
}

static genair_code make_or_not(struct stage *s, const json_t *inputs, json_t **result,
                               genair_status *st) {
    json_t *recorded = NULL;
    bool complete;
    const genair_code code = is_complete(s, inputs, &recorded, &complete, st);
    if (code != GENAIR_OK) return code;
    if (!complete) return make(s, inputs, result, st);
    context_info(s->ctx, "nothing to do: the archetypes are here already, made from the same items, "
                         "model, template and options");
    *result = describe_run(recorded, &(struct made){0});
    return *result ? GENAIR_OK : fail_memory(st);
}

static genair_code run(struct stage *s, json_t **result, genair_status *st) {
    genair_code code = workspace_verify(s->workspace, "prepare", st);
    json_t *inputs = NULL;
    if (code == GENAIR_OK) code = template_open(option_text(s->options, "template"), s->template_hash, &s->template, st);
    if (code == GENAIR_OK) code = open_model(s, st);
    if (code == GENAIR_OK) code = open_catalogue(s, st);
    s->sampling = sampling_of(s->options);
    if (code == GENAIR_OK) code = describe_settings(s, st);
    if (code == GENAIR_OK) code = describe_inputs(s, &inputs, st);
    if (code == GENAIR_OK && option_text(s->options, "template"))
        code = tell_unknown_attributes(s, st);
    if (code == GENAIR_OK) code = make_or_not(s, inputs, result, st);
    json_decref(inputs);
    return code;
}

static genair_code check_ranks(struct stage *s, genair_status *st) {
    const genair_code code = ranks_of(s->options, &s->ranks, st);
    if (code != GENAIR_OK || s->ranks.n == 1) return code;
    if (option_flag(s->options, "merge")) /* of what ranks have made, by whoever comes first of a job */
        return fail(st, GENAIR_USAGE, "--merge is for one process, after the ranks are done");
    if (option_flag(s->options, "restart"))
        return fail(st, GENAIR_USAGE, "--restart is for one process: ranks would throw away each other's work; give it to one "
                                      "with --limit 1 first");
    return GENAIR_OK;
}

static genair_code archetype(genair_context *ctx, const genair_options *o, json_t **result,
                             genair_status *st) {
    if (option_text(o, "show")) return archetype_show(o, result, st);
    const char *path = option_text(o, "workspace");
    struct stage s = {.ctx = ctx, .options = o};
    genair_code code = option_require(o, "model", st);
    if (code == GENAIR_OK) code = check_noun(option_text(o, "item-noun"), st);
    if (code == GENAIR_OK) code = check_ranks(&s, st);
    if (code == GENAIR_OK)
        code = s.ranks.n > 1 ? workspace_open_shared(ctx, path, "archetype", &s.workspace, st)
                             : workspace_open(ctx, path, "archetype", false, &s.workspace, st);
    if (code == GENAIR_OK) code = run(&s, result, st);
    stage_deinit(&s);
    return code;
}

GENAIR_API genair_code genair_archetype(genair_context *ctx, const genair_options *options,
                                        char **json, genair_status *st) {
    const double start = context_seconds();
    json_t *result = NULL;
    genair_code code = options_check_command(options, "archetype", st);
    if (code == GENAIR_OK) code = option_require(options, "workspace", st);
    if (code == GENAIR_OK) code = archetype(ctx, options, &result, st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - start, json, st);
    json_decref(result);
    return code;
}
