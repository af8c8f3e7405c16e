/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/id_list.h"

#include "base/alloc.h"

bool id_list_push(struct id_list *l, uint32_t item) {
    if (!mem_grow(&l->items, &l->capacity, l->n + 1, sizeof *l->items)) return false;
    l->items[l->n++] = item;
    return true;
}

genair_code id_list_name(struct id_list *l, struct text name, genair_status *st) {
    uint32_t item;
    char shown[TEXT_EXCERPT];
    text_excerpt(name, shown);
    if (!catalogue_find(l->catalogue, name, &item)) return fail(st, GENAIR_USAGE, "no item '%s' in the workspace", shown);
    return id_list_push(l, item) ? GENAIR_OK : fail_memory(st);
}

genair_code id_list_names(struct id_list *l, const json_t *names, const char *what, genair_status *st) {
    if (!json_is_array(names)) return fail(st, GENAIR_USAGE, "'%s' must be a list of items", what);
    if (json_array_size(names) > MAX_HISTORY)
        return fail(st, GENAIR_USAGE, "'%s' has more than %d items", what, MAX_HISTORY);
    const json_t *name;
    size_t i;
    json_array_foreach(names, i, name) {
        const struct text t = {json_string_value(name), json_string_length(name)};
        if (!t.p) return fail(st, GENAIR_USAGE, "item %zu of '%s' must be a string", i, what);
        const genair_code code = id_list_name(l, t, st);
        if (code != GENAIR_OK) return code;
    }
    return GENAIR_OK;
}

static bool visit_event(void *context, struct text name) {
    struct id_list *l = context;
    uint32_t item;
    if (!catalogue_find(l->catalogue, name, &item)) return true;
    l->n_events++;
    return id_list_push(l, item);
}

genair_code id_list_history(struct id_list *l, struct events *events, struct text user, genair_status *st) {
    const struct dataset *d = l->catalogue->data;
    uint32_t u;
    const bool logged = dataset_user_named(d, user, &u);
    for (uint64_t i = logged ? d->start[u] : 0; logged && i < d->start[u + 1]; i++)
        if (!id_list_push(l, d->item[i])) return fail_memory(st);
    return events_of_user(events, user, MAX_HISTORY, visit_event, l, st);
}
