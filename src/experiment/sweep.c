/* SPDX-License-Identifier: Apache-2.0 */
/* Successive halving (Jamieson and Talwalkar, 2016): all points with few epochs, the better 1/eta of them with eta
 * times as many, and so on; the last rung has all epochs. A rung trains from the start, so a point's result is that
 * of `train` with its limit of epochs, and costs a factor of eta / (eta - 1) at most. */
#include "experiment/sweep.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/size.h"
#include "train/semantic.h"
#include "train/session.h"
#include "train/train.h"
#include "workspace/stage_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* LONGEST_NAME: the runs' names have a point and a number more, and 64 characters at most. */
enum { MAX_RUNGS = 20, RUN_NAME = 128, LONGEST_NAME = 56, WHY = sizeof(genair_status), MAX_FILE_BYTES = 1 << 30 };
static const double write_interval = 1; /* seconds: a grid of thousands must not write a file of megabytes each time */

struct sweep {
    genair_context *ctx;
    struct workspace *workspace;
    pthread_mutex_t *guard;
    const genair_options *train;
    const struct sweep_options *options;
    char *path;
    struct stage_inputs files;
    json_t *inputs, *points; /* points: an object each, null before its first result */
    const char *protocol;    /* of the validation */
    uint64_t budget[MAX_RUNGS];
    size_t n_rungs;
    size_t *todo, n_todo, rung; /* of the rung in work */
    bool *has_run;           /* [n_points] a run of it, finished or begun, may be in the workspace */
    double written;          /* when */
};

static void run_name(const struct sweep *s, size_t point, char out[RUN_NAME]) {
    snprintf(out, RUN_NAME, "%s.%04zu", s->options->name, point + 1);
}

/* ---- points ---- */

static size_t rungs_done(const struct sweep *s, size_t point) {
    return json_array_size(json_object_get(json_array_get(s->points, point), "rungs"));
}

static bool has_failed(const struct sweep *s, size_t point) {
    return json_object_get(json_array_get(s->points, point), "failed") != NULL;
}

/* Validation NDCG@10 after a rung, -1 without one. */
static double value_at(const struct sweep *s, size_t point, size_t rung) {
    const json_t *r = json_array_get(json_object_get(json_array_get(s->points, point), "rungs"), rung);
    const json_t *value = json_object_get(r, "NDCG@10");
    return json_is_number(value) ? json_number_value(value) : -1;
}

/* The point that has come furthest, of these the one with the best validation, the first of equals. */
static size_t best_point(const struct sweep *s) {
    size_t best = SIZE_MAX, most = 0;
    double value = -1;
    for (size_t i = 0; i < s->options->grid->n_points; i++) {
        const size_t n = rungs_done(s, i);
        if (has_failed(s, i) || n == 0 || n < most) continue;
        const double v = value_at(s, i, n - 1);
        if (n == most && v <= value) continue;
        best = i;
        most = n;
        value = v;
    }
    return best;
}

/* ---- the file ---- */

/* The best point with the name of its run, which is the one that stays. */
static json_t *best_json(const struct sweep *s) {
    const size_t best = best_point(s);
    char name[RUN_NAME];
    if (best == SIZE_MAX) return json_null();
    json_t *o = json_copy(json_array_get(s->points, best));
    run_name(s, best, name);
    if (json_object_set_new(o, "run", json_string(name)) == 0) return o;
    json_decref(o);
    return NULL;
}

static json_t *content(const struct sweep *s) {
    json_t *finished = json_array(), *point;
    size_t i;
    json_array_foreach(s->points, i, point) {
        if (json_is_object(point) && json_array_append(finished, point) != 0) {
            json_decref(finished);
            return NULL;
        }
    }
    return json_pack("{s:s, s:O, s:o, s:o}", "sweep", s->options->name, "inputs", s->inputs, "points", finished, "best",
                     best_json(s));
}

static genair_code write_file(struct sweep *s, genair_status *st) {
    json_t *all = content(s);
    char *text = all ? json_text(all, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
    const genair_code code = text ? file_replace(s->path, text, strlen(text), st) : fail_memory(st);
    free(text);
    json_decref(all);
    s->written = context_seconds();
    return code;
}

/* Which point of the grid an object of the file is; SIZE_MAX when it is none. */
static size_t place_of(const struct sweep *s, json_t *point) {
    const json_int_t number = json_integer_value(json_object_get(point, "point"));
    if (number < 1 || (size_t)number > s->options->grid->n_points) return SIZE_MAX;
    const json_t *rungs = json_object_get(point, "rungs");
    for (size_t r = 0; r < json_array_size(rungs); r++)
        if (!json_is_number(json_object_get(json_array_get(rungs, r), "NDCG@10"))) return SIZE_MAX;
    if (json_array_size(rungs) > s->n_rungs) return SIZE_MAX;
    const bool failed = json_is_string(json_object_get(point, "failed"));
    if (!failed && (json_array_size(rungs) == 0 || !json_is_object(json_object_get(point, "valid")))) return SIZE_MAX;
    return (size_t)number - 1;
}

static genair_code take_over(struct sweep *s, json_t *earlier, genair_status *st) {
    if (!json_equal(json_object_get(earlier, "inputs"), s->inputs)) {
        context_info(s->ctx, "%s is of other data or options: begun anew", s->path);
        return GENAIR_OK;
    }
    size_t i, n = 0;
    json_t *point;
    json_array_foreach(json_object_get(earlier, "points"), i, point) {
        const size_t at = place_of(s, point);
        if (at == SIZE_MAX)
            return fail_line(st, GENAIR_FORMAT, s->path, 0, "damaged in entry %zu of \"points\"; remove it to begin anew", i + 1);
        if (json_array_set(s->points, at, point) != 0) return fail_memory(st);
        s->has_run[at] = true;
        n++;
    }
    if (n) context_info(s->ctx, "%zu of %zu points have results already", n, s->options->grid->n_points);
    return GENAIR_OK;
}

static genair_code read_file(struct sweep *s, genair_status *st) {
    if (!file_exists(s->path)) return GENAIR_OK;
    char *text;
    size_t size;
    json_error_t error;
    genair_code code = file_read(s->path, MAX_FILE_BYTES, &text, &size, st);
    if (code != GENAIR_OK) return code;
    json_t *earlier;
    code = json_read((struct text){text, size}, JSON_REJECT_DUPLICATES, &earlier, &error, st);
    if (json_is_object(earlier))
        code = take_over(s, earlier, st);
    else if (code != GENAIR_MEMORY)
        code = fail_line(st, GENAIR_FORMAT, s->path, error.line, "not a sweep's results (%s); remove it to begin anew",
                           earlier ? "no object" : error.text);
    json_decref(earlier);
    mem_free(text);
    return code;
}

/* ---- runs ---- */

/* The limit of a method's runs: --epochs, or where it is not given what the method has instead. */
static uint64_t epochs_of(const genair_options *train, const char *method) {
    json_t *config = session_options_of(train, method);
    const json_int_t epochs = json_integer_value(json_object_get(config, "epochs"));
    json_decref(config);
    return epochs > 0 ? (uint64_t)epochs : (uint64_t)option_int(train, "epochs");
}

uint64_t sweep_epochs(const struct grid *g, const genair_options *train) {
    uint64_t most = 0;
    const char *method;
    for (size_t i = 0; (method = grid_choice(g, train, "method", i)); i++) {
        const uint64_t epochs = epochs_of(train, method);
        if (epochs > most) most = epochs;
    }
    return most;
}

static genair_code make(void *user, size_t i, genair_options **out, genair_status *st) {
    const struct sweep *s = user;
    const char *method = grid_choice_at(s->options->grid, s->train, "method", s->todo[i]);
    char name[RUN_NAME], epochs[32];
    run_name(s, s->todo[i], name);
    genair_options *o;
    genair_code code = genair_options_create("train", &o, st);
    if (code != GENAIR_OK) return code;
    code = options_pass_on(s->train, o, method, st);
    options_forget(o, "model"); /* read_texts had it read */
    if (code == GENAIR_OK) code = grid_apply(s->options->grid, s->todo[i], o, st);
    if (code == GENAIR_OK) code = genair_options_set(o, "run", name, st);
    if (code == GENAIR_OK && s->n_rungs > 1) {
        const uint64_t most = epochs_of(s->train, method), budget = s->budget[s->rung];
        snprintf(epochs, sizeof epochs, "%llu", (unsigned long long)(budget < most ? budget : most));
        code = genair_options_set(o, "epochs", epochs, st);
    }
    if (code != GENAIR_OK) {
        genair_options_free(o);
        return code;
    }
    s->has_run[s->todo[i]] = false; /* not one to remove: it is in work till done */
    *out = o;
    return GENAIR_OK;
}

/* The runs of points that are not the best so far go, once the file holds their results. */
static genair_code prune(struct sweep *s, genair_status *st) {
    const size_t best = best_point(s);
    for (size_t i = 0; !s->options->keep_all && i < s->options->grid->n_points; i++) {
        if (!s->has_run[i] || i == best) continue;
        char name[RUN_NAME];
        run_name(s, i, name);
        const genair_code code = train_remove(s->workspace, s->guard, name, st);
        if (code != GENAIR_OK) return code;
        s->has_run[i] = false;
    }
    return GENAIR_OK;
}

static genair_code save(struct sweep *s, genair_status *st) {
    genair_code code = stage_inputs_unchanged(&s->files, st); /* each run reads them */
    if (code == GENAIR_OK) code = write_file(s, st);
    return code == GENAIR_OK ? prune(s, st) : code;
}

/* Diverged, or options that do not fit together: a result about that point. Disk, memory, a damaged file: of the whole sweep. */
static bool is_of_the_point(genair_code code) {
    return code == GENAIR_INTERNAL || code == GENAIR_USAGE;
}

static json_t *rungs_with(const struct sweep *s, size_t point, const json_t *result) {
    json_t *rungs = json_deep_copy(json_object_get(json_array_get(s->points, point), "rungs"));
    if (!rungs) rungs = json_array();
    if (!result) return rungs;
    const json_t *value = json_object_get(json_object_get(json_object_get(result, "valid"), s->protocol), "NDCG@10");
    if (json_array_append_new(rungs, json_pack("{s:I, s:f}", "epochs", (json_int_t)s->budget[s->rung], "NDCG@10",
                                               json_number_value(value))) == 0)
        return rungs;
    json_decref(rungs);
    return NULL;
}

static json_t *point_json(const struct sweep *s, size_t point, const json_t *result, const genair_status *outcome) {
    static const char *const kept[] = {"epochs", "best_epoch", "trainable_parameters", "valid", "test"};
    json_t *o = json_pack("{s:I, s:o, s:o}", "point", (json_int_t)point + 1, "settings",
                          grid_settings(s->options->grid, point), "rungs", rungs_with(s, point, result));
    bool sound = o != NULL;
    for (size_t k = 0; sound && result && k < COUNT(kept); k++) {
        json_t *value = json_object_get(result, kept[k]);
        sound = !value || json_object_set(o, kept[k], value) == 0;
    }
    if (sound && !result) {
        char why[WHY];
        genair_status_text(outcome, why, sizeof why);
        sound = json_object_set_new(o, "failed", json_string(why)) == 0;
    }
    if (sound) return o;
    json_decref(o);
    return NULL;
}

static genair_code done(void *user, size_t i, const json_t *result, const genair_status *outcome, genair_status *st) {
    struct sweep *s = user;
    const size_t point = s->todo[i];
    if (!result && !is_of_the_point(outcome->code)) return fail_like(st, outcome);
    json_t *o = point_json(s, point, result, outcome);
    if (!o || json_array_set_new(s->points, point, o) != 0) return fail_memory(st);
    s->has_run[point] = true;
    char *settings = json_text(json_object_get(o, "settings"), JSON_COMPACT);
    if (result)
        context_info(s->ctx, "point %zu %s: valid %s NDCG@10 %.4f", point + 1, settings ? settings : "", s->protocol,
                     value_at(s, point, s->rung));
    else
        context_warn(s->ctx, "point %zu %s: %s", point + 1, settings ? settings : "",
                     json_string_value(json_object_get(o, "failed")));
    free(settings);
    return context_seconds() - s->written < write_interval ? GENAIR_OK : save(s, st);
}

/* ---- rungs ---- */

/* Whether a point goes on to the rung: among the better 1/eta of those that were in the rung before. */
static bool survives(const struct sweep *s, size_t point, size_t rung) {
    for (size_t r = 0; r < rung; r++) {
        size_t n = 0, better = 0;
        const double mine = value_at(s, point, r);
        if (mine < 0) return false;
        for (size_t i = 0; i < s->options->grid->n_points; i++) {
            const double other = value_at(s, i, r);
            n += other >= 0;
            better += other > mine || (other == mine && i < point);
        }
        const size_t places = (n + s->options->halving - 1) / s->options->halving;
        if (better >= places) return false;
    }
    return true;
}

static genair_code run_rung(struct sweep *s, size_t rung, genair_status *st) {
    s->rung = rung;
    s->n_todo = 0;
    for (size_t i = 0; i < s->options->grid->n_points; i++)
        if (!has_failed(s, i) && rungs_done(s, i) == rung && survives(s, i, rung)) s->todo[s->n_todo++] = i;
    if (s->n_rungs > 1 && s->n_todo)
        context_info(s->ctx, "rung %zu of %zu: %zu points, %llu epochs at most", rung + 1, s->n_rungs, s->n_todo,
                     (unsigned long long)s->budget[rung]);
    const struct many m = {.ctx = s->ctx, .workspace = s->workspace, .guard = s->guard, .what = "points",
                           .n = s->n_todo, .make = make, .done = done, .user = s};
    const genair_code code = many_train(&m, st);
    if (s->n_todo == 0) return code;
    const genair_code saved = save(s, code == GENAIR_OK ? st : NULL);
    return code == GENAIR_OK ? saved : code;
}

static genair_code best_done(void *user, size_t i, const json_t *result, const genair_status *outcome, genair_status *st) {
    (void)user;
    (void)i;
    return result ? GENAIR_OK : fail_like(st, outcome);
}

/* The best point's run once more, where somebody removed, damaged or replaced it: else it is up to date. */
static genair_code train_best(struct sweep *s, genair_status *st) {
    const size_t best = best_point(s);
    if (best == SIZE_MAX) {
        const char *why = json_string_value(json_object_get(json_array_get(s->points, 0), "failed"));
        return fail(st, GENAIR_USAGE, "no point of the grid could be trained; the first one: %s", why ? why : "");
    }
    s->rung = rungs_done(s, best) - 1;
    s->todo[0] = best;
    const struct many m = {.ctx = s->ctx, .workspace = s->workspace, .guard = s->guard, .what = "the best point",
                           .n = 1, .make = make, .done = best_done, .user = s};
    return many_train(&m, st);
}

/* Limits of epochs, the last one all; fewer rungs where they would be below one epoch or one point. */
static void plan_rungs(struct sweep *s) {
    const uint64_t epochs = sweep_epochs(s->options->grid, s->train), eta = s->options->halving;
    uint64_t limits[MAX_RUNGS];
    size_t points = s->options->grid->n_points;
    limits[s->n_rungs++] = epochs;
    while (eta && s->n_rungs < MAX_RUNGS && points > 1 && limits[s->n_rungs - 1] / eta >= 1) {
        limits[s->n_rungs] = limits[s->n_rungs - 1] / eta;
        s->n_rungs++;
        points = (points + eta - 1) / eta;
    }
    for (size_t i = 0; i < s->n_rungs; i++)
        s->budget[i] = limits[s->n_rungs - 1 - i];
}

/* ---- the whole ---- */

static genair_code name_file(struct sweep *s, genair_status *st) {
    char name[RUN_NAME];
    if (strlen(s->options->name) > LONGEST_NAME)
        return fail(st, GENAIR_USAGE, "--name has %zu characters; at most %d are allowed, for its runs are called NAME.0001 and so on",
                    strlen(s->options->name), LONGEST_NAME);
    snprintf(name, sizeof name, "%s.json", s->options->name);
    char *directory = path_join(workspace_path(s->workspace), "sweeps");
    s->path = directory ? path_join(directory, name) : NULL;
    const genair_code code = s->path ? directory_make(directory, st) : fail_memory(st);
    mem_free(directory);
    return code;
}

/* By method: one's options are not all another's. NULL when memory is out. */
static json_t *options_by_method(const struct sweep *s) {
    json_t *all = json_object();
    const char *method;
    for (size_t i = 0; all && (method = grid_choice(s->options->grid, s->train, "method", i)); i++)
        if (json_object_set_new(all, method, session_options_of(s->train, method)) != 0) {
            json_decref(all);
            return NULL;
        }
    return all;
}

/* Whether a method of the points has the option. */
static bool reads(const struct sweep *s, const char *option) {
    const char *method;
    for (size_t i = 0; (method = grid_choice(s->options->grid, s->train, "method", i)); i++)
        if (option_of_method(option_find("train", option), method)) return true;
    return false;
}

static genair_code read_texts(const struct sweep *s, genair_status *st) {
    const struct grid *g = s->options->grid;
    const bool named = option_given(s->train, "semantic") || grid_has(g, "semantic");
    bool of_users = false;
    const char *word, *method;
    for (size_t i = 0; (word = grid_choice(g, s->train, "user-semantic", i)); i++) of_users = of_users || strcmp(word, "llm") == 0;
    genair_code code = GENAIR_OK;
    for (size_t i = 0; code == GENAIR_OK && (method = grid_choice(g, s->train, "method", i)); i++)
        code = train_read_texts(s->ctx, s->train, method, named, of_users, s->workspace, st);
    return code;
}

/* The hashes of stages that the points name with an option: what was made anew under its name is something else. */
static bool add_stages(const struct sweep *s, const char *option, const char *prefix) {
    const char *name;
    for (size_t i = 0; (name = grid_choice(s->options->grid, s->train, option, i)); i++) {
        char stage[RUN_NAME];
        snprintf(stage, sizeof stage, "%s/%s", prefix, name);
        const char *hash = workspace_stage_hash(s->workspace, stage);
        if (hash && json_object_set_new(s->inputs, stage, json_string(hash)) != 0) return false;
    }
    return true;
}

static bool is_file(const char *option, const char *name) {
    return strcmp(option, "semantic") == 0 ? semantic_is_file(name) : strcmp(name, "mean") != 0 && strcmp(name, "llm") != 0;
}

/* The hashes of files that the points name with an option, whose content may be another next time. */
static genair_code add_files(struct sweep *s, const char *option, genair_status *st) {
    json_t *files = json_object_get(s->inputs, "files");
    const char *name;
    char hash[33];
    for (size_t i = 0; reads(s, option) && (name = grid_choice(s->options->grid, s->train, option, i)); i++) {
        if (!is_file(option, name)) continue;
        const genair_code code = stage_inputs_hash(&s->files, s->ctx, name, hash, st);
        if (code != GENAIR_OK) return code;
        if (json_object_set_new(files, name, json_string(hash)) != 0) return fail_memory(st);
    }
    return GENAIR_OK;
}

static bool add_stage(const struct sweep *s, const char *stage, bool read) {
    const char *hash = read ? workspace_stage_hash(s->workspace, stage) : NULL;
    return !hash || json_object_set_new(s->inputs, stage, json_string(hash)) == 0;
}

static void warn_of_fused(const struct sweep *s) {
    const struct grid *g = s->options->grid;
    const char *method, *items = grid_choice(g, s->train, "items", 0), *semantic = grid_choice(g, s->train, "semantic", 0);
    for (size_t i = 0; (method = grid_choice(g, s->train, "method", i)); i++)
        if (train_warn_of_fused(s->ctx, method, items, semantic, s->workspace)) return;
}

static genair_code collect_inputs(struct sweep *s, genair_status *st) {
    const char *data = workspace_stage_hash(s->workspace, "prepare"), *matrix = workspace_stage_hash(s->workspace, "fuse");
    if (!data)
        return fail_line(st, GENAIR_USAGE, workspace_path(s->workspace), 0,
                         "holds no data; run `genair prepare -w %s` first", workspace_path(s->workspace));
    genair_code code = read_texts(s, st);
    if (code != GENAIR_OK) return code;
    s->inputs = json_pack("{s:O, s:o, s:I, s:s, s:s?, s:s, s:{}}", "grid", s->options->grid->axes, "options",
                          options_by_method(s), "halving", (json_int_t)s->options->halving, "prepare", data, "fuse", matrix,
                          "version", GENAIR_VERSION, "files");
    const bool sound = s->inputs && add_stages(s, "items", "fuse") && add_stages(s, "base-run", "train") &&
                       add_stage(s, "embed", reads(s, "semantic")) && add_stage(s, "scft", reads(s, "scft-steps")) &&
                       add_stage(s, "user_vectors", reads(s, "user-semantic"));
    code = sound ? add_files(s, "semantic", st) : fail_memory(st);
    return code == GENAIR_OK ? add_files(s, "user-semantic", st) : code;
}

static genair_code open_sweep(struct sweep *s, genair_status *st) {
    const size_t n = s->options->grid->n_points;
    s->protocol = option_text(s->train, "valid-protocol");
    s->points = json_array();
    s->todo = mem_array(n, sizeof *s->todo);
    s->has_run = mem_zeros(n, sizeof *s->has_run);
    if (!s->points || !s->todo || !s->has_run) return fail_memory(st);
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(s->points, json_null()) != 0) return fail_memory(st);
    if (s->options->halving && grid_has(s->options->grid, "epochs"))
        return fail(st, GENAIR_USAGE, "--halving gives the points their epochs; leave out the axis epochs");
    plan_rungs(s);
    genair_code code = name_file(s, st);
    if (code == GENAIR_OK) code = collect_inputs(s, st);
    if (code == GENAIR_OK) warn_of_fused(s);
    return code == GENAIR_OK ? read_file(s, st) : code;
}

genair_code sweep_run(genair_context *ctx, struct workspace *w, pthread_mutex_t *guard, const genair_options *train,
                      const struct sweep_options *options, json_t **out, genair_status *st) {
    struct sweep s = {.ctx = ctx, .workspace = w, .guard = guard, .train = train, .options = options};
    genair_code code = open_sweep(&s, st);
    for (size_t r = 0; code == GENAIR_OK && r < s.n_rungs; r++)
        code = run_rung(&s, r, st);
    if (code == GENAIR_OK) code = train_best(&s, st);
    if (code == GENAIR_OK) code = prune(&s, st);
    if (code == GENAIR_OK && !(*out = content(&s))) code = fail_memory(st);
    json_decref(s.points);
    json_decref(s.inputs);
    stage_inputs_free(&s.files);
    mem_free(s.has_run);
    mem_free(s.todo);
    mem_free(s.path);
    return code;
}
