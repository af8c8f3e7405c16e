/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/files.h"
#include "base/rng.h"
#include "model/closed_form.h"
#include "workspace/manifest.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char root[64], workspace[96];

static void must(genair_code code, const genair_status *st) {
    char text[2048];
    if (code == GENAIR_OK) return;
    genair_status_text(st, text, sizeof text);
    fail_msg("%s", text);
}

static void write_inputs(const char *log, const char *items) {
    FILE *f = fopen(log, "w");
    assert_non_null(f);
    fprintf(f, "user_id\titem_id\ttimestamp\n");
    for (unsigned u = 0; u < FIXTURE_USERS; u++) {
        struct rng r = rng_start(9, RNG_TEST, u);
        const unsigned n = 1 + (unsigned)rng_below(&r, 14);
        for (unsigned i = 0; i < n; i++) /* neighbours in taste: items near 7 u */
            fprintf(f, "u%u\ti%u\t%u\n", u,
                    (unsigned)((u * 7 + rng_below(&r, 5) * rng_below(&r, 9)) % FIXTURE_ITEMS),
                    1500000000 + (unsigned)rng_below(&r, 4) * 86400);
    }
    fclose(f);
    f = fopen(items, "w");
    assert_non_null(f);
    for (unsigned i = 0; i < FIXTURE_ITEMS / 2; i++)
        fprintf(f, "{\"item_id\": \"i%u\", \"name\": \"Item %u\"}\n", i, i);
    fclose(f);
}

const char *fixture_create(void) {
    char log[128], items[128];
    genair_status st = {0};
    snprintf(root, sizeof root, "/tmp/genair-fixture-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(workspace, sizeof workspace, "%s/ws", root);
    snprintf(log, sizeof log, "%s/log.tsv", root);
    snprintf(items, sizeof items, "%s/items.jsonl", root);
    write_inputs(log, items);
    json_t *result =
        fixture_stage(genair_prepare, "prepare", &st, "interactions", log, "items", items,
                      "user-core", "1", "item-core", "1", "cold-items", "0.1", NULL);
    must(st.code, &st);
    json_decref(result);
    return workspace;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

void fixture_remove(void) {
    nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void record_run(const char *name, const char *method, genair_status *st) {
    struct workspace *w;
    char stage_name[64], model[128], config[128], path[256], text[128];
    snprintf(stage_name, sizeof stage_name, "train/%s", name);
    snprintf(model, sizeof model, "runs/%s/model.safetensors", name);
    snprintf(config, sizeof config, "runs/%s/config.json", name);
    snprintf(path, sizeof path, "%s/%s", workspace, config);
    snprintf(text, sizeof text, "{\"method\": \"%s\", \"backbone\": \"sasrec\"}", method);
    must(file_replace(path, text, strlen(text), st), st);
    must(workspace_open(NULL, workspace, "train", false, &w, st), st);
    json_t *inputs = json_pack("{s:s}", "prepare", workspace_stage_hash(w, "prepare"));
    const char *const outputs[] = {model, config};
    must(workspace_record(w, stage_name, inputs, outputs, 2, NULL, st), st);
    json_decref(inputs);
    workspace_close(w);
}

void fixture_run(const char *name, const char *method, const char *option, const char *value) {
    genair_status st = {0};
    genair_context *ctx;
    genair_options *o;
    struct dataset *data;
    char directory[256];
    snprintf(directory, sizeof directory, "%s/runs/%s", workspace, name);
    must(directory_make(directory, &st), &st);
    must(genair_context_create(2, NULL, NULL, &ctx, &st), &st);
    must(genair_options_create("train", &o, &st), &st);
    if (option) must(genair_options_set(o, option, value, &st), &st);
    must(dataset_open(workspace, &data, &st), &st);
    must(closed_form_fit(ctx, o, method, data, directory, &st), &st);
    dataset_close(data);
    genair_options_free(o);
    genair_context_free(ctx);
    record_run(name, method, &st);
}

json_t *fixture_stage(stage *run, const char *command, genair_status *st, ...) {
    genair_context *ctx;
    genair_options *o;
    char *text = NULL;
    *st = (genair_status){0};
    must(genair_context_create(2, NULL, NULL, &ctx, st), st);
    must(genair_options_create(command, &o, st), st);
    genair_code code = genair_options_set(o, "workspace", workspace, st);
    va_list args;
    va_start(args, st);
    for (const char *name; code == GENAIR_OK && (name = va_arg(args, const char *));)
        code = genair_options_set(o, name, va_arg(args, const char *), st);
    va_end(args);
    if (code == GENAIR_OK) code = run(ctx, o, &text, st);
    assert_int_equal(code, st->code);
    assert_true((text != NULL) == (code == GENAIR_OK));
    json_t *result = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    assert_true(!text || result);
    genair_string_free(text);
    genair_options_free(o);
    genair_context_free(ctx);
    return result;
}

json_t *at(json_t *o, const char *path) {
    char key[128];
    for (const char *p = path; *p;) {
        const size_t n = strcspn(p, "/");
        snprintf(key, sizeof key, "%.*s", (int)n, p);
        json_t *next =
            json_is_array(o) ? json_array_get(o, (size_t)atoi(key)) : json_object_get(o, key);
        if (!next) fail_msg("no '%s' of '%s'", key, path);
        o = next;
        p += n + (p[n] == '/');
    }
    return o;
}

double number_at(json_t *o, const char *path) {
    const json_t *value = at(o, path);
    if (!json_is_number(value)) fail_msg("'%s' is no number", path);
    return json_number_value(value);
}
