/* SPDX-License-Identifier: Apache-2.0 */
/* genair_train: one run, from options to runs/NAME. The run grows in runs/NAME.training and takes the place
 * of an earlier one only when it is complete. */
#include "train/train.h"

#include "train/checkpoint.h"
#include "train/epoch_lines.h"
#include "train/loop.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/group.h"
#include "base/json_text.h"
#include "base/size.h"
#include "base/sort.h"
#include "model/closed_form.h"
#include "model/learned.h"
#include "model/parts.h"
#include "train/semantic.h"
#include "train/similar_users.h"
#include "train/user_vectors.h"
#include "tune/scft.h"
#include "workspace/item_matrix.h"
#include "workspace/item_vectors.h"
#include "workspace/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct run_paths {
    char *stage;     /* "train/NAME" */
    char *directory; /* ws/runs/NAME */
    char *growing;   /* ws/runs/NAME.training */
};

struct train {
    genair_context *ctx;
    const genair_options *options;
    const char *workspace, *name, *method;
    struct workspace *lock;
    pthread_mutex_t *guard; /* of the manifest behind lock */
    struct run_paths paths;
    json_t *config;  /* as in config.json */
    json_t *inputs;  /* config and the hashes of what is read */
    struct stage_inputs files; /* the user's among that */
    bool writes;     /* the only process, or the first of several */
    bool goes_on;    /* where it can, and begins anew where it cannot: of many runs */
    bool resumes;    /* from the checkpoint in growing */
    json_t *result;  /* what the run is: the same for the same inputs */
    json_t *figures; /* what it cost: different every time */
};

/* The three texts in one; NULL when memory is out. */
static char *joined(const char *a, const char *b, const char *c) {
    const size_t n = strlen(a) + strlen(b) + strlen(c) + 1;
    char *s = mem_array(n, 1);
    if (s) snprintf(s, n, "%s%s%s", a, b, c);
    return s;
}

static genair_code name_paths(struct train *t, genair_status *st) {
    char *runs = path_join(t->workspace, "runs/");
    t->paths.stage = joined("train/", t->name, "");
    t->paths.directory = runs ? joined(runs, t->name, "") : NULL;
    t->paths.growing = runs ? joined(runs, t->name, ".training") : NULL;
    mem_free(runs);
    return t->paths.stage && t->paths.directory && t->paths.growing ? GENAIR_OK : fail_memory(st);
}

static void run_paths_free(struct run_paths *p) {
    mem_free(p->stage);
    mem_free(p->directory);
    mem_free(p->growing);
}

static bool learns_from_users(const struct train *t, const struct method *method) {
    return method->similar_users && method->similar_users(t->config);
}

/* The hashes of the item vectors and the run that the method reads go into inputs. */
static genair_code collect_method_inputs(struct train *t, const struct method *method, genair_status *st) {
    genair_code code = GENAIR_OK;
    const char *name = option_text(t->options, "items");
    const struct item_matrix items = item_matrix_named(name);
    const char *matrix = method->fused ? workspace_stage_hash(t->lock, items.stage) : NULL;
    if (method->fused && !matrix && name)
        return fail_line(st, GENAIR_USAGE, t->workspace, 0,
                         "there is no item matrix '%s'; 'genair fuse -w %s --out %s' makes one of the vectors in the "
                         "workspace", name, t->workspace, name);
    if (method->fused && !matrix)
        return fail_line(st, GENAIR_USAGE, t->workspace, 0,
                         "there is no item matrix; run `genair embed` and `genair fuse` first, or train with "
                         "--method base");
    if (method->fused) code = item_vectors_verify_stage(t->lock, items.stage, st);
    if (code == GENAIR_OK && matrix && json_object_set_new(t->inputs, "fuse", json_string(matrix)) != 0)
        code = fail_memory(st);
    char identity[33];
    if (code == GENAIR_OK && method->n_matrices) {
        code = semantic_identity(t->ctx, t->lock, t->config, &t->files, identity, st);
        if (code == GENAIR_OK && json_object_set_new(t->inputs, "semantic", json_string(identity)) != 0)
            code = fail_memory(st);
    }
    if (code == GENAIR_OK && learns_from_users(t, method)) {
        if (strcmp(method_text(t->config, "user-semantic"), "llm") == 0) code = user_vectors_make(t->ctx, t->options, t->lock, st);
        if (code == GENAIR_OK) code = similar_users_identity(t->ctx, t->lock, t->config, &t->files, identity, st);
        if (code == GENAIR_OK && json_object_set_new(t->inputs, "user-semantic", json_string(identity)) != 0)
            code = fail_memory(st);
    }
    if (code == GENAIR_OK && method->base_run && option_text(t->options, "base-run")) {
        char *stage = joined("train/", option_text(t->options, "base-run"), "");
        const char *hash = stage ? workspace_stage_hash(t->lock, stage) : NULL;
        if (!stage || (hash && json_object_set_new(t->inputs, "base-run", json_string(hash)) != 0)) code = fail_memory(st);
        mem_free(stage);
    }
    return code;
}

/* llmemb without --semantic: vectors of a language model fine-tuned for it (now, if --model is given and it was not
 * done), else the workspace's as they are. These learn, for --freeze keeps what a fine-tuning has put into vectors. */
static genair_code choose_semantic(struct train *t, genair_status *st) {
    genair_code code = GENAIR_OK;
    if (option_given(t->options, "semantic")) return GENAIR_OK;
    if (option_text(t->options, "model")) code = scft_make(t->ctx, t->options, t->lock, st);
    if (code != GENAIR_OK) return code;
    const bool has_read = workspace_stage_hash(t->lock, "scft"), tuned = has_read && scft_tuned(t->lock);
    bool set = true;
    if (has_read) set = json_object_set_new(t->config, "semantic", json_string("scft")) == 0;
    if (!tuned && !option_given(t->options, "freeze"))
        set = set && json_object_set_new(t->config, "freeze", json_string("no")) == 0;
    if (!tuned)
        context_info(t->ctx, "%s, without fine-tuning%s",
                     has_read ? "the vectors are the language model's own (--scft-steps 0)"
                              : "no --model is given: the workspace's own vectors (--semantic prefill)",
                     method_is(t->config, "freeze", "no") ? "; they learn too (--freeze no)" : "");
    return set ? GENAIR_OK : fail_memory(st);
}

genair_code train_read_texts(genair_context *ctx, const genair_options *options, const char *method, bool semantic_named,
                            bool users_are_read, struct workspace *w, genair_status *st) {
    if (!option_text(options, "model")) return GENAIR_OK;
    if (strcmp(method, "llmemb") == 0 && !semantic_named) return scft_make(ctx, options, w, st);
    if (strcmp(method, "llm-esr") == 0 && users_are_read) return user_vectors_make(ctx, options, w, st);
    return GENAIR_OK;
}

bool train_warn_of_fused(const genair_context *ctx, const char *name, const char *items, const char *semantic,
                         const struct workspace *w) {
    const struct method *method = method_named(name);
    const bool reads = method && ((method->fused && !items) || (method->n_matrices && semantic && strcmp(semantic, "fused") == 0));
    if (!reads || item_vectors_fused(w)) return false;
    context_warn(ctx, "the item matrix was made of earlier vectors than the workspace has now; 'genair fuse -w %s' makes it anew",
                 workspace_path(w));
    return true;
}

static genair_code collect_inputs(struct train *t, genair_status *st) {
    const char *data = workspace_stage_hash(t->lock, "prepare");
    const struct method *method = method_named(t->method);
    if (!data)
        return fail_line(st, GENAIR_USAGE, t->workspace, 0, "holds no data; run `genair prepare -w %s` first",
                         t->workspace);
    genair_code code = workspace_verify(t->lock, "prepare", st);
    if (code != GENAIR_OK) return code;
    t->config = session_options(t->options);
    t->inputs = t->config ? json_pack("{s:O, s:s}", "config", t->config, "prepare", data) : NULL;
    if (!t->inputs) return fail_memory(st);
    if (method == &method_llmemb) code = choose_semantic(t, st);
    if (code == GENAIR_OK && method) code = collect_method_inputs(t, method, st);
    if (code == GENAIR_OK && t->writes)
        train_warn_of_fused(t->ctx, t->method, option_text(t->options, "items"), method_text(t->config, "semantic"), t->lock);
    return code;
}

/* ---- directories ---- */

static const char *const run_files[] = {"config.json", "metrics.jsonl", "model.safetensors", "result.json"};
enum { N_RUN_FILES = sizeof run_files / sizeof run_files[0] };

static void remove_file(const char *directory, const char *name) {
    char *path = path_join(directory, name);
    if (path) unlink(path);
    mem_free(path);
}

/* Removes a run's directory with the files that a run can hold. */
static void remove_run(const char *directory) {
    static const char *const others[] = {"checkpoint.safetensors", "timing.json", "inputs.json",
                                         "ranks-test-full.tsv", "ranks-test-sampled.tsv", "ranks-valid-full.tsv",
                                         "ranks-valid-sampled.tsv"};
    for (size_t i = 0; i < N_RUN_FILES; i++) remove_file(directory, run_files[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) remove_file(directory, others[i]);
    rmdir(directory);
}

/* The earlier run of that name goes aside first, and comes back where the new one cannot follow: for file systems that
 * exchange nothing. */
static bool replace_in_steps(const struct train *t) {
    char *aside = joined(t->paths.directory, ".partial", "");
    bool replaced = aside && rename(t->paths.directory, aside) == 0;
    if (replaced && rename(t->paths.growing, t->paths.directory) != 0) {
        const int why = errno;
        replaced = false;
        if (rename(aside, t->paths.directory) == 0) errno = why;
    }
    if (replaced) remove_run(aside);
    mem_free(aside);
    return replaced;
}

/* An earlier run of that name is exchanged in one step, where the file system can, then removed. */
static bool put_in_place(const struct train *t) {
    if (rename(t->paths.growing, t->paths.directory) == 0) return true;
    if (errno != EEXIST && errno != ENOTEMPTY) return false;
    if (renameat2(AT_FDCWD, t->paths.growing, AT_FDCWD, t->paths.directory, RENAME_EXCHANGE) != 0)
        return (errno == EINVAL || errno == ENOSYS) && replace_in_steps(t);
    remove_run(t->paths.growing);
    return true;
}

/* The finished directory under its name. */
static genair_code publish(const struct train *t, genair_status *st) {
    if (!put_in_place(t)) return fail_errno(st, t->paths.directory, "put the finished run in place");
    remove_file(t->paths.directory, "checkpoint.safetensors");
    remove_file(t->paths.directory, "inputs.json");
    return GENAIR_OK;
}

static genair_code write_json(const char *directory, const char *name, const json_t *value, genair_status *st) {
    char *path = path_join(directory, name), *text = json_text(value, JSON_INDENT(2) | JSON_SORT_KEYS);
    const genair_code code = path && text ? file_replace(path, text, strlen(text), st) : fail_memory(st);
    free(text);
    mem_free(path);
    return code;
}

enum { MAX_JSON_BYTES = 1 << 20 };

static genair_code read_json(const char *directory, const char *name, json_t **out, genair_status *st) {
    char *path = path_join(directory, name);
    const genair_code code = path ? json_file_try(path, MAX_JSON_BYTES, out, st) : fail_memory(st);
    mem_free(path);
    return code;
}

enum { DIFFERENCES = 512 };

static void tell_difference(const char *input, bool is_option, char out[DIFFERENCES]) {
    static const char *const names[][2] = {{"prepare", "data (prepare)"}, {"fuse", "item matrix (fuse)"},
                                           {"semantic", "vectors of --semantic"},
                                           {"user-semantic", "vectors of --user-semantic"}, {"base-run", "base run"}};
    const size_t n = strlen(out);
    for (size_t i = 0; !is_option && i < COUNT(names); i++)
        if (strcmp(names[i][0], input) == 0) input = names[i][1];
    snprintf(out + n, DIFFERENCES - n, "%s%s%s", n ? ", " : "", is_option ? "--" : "", input);
}

/* Inputs of a that b has with another value, or lacks (lacking: only those). */
static void tell_differences(json_t *a, json_t *b, bool lacking, bool are_options, char out[DIFFERENCES]) {
    const char *name;
    json_t *value;
    json_object_foreach(a, name, value) {
        json_t *other = json_object_get(b, name);
        if (strcmp(name, "config") == 0)
            tell_differences(value, other, lacking, true, out);
        else if (lacking ? !other : !json_equal(value, other))
            tell_difference(name, are_options, out);
    }
}

/* Earlier versions wrote options down that the method does not read. */
static void forget_others_options(json_t *config, const char *method) {
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(config, next, name, value) {
        const struct option_spec *spec = option_find("train", name);
        if (spec && !option_of_method(spec, method)) json_object_del(config, name);
    }
}

/* Whether the growing directory has a checkpoint to go on from: one of the same inputs. Of others it is anew's to replace
 * (anew), or nobody's. */
static genair_code may_resume(const struct train *t, bool anew, bool *same, genair_status *st) {
    json_t *begun = NULL;
    *same = false;
    genair_code code = read_json(t->paths.growing, "inputs.json", &begun, st);
    forget_others_options(json_object_get(begun, "config"), option_text(t->options, "method"));
    if (code == GENAIR_OK && checkpoint_exists(t->paths.growing)) *same = begun && json_equal(begun, t->inputs);
    const bool refused = code == GENAIR_OK && !*same && !anew && checkpoint_exists(t->paths.growing);
    if (refused && !begun) {
        code = fail_line(st, GENAIR_FORMAT, t->paths.growing, 0,
                         "its inputs.json is missing or damaged, so nothing says what the checkpoint is of; leave out --resume to "
                         "throw it away and begin anew");
    } else if (refused) {
        char what[DIFFERENCES] = "";
        tell_differences(t->inputs, begun, false, false, what);
        tell_differences(begun, t->inputs, true, false, what);
        code = fail_line(st, GENAIR_USAGE, t->paths.growing, 0,
                         "the checkpoint is of a run with another %s; give what it was begun with, or leave out --resume to "
                         "throw it away and begin anew", what);
    }
    json_decref(begun);
    return code;
}

/* ---- results ---- */

static genair_code evaluate_into(genair_context *ctx, const struct scorer *scorer, const struct dataset *data,
                                 json_t *result, genair_status *st) {
    for (int part = PART_VALID; part <= PART_TEST; part++) {
        json_t *both = json_object();
        if (!both || json_object_set_new(result, part_name((enum part)part), both) != 0) return fail_memory(st);
        for (int protocol = PROTOCOL_SAMPLED; protocol <= PROTOCOL_FULL; protocol++) {
            struct ranking_result r = {0};
            const genair_code code = ranking_evaluate(context_parallel(ctx), scorer, data, (enum part)part,
                                                      (enum protocol)protocol, &r, st);
            json_t *metrics = code == GENAIR_OK ? metrics_json(&r.metrics) : NULL;
            ranking_result_free(&r);
            if (code != GENAIR_OK) return code;
            if (!metrics || json_object_set_new(both, protocol_name((enum protocol)protocol), metrics) != 0)
                return fail_memory(st);
        }
    }
    return GENAIR_OK;
}

static bool set(json_t *object, const char *key, json_t *value) {
    return value && json_object_set_new(object, key, value) == 0;
}

static genair_code learned_results(struct train *t, struct session *s, const struct loop_state *state,
                                   struct loop_times *times, double eval_start, genair_status *st) {
    const double mean_length = (double)s->data->n_interactions / (s->data->n_users ? s->data->n_users : 1);
    bool sound = set(t->result, "epochs", json_integer((json_int_t)state->n_lines)) &&
                 set(t->result, "best_epoch", json_integer((json_int_t)state->best_epoch)) &&
                 set(t->result, "tokens_per_epoch", json_integer((json_int_t)batches_positions(s->batches))) &&
                 set(t->result, "trainable_parameters",
                     json_integer((json_int_t)parameters_values(s->model->parameters))) &&
                 set(t->result, "inference_gflops", json_real(model_inference_flops(s->model, (size_t)mean_length) * 1e-9));
    times->eval_seconds += context_seconds() - eval_start;
    sound = sound && set(t->figures, "train_seconds", json_real(times->train_seconds)) &&
            set(t->figures, "seconds_per_epoch", json_real(median(times->epoch_seconds, times->n_epochs))) &&
            set(t->figures, "eval_seconds", json_real(times->eval_seconds)) &&
            set(t->figures, "gflop_per_epoch", json_real(times->flops * 1e-9)) &&
            set(t->figures, "peak_rss_mb", json_real(context_peak_rss_mb()));
    return sound ? GENAIR_OK : fail_memory(st);
}

/* ---- the two kinds of runs ---- */

/* The method's prelude, where it has one, then the model. */
static genair_code learn(struct train *t, struct session *s, struct loop_state *state, struct loop_times *times,
                         genair_status *st) {
    const struct prelude *prelude = s->model->method->prelude;
    struct loop_options options = {
        .epochs = (uint64_t)method_count(t->config, "epochs"),
        .protocol = strcmp(option_text(t->options, "valid-protocol"), "full") == 0 ? PROTOCOL_FULL : PROTOCOL_SAMPLED,
        .checkpoint_every = (uint64_t)option_int(t->options, "checkpoint-every"),
        .directory = t->writes ? t->paths.growing : NULL};
    genair_code code = GENAIR_OK;
    uint64_t best_of_prelude = 0;
    if (s->prelude) {
        options.patience = (uint64_t)option_int(t->options, prelude->patience);
        code = loop_run(t->ctx, s, &options, state, times, st);
        best_of_prelude = state->best_epoch;
        if (code == GENAIR_OK) code = loop_end_prelude(s, state, st);
    }
    if (prelude) options.epochs = method_count(t->config, prelude->epochs);
    options.patience = (uint64_t)option_int(t->options, "patience");
    if (code == GENAIR_OK) code = loop_run(t->ctx, s, &options, state, times, st);
    if (state->best_epoch == 0) state->best_epoch = best_of_prelude;
    return code;
}

/* The list of similar users is one file of the workspace: one run at a time looks whether it is there. */
static genair_code make_similar_users(struct train *t, genair_status *st) {
    if (!learns_from_users(t, method_named(t->method))) return GENAIR_OK;
    pthread_mutex_lock(t->guard);
    const genair_code code = similar_users_make(t->ctx, t->lock, t->config, st);
    pthread_mutex_unlock(t->guard);
    return code;
}

static void warn_without_validation(const struct train *t, const struct dataset *data) {
    for (uint32_t u = 0; u < data->n_users; u++) {
        const uint32_t at = target_position(data, PART_VALID, u);
        if (at != UINT32_MAX && !data->cold[data->item[data->start[u] + at]]) return;
    }
    context_warn(t->ctx, "no user has a validation target that training knows: nothing says which epoch is best, so all "
                 "--epochs are trained and the last one is kept");
}

static genair_code train_learned(struct train *t, genair_status *st) {
    struct session s = {0};
    struct loop_state state = {0};
    struct loop_times times = {0};
    char *model_path = path_join(t->paths.growing, "model.safetensors");
    genair_code code = make_similar_users(t, st);
    if (code == GENAIR_OK)
        code = model_path ? session_open(t->ctx, t->workspace, t->config, 1, &s, st) : fail_memory(st);
    if (code == GENAIR_OK) code = stage_inputs_unchanged(&t->files, st); /* all is read: later changes are nothing to this run */
    if (code == GENAIR_OK) code = loop_init(&s, &state, st);
    if (code == GENAIR_OK && t->resumes) {
        code = checkpoint_load(&s, &state, t->paths.growing, st);
        if (code == GENAIR_OK && t->writes) code = epoch_lines_keep(t->paths.growing, state.n_lines, st);
        if (code == GENAIR_OK)
            context_info(t->ctx, "going on with epoch %llu, batch %llu", (unsigned long long)state.epoch,
                         (unsigned long long)state.next_batch + 1);
    }
    if (code == GENAIR_OK && t->writes) code = write_json(t->paths.growing, "inputs.json", t->inputs, st);
    if (code == GENAIR_OK && t->writes) warn_without_validation(t, s.data);
    if (code == GENAIR_OK) code = learn(t, &s, &state, &times, st);
    const double eval_start = context_seconds();
    if (code == GENAIR_OK)
        code = learned_save(s.model, t->writes ? model_path : NULL, st);
    if (code == GENAIR_OK) {
        const struct scorer scorer = model_scorer(s.model);
        if (t->writes || scorer.group) code = evaluate_into(t->ctx, &scorer, s.data, t->result, st);
    }
    if (code == GENAIR_OK) code = learned_results(t, &s, &state, &times, eval_start, st);
    loop_times_free(&times);
    if (s.model) loop_deinit(&s, &state);
    session_close(&s);
    mem_free(model_path);
    return code;
}

static genair_code train_closed_form(struct train *t, genair_status *st) {
    struct dataset *data;
    genair_code code = dataset_open(t->workspace, &data, st);
    if (code != GENAIR_OK) return code;
    const double start = context_seconds();
    code = closed_form_fit(t->ctx, t->options, t->method, data, t->paths.growing, st);
    const double fitted = context_seconds();
    struct scorer scorer = {0};
    if (code == GENAIR_OK) code = closed_form_open(t->method, t->paths.growing, data, &scorer, st);
    if (code == GENAIR_OK) {
        code = evaluate_into(t->ctx, &scorer, data, t->result, st);
        closed_form_close(&scorer);
    }
    if (code == GENAIR_OK &&
        !(set(t->figures, "train_seconds", json_real(fitted - start)) &&
          set(t->figures, "eval_seconds", json_real(context_seconds() - fitted)) &&
          set(t->figures, "peak_rss_mb", json_real(context_peak_rss_mb())) &&
          set(t->result, "epochs", json_integer(0)) && set(t->result, "best_epoch", json_integer(0))))
        code = fail_memory(st);
    dataset_close(data);
    return code;
}

/* ---- the command ---- */

static genair_code record(struct train *t, genair_status *st) {
    const bool learned = !closed_form_knows(t->method);
    char *outputs[N_RUN_FILES] = {0};
    size_t n = 0;
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < N_RUN_FILES; i++) {
        if (!learned && strcmp(run_files[i], "metrics.jsonl") == 0) continue;
        char *directory = joined("runs/", t->name, "/");
        outputs[n] = directory ? joined(directory, run_files[i], "") : NULL;
        mem_free(directory);
        if (!outputs[n++]) code = fail_memory(st);
    }
    if (code == GENAIR_OK)
        code = workspace_record(t->lock, t->paths.stage, t->inputs, (const char *const *)outputs, n, t->result, st);
    for (size_t i = 0; i < n; i++) mem_free(outputs[i]);
    return code;
}

/* The directory, by who writes; all resume or none. */
static genair_code begin(struct train *t, genair_status *st) {
    genair_code code = GENAIR_OK;
    if (t->writes) {
        t->resumes = false;
        if (t->goes_on || option_flag(t->options, "resume")) code = may_resume(t, t->goes_on, &t->resumes, st);
        if (code == GENAIR_OK && !t->resumes) remove_run(t->paths.growing);
        if (code == GENAIR_OK) code = directory_make(t->paths.growing, st);
        if (code == GENAIR_OK) code = write_json(t->paths.growing, "config.json", t->config, st);
    }
    return code == GENAIR_OK ? group_share(context_group(t->ctx), &t->resumes, sizeof t->resumes, st) : code;
}

/* Of many runs one whose checkpoint is of no use begins anew. */
static genair_code learn_or_begin_anew(struct train *t, genair_status *st) {
    genair_status why = {0};
    char text[2048];
    const genair_code code = train_learned(t, &why);
    if (code != GENAIR_FORMAT || !t->goes_on || !t->resumes) return code == GENAIR_OK ? code : fail_like(st, &why);
    genair_status_text(&why, text, sizeof text);
    context_warn(t->ctx, "run %s begins anew, for it cannot go on: %s", t->name, text);
    remove_run(t->paths.growing);
    const genair_code begun = begin(t, st);
    return begun == GENAIR_OK ? train_learned(t, st) : begun;
}

static genair_code run_it(struct train *t, genair_status *st) {
    genair_code code = begin(t, st);
    t->result = json_pack("{s:s, s:s}", "run", t->name, "method", t->method);
    t->figures = json_object();
    if (code == GENAIR_OK && !(t->result && t->figures)) code = fail_memory(st);
    if (code == GENAIR_OK && !closed_form_knows(t->method) &&
        !set(t->result, "backbone", json_string(option_text(t->options, "backbone"))))
        code = fail_memory(st);
    if (code == GENAIR_OK && method_named(t->method) == &method_llmemb &&
        !set(t->result, "fine_tuned",
             json_boolean(strcmp(method_text(t->config, "semantic"), "scft") == 0 && scft_tuned(t->lock))))
        code = fail_memory(st);
    if (code == GENAIR_OK) code = closed_form_knows(t->method) ? train_closed_form(t, st) : learn_or_begin_anew(t, st);
    if (code == GENAIR_OK && !t->writes) return GENAIR_OK;
    if (code == GENAIR_OK) code = write_json(t->paths.growing, "result.json", t->result, st);
    if (code == GENAIR_OK) code = write_json(t->paths.growing, "timing.json", t->figures, st);
    if (code != GENAIR_OK) return code;
    pthread_mutex_lock(t->guard);
    code = publish(t, st);
    if (code == GENAIR_OK) code = record(t, st);
    pthread_mutex_unlock(t->guard);
    return code;
}

/* What the run is made from; *known: the result of an earlier run of the same, or NULL. */
static genair_code look_up(struct train *t, json_t **known, genair_status *st) {
    pthread_mutex_lock(t->guard);
    const genair_code code = collect_inputs(t, st);
    json_t *result = NULL;
    if (code == GENAIR_OK && workspace_is_current(t->lock, t->paths.stage, t->inputs, &result)) json_incref(result);
    pthread_mutex_unlock(t->guard);
    *known = result;
    return code;
}

static genair_code train(struct train *t, char **json, genair_status *st) {
    genair_code code = name_paths(t, st);
    if (code == GENAIR_OK) code = look_up(t, &t->result, st);
    bool known = t->result != NULL;
    if (code == GENAIR_OK) code = group_share(context_group(t->ctx), &known, sizeof known, st);
    if (code != GENAIR_OK || (known && !t->writes)) return code;
    if (known) {
        context_info(t->ctx, "run %s is up to date", t->name);
        code = read_json(t->paths.directory, "timing.json", &t->figures, st);
    } else {
        code = run_it(t, st);
    }
    if (code != GENAIR_OK || !json || !t->writes) return code;
    json_t *all = json_copy(t->result);
    if (all && t->figures && json_object_update(all, t->figures) != 0) code = fail_memory(st);
    *json = all && code == GENAIR_OK ? json_text(all, 0) : NULL;
    json_decref(all);
    return *json ? GENAIR_OK : fail_memory(st);
}

/* Options that go unread beside a value of another one. */
static const struct {
    const char *option, *beside, *value;
} unread[] = {{"semantic-components", "llminit-mode", "pca"}, {"loss", "alphafuse-loss", "infonce"},
              {"negatives", "alphafuse-loss", "infonce"}, {"gbce-t", "alphafuse-loss", "infonce"}};

static genair_code check_unread(const genair_options *o, genair_status *st) {
    for (size_t i = 0; i < COUNT(unread); i++)
        if (option_asked(o, unread[i].option) && strcmp(option_text(o, unread[i].beside), unread[i].value) == 0)
            return fail(st, GENAIR_USAGE, "--%s %s does not read --%s; leave it out", unread[i].beside, unread[i].value,
                        unread[i].option);
    return GENAIR_OK;
}

static genair_code check_options(const genair_options *o, genair_status *st) {
    const char *const method = option_text(o, "method"), *base = option_text(o, "base-run");
    genair_code code = options_check_methods(o, 1, &method, st);
    if (code == GENAIR_OK && base && strcmp(base, option_text(o, "run")) == 0)
        code = fail(st, GENAIR_USAGE, "--base-run %s: this run would take its place; give another --run", base);
    return code;
}

static genair_code train_one(genair_context *ctx, const genair_options *options, struct workspace *workspace,
                             pthread_mutex_t *guard, bool goes_on, char **json, genair_status *st) {
    const char *const method = option_text(options, "method");
    genair_code code = option_require(options, "run", st);
    if (code == GENAIR_OK) code = check_options(options, st);
    if (code == GENAIR_OK && !goes_on) code = check_unread(options, st); /* of many runs, some read what others do not */
    if (code != GENAIR_OK) return code;
    struct train t = {.ctx = ctx, .options = options, .workspace = workspace_path(workspace),
                      .name = option_text(options, "run"), .method = method,
                      .lock = workspace, .guard = guard, .goes_on = goes_on,
                      .writes = group_rank(context_group(ctx)) == 0};
    code = train(&t, json, st);
    json_decref(t.config);
    json_decref(t.inputs);
    stage_inputs_free(&t.files);
    json_decref(t.result);
    json_decref(t.figures);
    run_paths_free(&t.paths);
    return code;
}

genair_code train_within(genair_context *ctx, const genair_options *options, struct workspace *workspace,
                         pthread_mutex_t *guard, char **json, genair_status *st) {
    return train_one(ctx, options, workspace, guard, true, json, st);
}

genair_code train_remove(struct workspace *workspace, pthread_mutex_t *guard, const char *name, genair_status *st) {
    struct train t = {.workspace = workspace_path(workspace), .name = name};
    genair_code code = name_paths(&t, st);
    if (code == GENAIR_OK) {
        pthread_mutex_lock(guard);
        code = workspace_forget(workspace, t.paths.stage, st);
        pthread_mutex_unlock(guard);
    }
    if (code == GENAIR_OK) remove_run(t.paths.directory);
    if (code == GENAIR_OK) remove_run(t.paths.growing);
    run_paths_free(&t.paths);
    return code;
}

/* Written by the first process; the others, which read, come when it has it. */
static genair_code open_workspace(const genair_context *ctx, const char *path, struct group *group, struct workspace **out,
                                  genair_status *st) {
    bool is_open = false;
    genair_code code = group_rank(group) ? GENAIR_OK : workspace_open(ctx, path, "train", false, out, st);
    if (code == GENAIR_OK) code = group_share(group, &is_open, sizeof is_open, st);
    return code == GENAIR_OK && group_rank(group) ? workspace_open_read(ctx, path, out, st) : code;
}

static genair_code train_together(genair_context *ctx, const genair_options *o, struct group *group, char **json,
                                  genair_status *st) {
    const struct method *method = method_named(option_text(o, "method"));
    if (group && !(method && parts_suit(method)))
        return fail(st, GENAIR_USAGE, "method '%s' trains in one process: start one", option_text(o, "method"));
    struct workspace *workspace = NULL;
    genair_code code = open_workspace(ctx, option_text(o, "workspace"), group, &workspace, st);
    if (code != GENAIR_OK) return code;
    pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
    context_set_group(ctx, group);
    code = train_one(ctx, o, workspace, &guard, false, json, st);
    context_set_group(ctx, NULL);
    workspace_close(workspace);
    return code;
}

genair_code genair_train(genair_context *ctx, const genair_options *options, char **json, genair_status *st) {
    struct group *group = NULL;
    genair_code code = options_check_command(options, "train", st);
    if (code == GENAIR_OK) code = option_require(options, "workspace", st);
    if (code == GENAIR_OK) code = option_require(options, "run", st);
    if (code == GENAIR_OK) code = group_open(&group, st);
    if (code == GENAIR_OK) code = train_together(ctx, options, group, json, st);
    group_close(group, code == GENAIR_OK || code == GENAIR_INTERRUPTED);
    return code;
}
