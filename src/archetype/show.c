/* SPDX-License-Identifier: Apache-2.0 */
#include "archetype/show.h"

#include "workspace/archetypes.h"
#include "workspace/catalogue.h"

static json_t *json_of(struct text t) {
    return json_stringn(t.p, t.n);
}

static genair_code describe(const struct catalogue *c, uint32_t item, struct archetypes *store,
                            const struct archetype *row, json_t **result, genair_status *st) {
    json_t *o = json_object();
    const char *model = archetypes_setting(store, "model_file");
    bool done = o && catalogue_describe(c, item, "item", "name", o) &&
                json_object_set_new(o, "status", json_string(row->done ? "done" : "failed")) == 0 &&
                json_object_set_new(o, "finish", json_of(row->finish)) == 0 &&
                json_object_set_new(o, "model", json_string(model ? model : "unknown")) == 0 &&
                json_object_set_new(o, "prompt_tokens", json_integer((json_int_t)row->n_prompt)) == 0 &&
                json_object_set_new(o, "generated_tokens",
                                    json_integer((json_int_t)row->n_generated)) == 0 &&
                json_object_set_new(o, "prompt", json_of(row->prompt)) == 0;
    if (done && row->done) done = json_object_set_new(o, "archetype", json_of(row->text)) == 0;
    if (done) {
        *result = o;
        return GENAIR_OK;
    }
    json_decref(o);
    return fail_memory(st);
}

static genair_code show_item(const struct catalogue *c, struct archetypes *store, const char *name,
                             json_t **result, genair_status *st) {
    uint32_t item;
    struct archetype row;
    bool found;
    genair_code code = catalogue_item(c, name, &item, st);
    if (code == GENAIR_OK)
        code = archetypes_get(store, dataset_item_name(c->data, item), &row, &found, st);
    if (code == GENAIR_OK && !found)
        return fail(st, GENAIR_USAGE, "item '%s' has no archetype yet; 'genair archetype' makes it",
                    name);
    return code == GENAIR_OK ? describe(c, item, store, &row, result, st) : code;
}

genair_code archetype_show(const genair_options *o, json_t **result, genair_status *st) {
    const char *workspace = option_text(o, "workspace");
    struct catalogue c;
    struct archetypes *store = NULL;
    genair_code code = catalogue_open(workspace, &c, st);
    if (code != GENAIR_OK) return code;
    code = archetypes_open_read(workspace, ARCHETYPES_FILE, &store, st);
    if (code == GENAIR_OK && !store)
        code = fail_line(st, GENAIR_USAGE, workspace, 0,
                         "there are no archetypes here yet; 'genair archetype' makes them");
    if (code == GENAIR_OK) code = show_item(&c, store, option_text(o, "show"), result, st);
    archetypes_close(store);
    catalogue_close(&c);
    return code;
}
