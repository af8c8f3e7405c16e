/* SPDX-License-Identifier: Apache-2.0 */
#include "tune/adapter_file.h"

#include "base/alloc.h"
#include "base/size.h"
#include "lm/types.h"
#include "workspace/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 160 };

static const struct {
    const char *ours, *peft;
} names[] = {
    {"attn_q", "self_attn.q_proj"},      {"attn_k", "self_attn.k_proj"}, {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"ffn_gate", "mlp.gate_proj"},  {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};

/* "blk.3.attn_q.lora_a" in PEFT's words; false for what is no adapter (tau). */
static bool peft_name(const char *ours, char out[NAME_BYTES]) {
    unsigned layer;
    char projection[32], matrix;
    if (sscanf(ours, "blk.%u.%31[a-z_].lora_%c", &layer, projection, &matrix) != 3) return false;
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(names[i].ours, projection) == 0) {
            snprintf(out, NAME_BYTES, "base_model.model.model.layers.%u.%s.lora_%c.weight", layer, names[i].peft,
                     matrix == 'a' ? 'A' : 'B');
            return true;
        }
    return false;
}

/* PEFT's rows of q and k are those of Hugging Face: (i, i + half) of a head make a pair. A GGUF file of llama has the
 * pairs side by side. */
static void pair_rows(struct parameter *p, size_t head_dim, const float *from) {
    const size_t half = head_dim / 2;
    for (size_t r = 0; r < p->rows; r++) {
        const size_t head = r / head_dim * head_dim, at = r % head_dim;
        memcpy(p->value + (head + (at < half ? 2 * at : 2 * (at - half) + 1)) * p->cols, from + r * p->cols,
               p->cols * sizeof *from);
    }
}

static bool decode(const struct safetensor *t, float *out) {
    for (int type = LM_F32; type <= LM_BF16; type++)
        if (strcmp(lm_types[type].name, t->type) == 0) {
            if (!lm_finite((enum lm_type)type, t->data, t->n_values)) return false;
            lm_types[type].decode(t->data, t->n_values, out);
            return true;
        }
    return false;
}

static genair_code load_one(const struct safetensors *f, const char *path, const struct lm_weights *w,
                            struct parameter *p, genair_status *st) {
    char peft[NAME_BYTES];
    const struct safetensor *t = safetensors_find(f, p->name);
    if (!peft_name(p->name, peft)) return GENAIR_OK;
    const bool foreign = !t;
    if (!t) t = safetensors_find(f, peft);
    if (!t)
        return fail_line(st, GENAIR_FORMAT, path, 0,
                         "there is neither \"%s\" nor \"%s\"; all seven projections of all %zu layers need adapters",
                         p->name, peft, w->config.n_layers);
    if (t->n_dims != 2 || t->shape[0] != p->rows || t->shape[1] != p->cols)
        return fail_line(st, GENAIR_FORMAT, path, 0, "\"%s\" is not of %zu x %zu, as the model and the rank ask",
                         t->name, p->rows, p->cols);
    float *values = mem_array(t->n_values, sizeof *values);
    if (!values) return fail_memory(st);
    const bool sound = decode(t, values);
    const bool turns = strstr(p->name, "attn_q.lora_b") || strstr(p->name, "attn_k.lora_b");
    const bool turned = foreign && w->rope_pairs && turns;
    if (sound && turned)
        pair_rows(p, w->config.head_dim, values);
    else if (sound)
        memcpy(p->value, values, t->n_values * sizeof *values);
    mem_free(values);
    if (sound) return GENAIR_OK;
    return fail_line(st, GENAIR_FORMAT, path, 0,
                     "\"%s\" is of type %s or holds a value that is not finite; expected F32, F16 or BF16", t->name,
                     t->type);
}

/* By either name; the temperature of a tuning, which is of no use later. */
static bool is_known(const struct parameters *p, const char *name) {
    char peft[NAME_BYTES];
    for (size_t i = 0; i < parameters_count(p); i++) {
        const char *ours = parameters_at(p, i)->name;
        if (strcmp(name, ours) == 0 || (peft_name(ours, peft) && strcmp(name, peft) == 0)) return true;
    }
    return strcmp(name, "tau") == 0;
}

/* What is left out would give other numbers than those it was trained for. */
static genair_code check_all_known(const struct safetensors *f, const char *path, const struct parameters *p, const struct lm_weights *w,
                                   genair_status *st) {
    for (size_t i = 0; i < f->n; i++)
        if (!is_known(p, f->tensors[i].name))
            return fail_line(st, GENAIR_FORMAT, path, 0, "\"%.100s\" adapts nothing of this model of %zu layers: expected are adapters of the "
                             "seven projections of each layer alone", f->tensors[i].name, w->config.n_layers);
    return GENAIR_OK;
}

genair_code adapter_file_load(struct parameters *p, const struct lm_weights *w, const char *path,
                              genair_status *st) {
    struct safetensors *f;
    genair_code code = safetensors_open(path, &f, st);
    if (code != GENAIR_OK) return code;
    for (size_t i = 0; i < parameters_count(p) && code == GENAIR_OK; i++)
        code = load_one(f, path, w, parameters_at(p, i), st);
    if (code == GENAIR_OK) code = check_all_known(f, path, p, w, st);
    safetensors_close(f);
    return code;
}

genair_code adapter_file_rank(const char *path, size_t *rank, genair_status *st) {
    struct safetensors *f;
    char peft[NAME_BYTES];
    const char *first = "blk.0.attn_q.lora_a";
    const genair_code code = safetensors_open(path, &f, st);
    if (code != GENAIR_OK) return code;
    const struct safetensor *t = safetensors_find(f, first);
    if (!t && peft_name(first, peft)) t = safetensors_find(f, peft);
    const bool sound = t && t->n_dims == 2 && t->shape[0] > 0 && t->shape[0] <= 4096;
    if (sound) *rank = t->shape[0];
    safetensors_close(f);
    if (sound) return GENAIR_OK;
    return fail_line(st, GENAIR_FORMAT, path, 0, "holds no adapters: \"%s\" is missing, or no matrix", first);
}

/* ---- ours ---- */

genair_code adapter_file_save(const struct parameters *p, const char *path, genair_status *st) {
    const size_t n = parameters_count(p);
    struct safetensor *tensors = mem_array(n, sizeof *tensors);
    if (!tensors) return fail_memory(st);
    for (size_t i = 0; i < n; i++) {
        const struct parameter *x = parameters_at(p, i);
        tensors[i] = safetensor_f32(x->name, x->rows, x->cols, x->value);
    }
    const genair_code code = safetensors_write(path, n, tensors, 0, NULL, NULL, st);
    mem_free(tensors);
    return code;
}

/* ---- checkpoints ---- */

enum { N_ADAPTER_PARTS = 3, N_KEYS = 3 };
static const char *const parts[N_ADAPTER_PARTS] = {"", ".m", ".v"}, *const keys[N_KEYS] = {"step", "first_loss", "last_loss"};

static float *part_of(const struct parameter *p, size_t k) {
    float *const arrays[N_ADAPTER_PARTS] = {p->value, p->m, p->v};
    return arrays[k];
}

genair_code adapter_checkpoint_save(const struct tuning *t, const char *path, genair_status *st) {
    const size_t n = parameters_count(t->parameters) * N_ADAPTER_PARTS;
    struct safetensor *tensors = mem_array(n, sizeof *tensors);
    char (*full)[NAME_BYTES] = mem_array(n, sizeof *full), values[N_KEYS][40];
    for (size_t i = 0; tensors && full && i < n; i++) {
        const struct parameter *p = parameters_at(t->parameters, i / N_ADAPTER_PARTS);
        snprintf(full[i], NAME_BYTES, "%s%s", p->name, parts[i % N_ADAPTER_PARTS]);
        tensors[i] = safetensor_f32(full[i], p->rows, p->cols, part_of(p, i % N_ADAPTER_PARTS));
    }
    snprintf(values[0], sizeof values[0], "%" PRIu64, t->step);
    snprintf(values[1], sizeof values[1], "%a", t->first_loss);
    snprintf(values[2], sizeof values[2], "%a", t->last_loss);
    const genair_code code =
        tensors && full
            ? safetensors_write(path, n, tensors, N_KEYS, keys, (const char *const[]){values[0], values[1], values[2]}, st)
            : fail_memory(st);
    mem_free(tensors);
    mem_free(full);
    return code;
}

static bool read_parts(const struct safetensors *f, const struct parameter *p) {
    for (size_t k = 0; k < N_ADAPTER_PARTS; k++) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "%s%s", p->name, parts[k]);
        const struct safetensor *t = safetensors_find(f, name);
        if (!t || t->n_dims != 2 || t->shape[0] != p->rows || t->shape[1] != p->cols || strcmp(t->type, "F32") != 0)
            return false;
        memcpy(part_of(p, k), t->data, t->n_values * sizeof(float));
    }
    return true;
}

genair_code adapter_checkpoint_load(struct tuning *t, const char *path, genair_status *st) {
    struct safetensors *f;
    genair_code code = safetensors_open(path, &f, st);
    if (code != GENAIR_OK) return code;
    int64_t step = 0;
    bool sound = text_i64(text_of(safetensors_metadata(f, "step")), &step) && step > 0 && (uint64_t)step <= t->options->steps;
    for (size_t i = 0; sound && i < parameters_count(t->parameters); i++)
        sound = read_parts(f, parameters_at(t->parameters, i));
    t->first_loss = strtod(safetensors_metadata(f, "first_loss"), NULL); /* %a, by this program in any locale */
    t->last_loss = strtod(safetensors_metadata(f, "last_loss"), NULL);
    if (!sound)
        code = fail_line(st, GENAIR_FORMAT, path, 0, "is not a checkpoint of this fine-tuning; delete it to begin anew");
    if (code == GENAIR_OK) code = parameters_set_step(t->parameters, (uint64_t)step, st);
    t->step = (uint64_t)step;
    safetensors_close(f);
    return code;
}
