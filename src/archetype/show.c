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

struct showing {
    const char *workspace;
    const struct catalogue *catalogue;
    uint32_t item;
    bool any; /* stores, an empty one too */
    json_t **result;
};

/* Nothing, when it is shown already or the store has none of it. */
static genair_code show_from(void *user, const char *file, genair_status *st) {
    struct showing *s = user;
    struct archetypes *store = NULL;
    struct archetype row;
    bool found = false;
    if (*s->result) return GENAIR_OK;
    genair_code code = archetypes_open_read(s->workspace, file, &store, st);
    s->any = s->any || store;
    if (code == GENAIR_OK && store)
        code = archetypes_get(store, dataset_item_name(s->catalogue->data, s->item), &row, &found, st);
    if (code == GENAIR_OK && found) code = describe(s->catalogue, s->item, store, &row, s->result, st);
    archetypes_close(store);
    return code;
}

genair_code archetype_show(const genair_options *o, json_t **result, genair_status *st) {
    const char *name = option_text(o, "show");
    struct catalogue c;
    struct showing s = {.workspace = option_text(o, "workspace"), .catalogue = &c, .result = result};
    genair_code code = catalogue_open(s.workspace, &c, st);
    if (code != GENAIR_OK) return code;
    code = catalogue_item(&c, name, &s.item, st);
    if (code == GENAIR_OK) code = show_from(&s, ARCHETYPES_FILE, st);
    if (code == GENAIR_OK) code = archetypes_each_rank(s.workspace, show_from, &s, st);
    if (code == GENAIR_OK && !s.any)
        code = fail_line(st, GENAIR_USAGE, s.workspace, 0, "there are no archetypes here yet; 'genair archetype' makes them");
    else if (code == GENAIR_OK && !*result)
        code = fail(st, GENAIR_USAGE, "item '%s' has no archetype yet; 'genair archetype' makes it", name);
    catalogue_close(&c);
    return code;
}
