/* SPDX-License-Identifier: Apache-2.0 */
/* genair prepare: read the log, run the pipeline, add the items' metadata, record. */
#include "base/alloc.h"
#include "base/context.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/options.h"
#include "base/size.h"
#include "prepare/formats.h"
#include "prepare/item_records.h"
#include "prepare/pipeline.h"
#include "prepare/read.h"
#include "prepare/times.h"
#include "workspace/dataset_write.h"
#include "workspace/manifest.h"
#include "workspace/metadata_rows.h"
#include "workspace/stage_input.h"
#include "workspace/stage_result.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const outputs[] = {DATASET_SEQUENCES,       DATASET_IDS,  DATASET_COOCCURRENCE,
                                      DATASET_CANDIDATES_FILE, ITEM_RECORDS, METADATA_ROWS_FILE};

static size_t memory_of(const genair_options *o) {
    return (size_t)option_int(o, "memory") << 20;
}

static struct read_options reading_of(genair_context *ctx, const genair_options *o) {
    return (struct read_options){.context = ctx,
                                 .format = option_text(o, "format"),
                                 .may_skip = true,
                                 .skip_bad_lines =
                                     strcmp(option_text(o, "on-bad-line"), "skip") == 0};
}

/* ---- what the result is a function of ---- */

/* A pattern of the shell's that matches a copy, say. */
static void warn_of_copy(const genair_context *ctx, const json_t *hashes, const char *const *paths, size_t i) {
    const char *hash = json_string_value(json_array_get(hashes, i));
    for (size_t k = 0; k < i; k++)
        if (strcmp(json_string_value(json_array_get(hashes, k)), hash) == 0) {
            context_warn(ctx, "%s and %s hold the same, and both are read", paths[k], paths[i]);
            return;
        }
}

/* The content, not the name: a moved file is the same log. */
static genair_code add_files(const genair_context *ctx, json_t *inputs, const genair_options *o, const char *option,
                             struct stage_inputs *files, genair_status *st) {
    const char *const *paths;
    const size_t n = option_list(o, option, &paths);
    json_t *hashes = json_array();
    genair_code code = hashes ? GENAIR_OK : fail_memory(st);
    for (size_t i = 0; code == GENAIR_OK && i < n; i++) {
        char digits[33];
        code = stage_input_check(option_text(o, "workspace"), outputs, COUNT(outputs), option, paths[i], st);
        if (code == GENAIR_OK) code = stage_inputs_hash(files, ctx, paths[i], digits, st);
        if (code == GENAIR_OK && json_array_append_new(hashes, json_string(digits)) != 0)
            code = fail_memory(st);
        if (code == GENAIR_OK) warn_of_copy(ctx, hashes, paths, i);
    }
    if (code == GENAIR_OK && json_object_set(inputs, option, hashes) != 0) code = fail_memory(st);
    json_decref(hashes);
    return code;
}

static genair_code describe_inputs(const genair_context *ctx, const genair_options *o, struct stage_inputs *files, json_t **out,
                                   genair_status *st) {
    static const char *const texts[] = {"format", "core-mode", "on-bad-line", "split"};
    static const char *const integers[] = {"user-core", "item-core", "seed", "candidate-seed"};
    static const char *const reals[] = {"split-time-quantile", "cold-items"};
    json_t *inputs = json_object();
    if (!inputs) return fail_memory(st);
    int failed = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        failed |= json_object_set_new(inputs, texts[i], json_string(option_text(o, texts[i])));
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++)
        failed |=
            json_object_set_new(inputs, integers[i], json_integer(option_int(o, integers[i])));
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        failed |= json_object_set_new(inputs, reals[i], json_real(option_real(o, reals[i])));
    if (option_real(o, "held-out-users") < 1) /* workspaces from before it was there are the same as of all users */
        failed |= json_object_set_new(inputs, "held-out-users", json_real(option_real(o, "held-out-users")));
    genair_code code = failed ? fail_memory(st) : GENAIR_OK;
    if (code == GENAIR_OK) code = add_files(ctx, inputs, o, "interactions", files, st);
    if (code == GENAIR_OK) code = add_files(ctx, inputs, o, "items", files, st);
    if (code == GENAIR_OK)
        *out = inputs;
    else
        json_decref(inputs);
    return code;
}

/* ---- reading ---- */

static genair_code read_lines(struct interaction_reader *r, struct click_log *log, genair_status *st) {
    for (;;) {
        struct interaction line;
        bool more;
        genair_code code = interactions_next(r, &line, &more, st);
        if (code != GENAIR_OK || !more) return code;
        code = click_log_add(log, line.user, line.item, line.time, st);
        if (code != GENAIR_OK) return code;
    }
}

static genair_code read_log(genair_context *ctx, const genair_options *o, struct click_log *log,
                            uint64_t *n_skipped, char item_name[FORMAT_WORD], genair_status *st) {
    const struct read_options reading = reading_of(ctx, o);
    const char *const *paths;
    const size_t n = option_list(o, "interactions", &paths);
    struct interaction_reader *r;
    genair_code code = interactions_open(paths, n, &reading, &r, st);
    if (code != GENAIR_OK) return code;
    code = read_lines(r, log, st);
    *n_skipped = interactions_skipped(r);
    snprintf(item_name, FORMAT_WORD, "%s", interactions_item_name(r));
    interactions_close(r);
    return code;
}

static genair_code read_records(genair_context *ctx, const genair_options *o,
                                const char *item_name, struct item_records *records, uint64_t *n_skipped,
                                genair_status *st) {
    struct read_options reading = reading_of(ctx, o);
    reading.item_name = item_name;
    const char *const *paths;
    const size_t n = option_list(o, "items", &paths);
    if (n == 0) return GENAIR_OK;
    struct item_reader *r;
    genair_code code = items_open(paths, n, &reading, &r, st);
    if (code != GENAIR_OK) return code;
    for (;;) {
        json_t *record = NULL;
        code = items_next(r, &record, st);
        if (code != GENAIR_OK || !record) break;
        code = item_records_add(records, record, st);
        json_decref(record);
        if (code != GENAIR_OK) break;
    }
    *n_skipped = items_skipped(r);
    items_close(r);
    return code;
}

/* ---- result ---- */

struct outcome {
    struct pipeline_statistics s;
    struct item_record_counts items;
    uint64_t n_skipped, n_items_skipped;
    char item_name[FORMAT_WORD]; /* what the log calls the item */
};

static double share(double part, double whole) {
    return whole > 0 ? part / whole : 0;
}

static json_t *describe_outcome(const struct outcome *r, const genair_options *o) {
    const struct pipeline_statistics *s = &r->s;
    const double cells = (double)s->n_users * s->n_items;
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {
        {"users", s->n_users},
        {"items", s->n_items},
        {"interactions", s->n_interactions},
        {"pairs", s->n_pairs},
        {"max_cooccurrence", s->max_count},
        {"raw_users", s->n_raw_users},
        {"raw_items", s->n_raw_items},
        {"raw_interactions", s->n_raw_interactions},
        {"skipped_lines", r->n_skipped},
        {"filter_rounds", s->rounds},
        {"shortest_history", s->shortest},
        {"longest_history", s->longest},
        {"repeated_interactions", s->n_repeated},
        {"training_interactions", s->n_training},
        {"validation_users", s->n_valid},
        {"test_users", s->n_test},
        {"test_targets_unseen_in_training", s->unseen_test},
        {"cold_items", s->n_cold},
        {"cold_test_targets", s->cold_test},
        {"items_with_metadata", r->items.n_with_metadata},
        {"metadata_of_other_items", r->items.n_unknown},
        {"repeated_metadata", r->items.n_repeated},
        {"skipped_item_lines", r->n_items_skipped},
    };
    const struct {
        const char *name;
        double value;
    } reals[] = {
        {"mean_length", share((double)s->n_interactions, s->n_users)},
        {"sparsity", 1 - share((double)s->n_interactions, cells)},
        {"tied_validation_share", share(s->tied_valid, s->n_valid)},
        {"tied_test_share", share(s->tied_test, s->n_test)},
    };
    char first_time[TIME_TEXT], last_time[TIME_TEXT];
    time_text(s->first_time, first_time);
    time_text(s->last_time, last_time);
    json_t *j = json_object();
    int failed = j == NULL;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        failed |= json_object_set_new(j, counts[i].name, json_integer((json_int_t)counts[i].value));
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        failed |= json_object_set_new(j, reals[i].name, json_real(reals[i].value));
    failed |= json_object_set_new(j, "first_time", json_string(first_time)); /* a unit that is misread shows here */
    failed |= json_object_set_new(j, "last_time", json_string(last_time));
    if (r->item_name[0]) failed |= json_object_set_new(j, "item_column", json_string(r->item_name)); /* for add-items */
    const char *split = option_text(o, "split");
    failed |= json_object_set_new(j, "split", json_string(split));
    if (strcmp(split, "time") == 0)
        failed |= json_object_set_new(j, "time_cut_ms", json_integer(s->cut));
    if (!failed) return j;
    json_decref(j);
    return NULL;
}

/* ---- the stage ---- */

static struct pipeline_options pipeline_of(const genair_options *o, const char *made_from) {
    return (struct pipeline_options){
        .filter = {.user_core = (uint32_t)option_int(o, "user-core"),
                   .item_core = (uint32_t)option_int(o, "item-core"),
                   .until_stable = strcmp(option_text(o, "core-mode"), "kcore") == 0},
        .by_time = strcmp(option_text(o, "split"), "time") == 0,
        .time_quantile = option_real(o, "split-time-quantile"),
        .cold_share = option_real(o, "cold-items"),
        .held_out_users = option_real(o, "held-out-users"),
        .seed = (uint64_t)option_int(o, "seed"),
        .candidate_seed = (uint64_t)option_int(o, "candidate-seed"),
        .memory_bytes = memory_of(o),
        .made_from = made_from,
    };
}

static genair_code write_items(genair_context *ctx, const genair_options *o, const char *workspace,
                               const char *made_from, const struct click_log *log,
                               const struct numbering *numbering, struct outcome *out,
                               genair_status *st) {
    struct item_records *records;
    genair_code code =
        item_records_create(workspace, log->items, numbering, memory_of(o) / 2, &records, st);
    if (code != GENAIR_OK) return code;
    code = read_records(ctx, o, out->item_name, records, &out->n_items_skipped, st);
    if (code == GENAIR_OK) code = item_records_write(ctx, records, made_from, &out->items, st);
    item_records_free(records);
    return code;
}

/* Texts that went to no item are found out late, by what the models make of it. */
static void warn_of_items(const genair_context *ctx, const genair_options *o, const struct outcome *r) {
    const char *const *paths;
    const uint64_t found = r->items.n_with_metadata, n_items = r->s.n_items;
    if (option_list(o, "items", &paths) == 0) return;
    if (r->n_items_skipped)
        context_warn(ctx, "%" PRIu64 " lines of the item metadata could not be read and were skipped", r->n_items_skipped);
    if (found == 0)
        context_warn(ctx, "none of the %" PRIu64 " items has a record in the item metadata; are the ids there those of the "
                     "log?", n_items);
    else if (found < n_items - n_items / 2)
        context_warn(ctx, "only %" PRIu64 " of %" PRIu64 " items have a record in the item metadata", found, n_items);
}

static void warn_of_targets(const genair_context *ctx, const struct pipeline_statistics *s) {
    if (s->n_test == 0) context_warn(ctx, "no user has a test target: with this split nothing can be evaluated");
}

/* What programs write where a value is missing makes one user of many. */
static void warn_of_missing(const genair_context *ctx, const char *noun, const struct map *names, const uint32_t *id,
                            const uint32_t *count) {
    static const char *const texts[] = {"NULL", "Null", "null", "NaN", "nan", "None", "\\N"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        uint32_t name;
        if (map_find(names, text_of(texts[i]), &name) && id[name] != FILTER_DROPPED)
            context_warn(ctx, "the %s \"%s\" has %" PRIu32 " interactions; if it stands for none, leave these lines out", noun,
                         texts[i], count[name]);
    }
}

static genair_code make(genair_context *ctx, const genair_options *o, const char *workspace,
                        const char *made_from, struct outcome *out, genair_status *st) {
    struct click_log log;
    struct numbering numbering = {0};
    const struct pipeline_options options = pipeline_of(o, made_from);
    genair_code code = click_log_init(&log, workspace, memory_of(o) / 4, st);
    if (code != GENAIR_OK) return code;
    code = read_log(ctx, o, &log, &out->n_skipped, out->item_name, st);
    if (code == GENAIR_OK && out->n_skipped)
        context_warn(ctx, "%llu lines of the log could not be read and were skipped",
                     (unsigned long long)out->n_skipped);
    if (code == GENAIR_OK)
        code = pipeline_run(ctx, workspace, &log, &options, &out->s, &numbering, st);
    if (code == GENAIR_OK)
        code = write_items(ctx, o, workspace, made_from, &log, &numbering, out, st);
    if (code == GENAIR_OK) {
        warn_of_targets(ctx, &out->s);
        warn_of_items(ctx, o, out);
        warn_of_missing(ctx, "user", log.users, numbering.user_id, log.user_count);
        warn_of_missing(ctx, "item", log.items, numbering.item_id, log.item_count);
    }
    numbering_deinit(&numbering);
    click_log_deinit(&log);
    return code;
}

static genair_code make_in(genair_context *ctx, const genair_options *o, struct workspace *w,
                           const char *staging, const json_t *inputs, const struct stage_inputs *files, json_t **result,
                           genair_status *st) {
    char made_from[33];
    struct outcome outcome = {0};
    if (!json_hash(GENAIR_VERSION, inputs, made_from)) return fail_memory(st);
    genair_code code = make(ctx, o, staging, made_from, &outcome, st);
    if (code == GENAIR_OK) code = stage_inputs_unchanged(files, st);
    if (code != GENAIR_OK) return code;
    json_t *described = describe_outcome(&outcome, o);
    code = described ? workspace_publish(w, "prepare", inputs, staging, outputs,
                                         COUNT(outputs), described, st)
                     : fail_memory(st);
    if (code == GENAIR_OK)
        *result = described;
    else
        json_decref(described);
    return code;
}

/* In a directory of its own, so that a failure leaves the earlier data set as it was. */
static genair_code make_and_record(genair_context *ctx, const genair_options *o,
                                   struct workspace *w, const json_t *inputs, const struct stage_inputs *files,
                                   json_t **result, genair_status *st) {
    char *staging = path_join(workspace_path(w), "prepare.partial");
    if (!staging) return fail_memory(st);
    genair_code code = directory_make(staging, st);
    if (code == GENAIR_OK) code = make_in(ctx, o, w, staging, inputs, files, result, st);
    const genair_code removed = directory_remove(staging, code == GENAIR_OK ? st : NULL);
    mem_free(staging);
    return code == GENAIR_OK ? removed : code;
}

/* A directory that no `prepare` was in yet, where files of others have names that this or a later stage writes. What a
 * killed first `prepare` leaves has sequences.bin, which is moved first. */
static genair_code check_unused(const struct workspace *w, genair_status *st) {
    static const char *const later[] = {"prefill.npy", "decoding.npy", "fused.npy", "archetypes.sqlite", "runs"};
    const size_t n = COUNT(outputs) + COUNT(later);
    if (workspace_stage_hash(w, "prepare")) return GENAIR_OK;
    for (size_t i = 0; i < n; i++) {
        const char *name = i < COUNT(outputs) ? outputs[i] : later[i - COUNT(outputs)];
        char *path = path_join(workspace_path(w), name);
        if (!path) return fail_memory(st);
        const bool found = file_exists(path);
        mem_free(path);
        if (found && i == 0) return GENAIR_OK;
        if (found)
            return fail_line(st, GENAIR_USAGE, workspace_path(w), 0,
                             "no workspace, and its '%s' would be replaced; name a directory of its own with --workspace", name);
    }
    return GENAIR_OK;
}

static genair_code run(genair_context *ctx, const genair_options *o, const json_t *inputs,
                       const struct stage_inputs *files, json_t **result, genair_status *st) {
    struct workspace *w;
    genair_code code = workspace_open(ctx, option_text(o, "workspace"), "prepare", true, &w, st);
    if (code != GENAIR_OK) return code;
    json_t *recorded;
    code = check_unused(w, st);
    if (code != GENAIR_OK) {
        workspace_close(w);
        return code;
    }
    if (workspace_is_current(w, "prepare", inputs, &recorded)) {
        context_info(ctx, "nothing to do: %s was made from the same files and options",
                     workspace_path(w));
        *result = json_copy(recorded);
        if (!*result) code = fail_memory(st);
    } else {
        code = make_and_record(ctx, o, w, inputs, files, result, st);
    }
    workspace_close(w);
    return code;
}

GENAIR_API genair_code genair_prepare(genair_context *ctx, const genair_options *o, char **json,
                                      genair_status *st) {
    const double start = context_seconds();
    json_t *inputs = NULL, *result = NULL;
    struct stage_inputs files = {0};
    genair_code code = options_check_command(o, "prepare", st);
    if (code == GENAIR_OK) code = option_require(o, "workspace", st);
    if (code == GENAIR_OK) code = option_require(o, "interactions", st);
    if (code == GENAIR_OK)
        code = describe_inputs(ctx, o, &files, &inputs, st); /* a wrong path makes no workspace */
    if (code == GENAIR_OK) code = run(ctx, o, inputs, &files, &result, st);
    stage_inputs_free(&files);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - start, json, st);
    json_decref(inputs);
    json_decref(result);
    return code;
}
