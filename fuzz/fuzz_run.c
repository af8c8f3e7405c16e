/* SPDX-License-Identifier: Apache-2.0 */
/* What training and fusing leave, and adapters that others trained; the first byte chooses. A run (config.json, a byte that no JSON
 * has, model.safetensors), principal components, adapters: refused with a message, or used. */
#include "fuzz.h"

#include "algebra/pca_file.h"
#include "base/alloc.h"
#include "model/closed_form.h"
#include "model/learned.h"
#include "model/method.h"
#include "ranking/ranking.h"
#include "support/small_shop.h"
#include "tensor/parameters.h"
#include "tune/adapter_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RUN, CLOSED_FORM, COMPONENTS, ADAPTERS, N_FORMS, MARK = 0xFF, MOST_HIDDEN = 64 };
static const char file_name[] = "model.safetensors";

static struct dataset *shop;
static genair_context *ctx;

static void finish(void) {
    dataset_close(shop);
    genair_context_free(ctx);
    small_shop_remove();
}

static void start(void) {
    must(genair_context_create(1, NULL, NULL, &ctx, NULL) == GENAIR_OK);
    must(dataset_open(small_shop_create(NULL), &shop, NULL) == GENAIR_OK);
    must(atexit(finish) == 0);
}

/* Every score is asked for. */
static void rank(const struct scorer *s) {
    genair_status st = {0};
    struct ranking_result r = {0};
    const genair_code code = ranking_evaluate(context_parallel(ctx), s, shop, PART_TEST, PROTOCOL_FULL, &r, &st);
    must(code == GENAIR_OK || (code == GENAIR_FORMAT && st.message[0])); /* no number */
    ranking_result_free(&r);
}

/* A size of gigabytes is no finding: it is what the configuration asks for. */
static bool is_small(const json_t *config) {
    static const char *const sizes[] = {"hidden", "max-len", "layers", "heads"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (method_count(config, sizes[i]) > MOST_HIDDEN) return false;
    return true;
}

static void read_run(struct bytes rest) {
    genair_status st = {0};
    struct scorer s = {0};
    const struct bytes text = bytes_until(&rest, MARK);
    json_t *config = json_loadb((const char *)text.p, text.n, 0, NULL);
    scratch_put(file_name, rest.p, rest.n);
    if (json_is_object(config) && is_small(config)) {
        if (learned_open(ctx, scratch_directory(), config, shop, NULL, &s, &st) == GENAIR_OK)
            rank(&s);
        else
            must(st.message[0]);
        learned_close(&s);
    }
    json_decref(config);
}

static void read_closed_form(struct bytes rest) {
    static const char *const methods[] = {"pop", "itemknn", "ease"};
    if (!rest.n) return;
    genair_status st = {0};
    struct scorer s = {0};
    scratch_put(file_name, rest.p + 1, rest.n - 1);
    if (closed_form_open(methods[rest.p[0] % 3], scratch_directory(), shop, &s, &st) == GENAIR_OK) {
        rank(&s);
        closed_form_close(&s);
    } else {
        must(st.message[0]);
    }
}

static void read_components(const char *path) {
    genair_status st = {0};
    struct fused_components c;
    if (pca_file_read(path, &c, &st) == GENAIR_OK) {
        const float *row[N_PARTS];
        float *zeros[N_PARTS], *out = mem_zeros(c.width, sizeof *out);
        must(out != NULL);
        for (size_t i = 0; i < N_PARTS; i++) {
            row[i] = zeros[i] = mem_zeros(c.part[i].width + 1, sizeof *zeros[i]);
            must(row[i] != NULL);
        }
        must(pca_file_project(ctx, &c, 1, row, out, &st) == GENAIR_OK || st.message[0]);
        for (size_t i = 0; i < N_PARTS; i++) mem_free(zeros[i]);
        mem_free(out);
    } else {
        must(st.message[0]);
    }
    pca_file_free(&c);
}

/* One layer of four columns. */
static void add_adapters(struct parameters *p, size_t rank) {
    static const char *const names[] = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"};
    char name[64];
    struct parameter *unused;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(name, sizeof name, "blk.0.%s.lora_a", names[i]);
        must(parameters_add(p, name, rank, 4, false, &unused, NULL) == GENAIR_OK);
        snprintf(name, sizeof name, "blk.0.%s.lora_b", names[i]);
        must(parameters_add(p, name, 4, rank, false, &unused, NULL) == GENAIR_OK);
    }
}

static void read_adapters(const char *path) {
    const struct lm_weights w = {.config = {.n_layers = 1, .hidden = 4, .head_dim = 2}, .rope_pairs = true};
    genair_status st = {0};
    struct parameters *p = NULL;
    size_t n;
    if (adapter_file_rank(path, &n, &st) != GENAIR_OK) {
        must(st.message[0]);
        return;
    }
    must(parameters_create(NULL, context_parallel(ctx), kernels_select(NULL), &p, NULL) == GENAIR_OK);
    add_adapters(p, n);
    if (adapter_file_load(p, &w, path, &st) == GENAIR_OK) {
        for (size_t i = 0; i < parameters_count(p); i++)
            for (size_t k = 0; k < parameters_at(p, i)->rows * parameters_at(p, i)->cols; k++)
                must(isfinite(parameters_at(p, i)->value[k]));
    } else {
        must(st.message[0]);
    }
    parameters_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    if (!shop) start();
    const int form = data[0] % N_FORMS;
    const struct bytes rest = {data + 1, size - 1};
    if (form == RUN) read_run(rest);
    if (form == CLOSED_FORM) read_closed_form(rest);
    if (form < COMPONENTS) return 0;
    struct memory_file f = memory_file_open(rest.p, rest.n);
    if (form == COMPONENTS) read_components(f.path);
    if (form == ADAPTERS) read_adapters(f.path);
    memory_file_close(&f);
    return 0;
}
