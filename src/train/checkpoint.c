/* SPDX-License-Identifier: Apache-2.0 */
#include "train/checkpoint.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/size.h"
#include "model/parameter_file.h"
#include "model/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "checkpoint.safetensors"

enum { N_PARTS = 4, NAME_BYTES = 80 };
static const char *const before[N_PARTS] = {"", "", "", "best."}, *const behind[N_PARTS] = {"", ".m", ".v", ""};

static void part_name_of(const struct parameter *p, size_t k, char name[NAME_BYTES]) {
    snprintf(name, NAME_BYTES, "%s%s%s", before[k], p->name, behind[k]);
}

/* The array behind part k of parameter i. */
static float *part_of(const struct session *s, const struct loop_state *state, size_t i, size_t k) {
    const struct parameter *p = parameters_at(s->model->parameters, i);
    float *const arrays[N_PARTS] = {p->value, p->m, p->v, state->best[i]};
    return arrays[k];
}

static const char *const keys[] = {"step", "epoch", "next_batch", "best_epoch", "prelude", "loss", "rank", "calibration",
                                   "best_score", "lines"};
enum { N_KEYS = COUNT(keys), FIRST_REAL = 5, LINES = 9 };

/* The file up to its first value. */
static genair_code begin_file(const struct session *s, const struct loop_state *state, const char *path,
                              const struct safetensor *tensors, size_t n, const char *lines, struct writer **out,
                              genair_status *st) {
    char text[LINES][40];
    const uint64_t counts[] = {parameters_step(s->model->parameters), state->epoch, state->next_batch,
                               state->best_epoch, s->prelude != NULL};
    const double reals[] = {state->loss, state->rank, state->calibration, state->best_score};
    for (int i = 0; i < FIRST_REAL; i++) snprintf(text[i], sizeof text[i], "%llu", (unsigned long long)counts[i]);
    for (int i = FIRST_REAL; i < LINES; i++) snprintf(text[i], sizeof text[i], "%a", reals[i - FIRST_REAL]);
    const char *values[N_KEYS];
    for (int i = 0; i < LINES; i++) values[i] = text[i];
    values[LINES] = lines;
    return safetensors_begin(path, n, tensors, N_KEYS, keys, values, out, st);
}

static genair_code begin(const struct session *s, const struct loop_state *state, const char *directory, struct writer **out,
                         genair_status *st) {
    const size_t n = parameters_count(s->model->parameters) * N_PARTS;
    char *path = path_join(directory, FILE_NAME), *lines = json_text(state->lines, JSON_COMPACT);
    struct safetensor *tensors = mem_array(n, sizeof *tensors);
    char (*names)[NAME_BYTES] = mem_array(n, sizeof *names);
    const bool sound = path && lines && tensors && names;
    for (size_t i = 0; sound && i < n; i++) {
        const struct parameter *p = parameters_at(s->model->parameters, i / N_PARTS);
        part_name_of(p, i % N_PARTS, names[i]);
        tensors[i] = safetensor_f32(names[i], p->rows, p->cols, NULL);
    }
    const genair_code code = sound ? begin_file(s, state, path, tensors, n, lines, out, st) : fail_memory(st);
    mem_free(names);
    mem_free(tensors);
    free(lines);
    mem_free(path);
    return code;
}

genair_code checkpoint_save(const struct session *s, const struct loop_state *state, const char *directory,
                            genair_status *st) {
    const size_t n = parameters_count(s->model->parameters) * N_PARTS;
    struct writer *w = NULL;
    model_catch_up(s->model);
    genair_code code = s->model->parts ? parts_collect(s->model, st) : GENAIR_OK;
    if (code == GENAIR_OK && directory) code = begin(s, state, directory, &w, st);
    for (size_t i = 0; i < n; i++) { /* also after a failure: others wait for our rows */
        const struct parameter *p = parameters_at(s->model->parameters, i / N_PARTS);
        const genair_code more = parameter_put(s->model, p, part_of(s, state, i / N_PARTS, i % N_PARTS), w, st);
        if (code == GENAIR_OK) code = more;
    }
    if (code == GENAIR_OK && w) return writer_commit(w, st);
    writer_abandon(w);
    return code;
}

static bool read_count(const struct safetensors *f, const char *key, uint64_t *out) {
    int64_t value;
    if (!text_i64(text_of(safetensors_metadata(f, key)), &value) || value < 0) return false;
    *out = (uint64_t)value;
    return true;
}

/* %a of a double, whatever the locale's decimal point: written and read by the same process or its heir. */
static bool read_real(const struct safetensors *f, const char *key, double *out) {
    const char *s = safetensors_metadata(f, key);
    char *end;
    errno = 0;
    *out = strtod(s, &end);
    return *s && !*end && errno == 0;
}

static genair_code read_state(const struct safetensors *f, struct loop_state *state, uint64_t *step, uint64_t *prelude,
                              bool *sound, genair_status *st) {
    json_t *lines;
    *sound = false;
    if (json_read(text_of(safetensors_metadata(f, "lines")), 0, &lines, NULL, st) == GENAIR_MEMORY) return GENAIR_MEMORY;
    if (!json_is_array(lines)) {
        json_decref(lines);
        return GENAIR_OK;
    }
    json_decref(state->lines);
    state->lines = lines;
    *sound = read_count(f, "step", step) && read_count(f, "prelude", prelude) && read_count(f, "epoch", &state->epoch) &&
           read_count(f, "next_batch", &state->next_batch) && read_count(f, "best_epoch", &state->best_epoch) &&
           read_real(f, "loss", &state->loss) && read_real(f, "rank", &state->rank) &&
           read_real(f, "calibration", &state->calibration) && read_real(f, "best_score", &state->best_score);
    return GENAIR_OK;
}

/* *sound: the file has it. */
static genair_code read_part(const struct safetensors *f, const struct session *s, const struct loop_state *state, size_t i,
                             size_t k, bool *sound, genair_status *st) {
    const struct parameter *p = parameters_at(s->model->parameters, i);
    char name[NAME_BYTES];
    part_name_of(p, k, name);
    const struct safetensor *t = safetensors_find(f, name);
    *sound = t && t->n_dims == 2 && t->shape[0] == p->rows && t->shape[1] == p->cols && strcmp(t->type, "F32") == 0;
    return *sound ? parameter_get(p, f, t, part_of(s, state, i, k), st) : GENAIR_OK;
}

genair_code checkpoint_load(struct session *s, struct loop_state *state, const char *directory, genair_status *st) {
    char *path = path_join(directory, FILE_NAME);
    if (!path) return fail_memory(st);
    struct safetensors *f = NULL;
    genair_code code = safetensors_open_unmapped(path, &f, st);
    uint64_t step = 0, prelude = 0;
    bool sound = false;
    if (code == GENAIR_OK) code = read_state(f, state, &step, &prelude, &sound, st);
    if (!prelude) s->prelude = NULL;
    for (size_t i = 0; code == GENAIR_OK && sound && i < parameters_count(s->model->parameters) * N_PARTS; i++)
        code = read_part(f, s, state, i / N_PARTS, i % N_PARTS, &sound, st);
    if (code == GENAIR_OK && !sound)
        code = fail_line(st, GENAIR_FORMAT, path, 0,
                         "is not a checkpoint of this model; train without --resume to start again");
    if (code == GENAIR_OK) code = parameters_set_step(s->model->parameters, step, st);
    struct parameter *table = s->model->table;
    for (size_t r = 0; code == GENAIR_OK && table && r < table->held; r++) table->done[r] = (uint32_t)step;
    safetensors_close(f);
    mem_free(path);
    return code;
}

bool checkpoint_exists(const char *directory) {
    char *path = path_join(directory, FILE_NAME);
    const bool exists = path && file_exists(path);
    mem_free(path);
    return exists;
}
