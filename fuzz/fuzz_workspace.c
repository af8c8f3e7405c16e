/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of a workspace and texts that are given to its stages, the first byte chooses which: the manifest, the items' records, a run's
 * texts, a sweep's results, leases, ids of a matrix's rows, archetypes written elsewhere. Refused with a message, or used. */
#include "fuzz.h"

#include "archetype/leases.h"
#include "archetype/texts.h"
#include "base/alloc.h"
#include "base/files.h"
#include "base/json_text.h"
#include "fuse/item_rows.h"
#include "genair.h"
#include "support/small_shop.h"
#include "workspace/catalogue.h"
#include "workspace/manifest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MANIFEST, ITEMS, RUN, SWEEP, LEASES, IDS, TEXTS, N_FORMS, MARK = 0xFF };
enum { DIGITS = 32 };

static const char *workspace;
static struct dataset *shop;
static genair_context *ctx;
static char *manifest_path, *aside_path, *items_path, *sweep_path;
static json_t *sweep_inputs, *stages; /* as the shop has them */

typedef genair_code stage(genair_context *, const genair_options *, char **json, genair_status *);

/* Options as pairs of texts, NULL at the end. */
static genair_code command(stage *does, const char *name, ...) {
    genair_options *o;
    genair_status st = {0};
    char *json = NULL;
    va_list pairs;
    must(genair_options_create(name, &o, NULL) == GENAIR_OK);
    va_start(pairs, name);
    for (const char *key; (key = va_arg(pairs, const char *));) must(genair_options_set(o, key, va_arg(pairs, const char *), NULL) == GENAIR_OK);
    va_end(pairs);
    const genair_code code = does(ctx, o, &json, &st);
    must(code == GENAIR_OK ? json != NULL : code != GENAIR_INTERNAL && st.message[0]);
    genair_string_free(json);
    genair_options_free(o);
    return code;
}

static genair_code sweep(void) {
    return command(genair_sweep, "sweep", "workspace", workspace, "name", "s", "method", "pop", "grid", "seed=1", NULL);
}

static void put(const char *path, struct bytes b) {
    FILE *f = fopen(path, "wb");
    must(f && fwrite(b.p, 1, b.n, f) == b.n);
    must(fclose(f) == 0);
}

static void look_at_stages(void) {
    genair_status st = {0};
    struct workspace *w;
    const char *name;
    json_t *record;
    if (workspace_open_read(NULL, workspace, &w, &st) != GENAIR_OK) {
        must(st.message[0]);
        return;
    }
    json_object_foreach(workspace_stages(w), name, record) {
        const json_t *inputs = workspace_stage_inputs(w, name);
        must(!inputs || inputs == json_object_get(record, "inputs"));
        must(workspace_stage_maker(w, name) != NULL);
        if (workspace_verify(w, name, &st) == GENAIR_OK) must(workspace_stage_hash(w, name) != NULL);
        (void)workspace_stage_is_of_data(w, name);
    }
    workspace_close(w);
}

/* The shop's stages with these in their place, under a sound checksum. */
static void put_stages(json_t *changed) {
    char digits[33];
    json_t *all = json_deep_copy(stages);
    must(all && json_object_update_recursive(all, changed) == 0 && json_hash("", all, digits));
    json_t *manifest = json_pack("{s:s, s:i, s:o}", "checksum", digits, "format", 1, "stages", all);
    char *text = json_text(manifest, JSON_INDENT(1) | JSON_SORT_KEYS);
    must(text != NULL);
    put(manifest_path, (struct bytes){(const uint8_t *)text, strlen(text)});
    free(text);
    json_decref(manifest);
}

/* Whether the shop recommends. */
static genair_code read_manifest(struct bytes b) {
    json_t *changed = json_loadb((const char *)b.p, b.n, 0, NULL);
    must(rename(manifest_path, aside_path) == 0);
    if (json_is_object(changed))
        put_stages(changed);
    else
        put(manifest_path, b);
    json_decref(changed);
    look_at_stages();
    (void)command(genair_inspect, "inspect", "path", workspace, NULL);
    const genair_code code = command(genair_recommend, "recommend", "workspace", workspace, "run", "one", "user", "u0", NULL);
    must(rename(aside_path, manifest_path) == 0);
    return code;
}

/* Without a manifest, whose hash of them the records would have to have. */
static void read_items(struct bytes b) {
    char kept[512];
    struct catalogue c;
    genair_status st = {0};
    snprintf(kept, sizeof kept, "%s.kept", items_path);
    must(rename(manifest_path, aside_path) == 0 && rename(items_path, kept) == 0);
    put(items_path, b);
    if (catalogue_open(workspace, &c, &st) == GENAIR_OK) {
        for (uint32_t i = 1; i <= SMALL_SHOP_ITEMS; i++) {
            json_t *record = NULL, *told = json_object();
            must(catalogue_record(&c, i, &record, &st) == GENAIR_OK || st.message[0]);
            must(told && catalogue_describe(&c, i, "item", "name", told));
            must(json_is_string(json_object_get(told, "item")));
            json_decref(record);
            json_decref(told);
        }
        catalogue_close(&c);
    } else {
        must(st.message[0]);
    }
    must(rename(kept, items_path) == 0 && rename(aside_path, manifest_path) == 0);
}

static void read_run(struct bytes rest) {
    static const char *const names[] = {"config.json", "metrics.jsonl", "result.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct bytes part = bytes_until(&rest, MARK);
        scratch_put(names[i], part.p, part.n);
    }
    (void)command(genair_inspect, "inspect", "path", scratch_directory(), NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) scratch_put(names[i], NULL, 0);
}

/* Points, put beside the inputs that this sweep has; what is no list stands there alone. */
static void read_sweep(struct bytes b) {
    json_t *points = json_loadb((const char *)b.p, b.n, 0, NULL);
    if (json_is_array(points)) {
        json_t *all = json_pack("{s:O, s:O}", "inputs", sweep_inputs, "points", points);
        must(all && json_dump_file(all, sweep_path, 0) == 0);
        json_decref(all);
    } else {
        put(sweep_path, b);
    }
    json_decref(points);
    (void)sweep();
}

static void read_leases(struct bytes b) {
    genair_status st = {0};
    struct leases *l;
    bool fresh, taken;
    uint32_t first, last;
    char identity[DIGITS + 1];
    memset(identity, 'a', DIGITS);
    identity[DIGITS] = '\0';
    scratch_put("archetypes.leases", b.p, b.n);
    if (leases_open(scratch_directory(), identity, SMALL_SHOP_ITEMS, &l, &fresh, &st) == GENAIR_OK) {
        if (fresh) must(leases_ready(l, &st) == GENAIR_OK);
        for (uint32_t i = 1; i <= SMALL_SHOP_ITEMS; i++) {
            must(leases_take(l, i, &taken, &first, &last, &st) == GENAIR_OK);
            if (taken) must(first <= i && i <= last && last <= SMALL_SHOP_ITEMS);
            if (leases_mark_of(l, i) != ITEM_DONE) must(leases_mark(l, i, ITEM_DONE, &st) == GENAIR_OK);
        }
        leases_close(l);
    } else {
        must(st.message[0]);
    }
    scratch_put("archetypes.leases", NULL, 0);
}

static void read_ids(const char *path) {
    genair_status st = {0};
    struct item_rows r = {0};
    if (item_rows_find(workspace, shop, path, "rows.npy", SMALL_SHOP_ITEMS + 2, &r, &st) == GENAIR_OK)
        for (uint32_t i = 1; i <= SMALL_SHOP_ITEMS; i++) must(r.row[i] < SMALL_SHOP_ITEMS + 2);
    else
        must(st.message[0]);
    item_rows_deinit(&r);
}

static void read_texts(const char *path) {
    genair_status st = {0};
    struct texts *t = NULL;
    int64_t line;
    if (texts_read(path, shop, &t, &st) == GENAIR_OK)
        for (uint32_t i = 1; i <= SMALL_SHOP_ITEMS; i++) must(texts_of(t, i).n == 0 || (texts_place(t, i, &line) && line > 0));
    else
        must(st.message[0]);
    texts_free(t);
}

static void finish(void) {
    json_decref(sweep_inputs);
    json_decref(stages);
    dataset_close(shop);
    genair_context_free(ctx);
    mem_free(manifest_path);
    mem_free(aside_path);
    mem_free(items_path);
    mem_free(sweep_path);
    small_shop_remove();
}

static void start(void) {
    workspace = small_shop_create(NULL);
    manifest_path = path_join(workspace, "manifest.json");
    aside_path = path_join(workspace, "aside");
    items_path = path_join(workspace, "items.jsonl");
    sweep_path = path_join(workspace, "sweeps/s.json");
    must(manifest_path && aside_path && items_path && sweep_path);
    must(genair_context_create(1, NULL, NULL, &ctx, NULL) == GENAIR_OK);
    must(dataset_open(workspace, &shop, NULL) == GENAIR_OK && sweep() == GENAIR_OK);
    json_t *results = json_load_file(sweep_path, 0, NULL);
    sweep_inputs = json_incref(json_object_get(results, "inputs"));
    json_decref(results);
    json_t *manifest = json_load_file(manifest_path, 0, NULL);
    stages = json_incref(json_object_get(manifest, "stages"));
    json_decref(manifest);
    must(stages && sweep_inputs && read_manifest((struct bytes){(const uint8_t *)"{}", 2}) == GENAIR_OK);
    must(atexit(finish) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    if (!workspace) start();
    const int form = data[0] % N_FORMS;
    const struct bytes rest = {data + 1, size - 1};
    if (form == MANIFEST) (void)read_manifest(rest);
    if (form == ITEMS) read_items(rest);
    if (form == RUN) read_run(rest);
    if (form == SWEEP) read_sweep(rest);
    if (form == LEASES) read_leases(rest);
    if (form < IDS) return 0;
    struct memory_file f = memory_file_open(rest.p, rest.n);
    if (form == IDS) read_ids(f.path);
    if (form == TEXTS) read_texts(f.path);
    memory_file_close(&f);
    return 0;
}
