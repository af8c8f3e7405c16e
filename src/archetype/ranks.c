/* SPDX-License-Identifier: Apache-2.0 */
#include "archetype/ranks.h"

struct looking {
    const struct ranks_settings *settings;
    struct generate *g;
    bool adopt;
    uint64_t n_adopted;
};

static genair_code fail_settings(const struct looking *l, const char *file, genair_status *st) {
    return fail_line(st, GENAIR_USAGE, l->settings->workspace, 0,
                     "%s holds archetypes made with another model, template or options; give those, or throw them away with "
                     "--restart in one process", file);
}

/* A store that is not there, or was begun and holds nothing, is fine. */
static genair_code look_through(void *user, const char *file, genair_status *st) {
    struct looking *l = user;
    struct archetypes *a = NULL;
    uint64_t n_adopted = 0;
    int64_t n_done = 0;
    genair_code code = archetypes_open_read(l->settings->workspace, file, &a, st);
    if (code != GENAIR_OK || !a) return code;
    if (archetypes_made_with(a, l->settings->settings, l->settings->n))
        code = generate_look(l->g, a, l->adopt, &n_adopted, st);
    else
        code = archetypes_count(a, &n_done, st);
    if (code == GENAIR_OK && n_done) code = fail_settings(l, file, st);
    l->n_adopted += n_adopted;
    archetypes_close(a);
    return code;
}

genair_code ranks_begin(const struct ranks_settings *s, uint32_t n_items, struct generate *g, struct leases **leases,
                        genair_status *st) {
    struct looking l = {.settings = s, .g = g};
    bool fresh;
    genair_code code = leases_open(s->workspace, s->identity, n_items, leases, &fresh, st);
    if (code == GENAIR_OK && fresh) code = look_through(&l, ARCHETYPES_FILE, st);
    if (code == GENAIR_OK && fresh) code = archetypes_each_rank(s->workspace, look_through, &l, st);
    return code == GENAIR_OK ? generate_share(g, *leases, fresh, st) : code;
}

genair_code ranks_check(const struct ranks_settings *s, struct generate *g, genair_status *st) {
    struct looking l = {.settings = s, .g = g};
    return archetypes_each_rank(s->workspace, look_through, &l, st);
}

static genair_code remove_store(void *user, const char *file, genair_status *st) {
    return archetypes_remove(user, file, st);
}

/* The leases first: they say what the stores hold. */
genair_code ranks_remove(const char *workspace, genair_status *st) {
    const genair_code code = leases_remove(workspace, st);
    return code == GENAIR_OK ? archetypes_each_rank(workspace, remove_store, (void *)(uintptr_t)workspace, st) : code;
}

genair_code ranks_adopt(const struct ranks_settings *s, struct archetypes *store, struct generate *g, uint64_t *n_adopted,
                        genair_status *st) {
    struct looking l = {.settings = s, .g = g, .adopt = true};
    genair_code code = archetypes_each_rank(s->workspace, look_through, &l, st);
    if (code == GENAIR_OK) code = archetypes_settle(store, st);
    if (code == GENAIR_OK) code = ranks_remove(s->workspace, st);
    *n_adopted = l.n_adopted;
    return code;
}
