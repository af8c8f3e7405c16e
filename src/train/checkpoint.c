/* SPDX-License-Identifier: Apache-2.0 */
#include "train/checkpoint.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/group.h"
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

static const char *const keys[] = {"step", "epoch", "next_batch", "best_epoch", "prelude", "lines", "loss", "rank", "calibration",
                                   "best_score"};
enum { N_KEYS = COUNT(keys), FIRST_REAL = 6 };

/* The last tensor: the digits of the hash of the metadata and of all values before it. */
#define HASH "hash"
enum { DIGITS = 32, READ_BYTES = 1 << 20 };

/* The file up to its first value. */
static genair_code begin_file(const struct session *s, const struct loop_state *state, const char *path,
                              const struct safetensor *tensors, size_t n, struct hasher *h, struct writer **out,
                              genair_status *st) {
    char text[N_KEYS][40];
    const uint64_t counts[] = {parameters_step(s->model->parameters), state->epoch, state->next_batch,
                               state->best_epoch, s->prelude != NULL, state->n_lines};
    const double reals[] = {state->loss, state->rank, state->calibration, state->best_score};
    for (int i = 0; i < FIRST_REAL; i++) snprintf(text[i], sizeof text[i], "%llu", (unsigned long long)counts[i]);
    for (int i = FIRST_REAL; i < N_KEYS; i++) snprintf(text[i], sizeof text[i], "%a", reals[i - FIRST_REAL]);
    const char *values[N_KEYS];
    for (int i = 0; i < N_KEYS; i++) values[i] = text[i];
    for (int i = 0; i < N_KEYS; i++) hasher_add(h, values[i], strlen(values[i]) + 1);
    return safetensors_begin(path, n, tensors, N_KEYS, keys, values, out, st);
}

static genair_code begin(const struct session *s, const struct loop_state *state, const char *directory, struct hasher *h,
                         struct writer **out, genair_status *st) {
    const size_t n = parameters_count(s->model->parameters) * N_PARTS;
    char *path = path_join(directory, FILE_NAME);
    struct safetensor *tensors = mem_array(n + 1, sizeof *tensors);
    char (*names)[NAME_BYTES] = mem_array(n, sizeof *names);
    const bool sound = path && tensors && names && h;
    for (size_t i = 0; sound && i < n; i++) {
        const struct parameter *p = parameters_at(s->model->parameters, i / N_PARTS);
        part_name_of(p, i % N_PARTS, names[i]);
        tensors[i] = safetensor_f32(names[i], p->rows, p->cols, NULL);
    }
    if (sound) tensors[n] = safetensor_f32(HASH, 1, DIGITS / sizeof(float), NULL);
    const genair_code code = sound ? begin_file(s, state, path, tensors, n + 1, h, out, st) : fail_memory(st);
    mem_free(names);
    mem_free(tensors);
    mem_free(path);
    return code;
}

genair_code checkpoint_save(const struct session *s, const struct loop_state *state, const char *directory,
                            genair_status *st) {
    const size_t n = parameters_count(s->model->parameters) * N_PARTS;
    struct writer *w = NULL;
    struct hasher *h = directory ? hasher_create() : NULL;
    model_catch_up(s->model);
    genair_code code = s->model->parts ? parts_collect(s->model, st) : GENAIR_OK;
    if (code == GENAIR_OK && directory) code = begin(s, state, directory, h, &w, st);
    for (size_t i = 0; i < n; i++) { /* also after a failure: others wait for our rows */
        const struct parameter *p = parameters_at(s->model->parameters, i / N_PARTS);
        const genair_code more = parameter_put(s->model, p, part_of(s, state, i / N_PARTS, i % N_PARTS), w, h, st);
        if (code == GENAIR_OK) code = more;
    }
    char digits[DIGITS + 1];
    if (h) hasher_finish(h, digits);
    if (code == GENAIR_OK && w) code = writer_put(w, digits, DIGITS, st);
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

static bool read_state(const struct safetensors *f, struct loop_state *state, uint64_t *step, uint64_t *prelude) {
    return read_count(f, "step", step) && read_count(f, "prelude", prelude) && read_count(f, "epoch", &state->epoch) &&
           read_count(f, "next_batch", &state->next_batch) && read_count(f, "best_epoch", &state->best_epoch) &&
           read_count(f, "lines", &state->n_lines) && read_real(f, "loss", &state->loss) && read_real(f, "rank", &state->rank) &&
           read_real(f, "calibration", &state->calibration) && read_real(f, "best_score", &state->best_score);
}

static genair_code hash_content(const struct safetensors *f, uint64_t end, unsigned char *buffer, struct hasher *h,
                                genair_status *st) {
    genair_code code = GENAIR_OK;
    for (size_t i = 0; i < N_KEYS; i++) {
        const char *value = safetensors_metadata(f, keys[i]);
        hasher_add(h, value, strlen(value) + 1);
    }
    for (uint64_t at = f->tensors[0].offset; code == GENAIR_OK && at < end; at += READ_BYTES) {
        const size_t n = min_size(READ_BYTES, end - at);
        code = safetensors_read(f, at, buffer, n, st);
        if (code == GENAIR_OK) hasher_add(h, buffer, n);
    }
    return code;
}

/* *sound: it is as it was written. */
static genair_code check_hash(const struct safetensors *f, bool *sound, genair_status *st) {
    const struct safetensor *t = safetensors_find(f, HASH);
    char written[DIGITS], digits[DIGITS + 1] = "";
    *sound = t && t->n_bytes == DIGITS;
    if (!*sound) return GENAIR_OK;
    unsigned char *buffer = mem_array(READ_BYTES, 1);
    struct hasher *h = hasher_create();
    genair_code code = buffer && h ? hash_content(f, t->offset, buffer, h, st) : fail_memory(st);
    if (h) hasher_finish(h, digits);
    if (code == GENAIR_OK) code = safetensors_read(f, t->offset, written, DIGITS, st);
    *sound = code == GENAIR_OK && memcmp(written, digits, DIGITS) == 0;
    mem_free(buffer);
    return code;
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
    genair_status why = {0};
    genair_code code = safetensors_open_unmapped(path, &f, &why);
    uint64_t step = 0, prelude = 0;
    bool sound = true;
    if (code == GENAIR_OK && group_rank(s->config.group) == 0) code = check_hash(f, &sound, &why);
    sound = sound && code == GENAIR_OK && read_state(f, state, &step, &prelude);
    if (!prelude) s->prelude = NULL;
    for (size_t i = 0; code == GENAIR_OK && sound && i < parameters_count(s->model->parameters) * N_PARTS; i++)
        code = read_part(f, s, state, i / N_PARTS, i % N_PARTS, &sound, &why);
    if (code == GENAIR_FORMAT || (code == GENAIR_OK && !sound))
        code = fail_line(st, GENAIR_FORMAT, path, 0,
                         "is damaged, or no checkpoint of this model; leave out --resume, or remove it, to begin anew");
    else if (code != GENAIR_OK)
        code = fail_like(st, &why);
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
