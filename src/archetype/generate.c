/* SPDX-License-Identifier: Apache-2.0 */
/* Prompts are made twice, once to be measured and once to be read: their lengths decide the order
 * (longest first, so that no long one is left to run alone at the end), and a million of them need
 * not lie in memory. */
#include "archetype/generate.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"
#include "lm/unicode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum state { PENDING, DONE, FAILED };

struct order {
    uint32_t n_tokens, item;
};

struct generate {
    struct generation with;
    const struct generator *generator;
    struct made made;
    uint8_t *state; /* [n_items + 1] */
    uint64_t n_damaged, n_bare; /* rows; prompts without any attribute */
    struct prompt prompt; /* of the item looked at last */
    struct tokens tokens, forced;
    struct order *order;
    size_t n_order, next, longest; /* tokens of a prompt and its answer */
    struct leases *leases;    /* NULL: every item is ours */
    uint32_t leased, leased_end; /* items of the lease that is being handed to the engine */
    struct tokens prefix;
    genair_code code; /* of callbacks that have no other way to fail */
    genair_status *st;
    double began;
};

void generate_free(struct generate *g) {
    if (!g) return;
    prompt_deinit(&g->prompt);
    tokens_free(&g->tokens);
    tokens_free(&g->forced);
    tokens_free(&g->prefix);
    mem_free(g->order);
    mem_free(g->state);
    mem_free(g);
}

const struct made *generate_made(const struct generate *g) {
    return &g->made;
}

/* ---- the items ---- */

static struct text catalogue_item_name(const void *user, uint32_t item) {
    return dataset_item_name(((const struct catalogue *)user)->data, item);
}

static genair_code catalogue_item_record(const void *user, uint32_t item, json_t **out, genair_status *st) {
    return catalogue_record(user, item, out, st);
}

static bool catalogue_item_find(const void *user, struct text name, uint32_t *item) {
    return dataset_item_named(((const struct catalogue *)user)->data, name, item);
}

struct described described_catalogue(const struct catalogue *c) {
    return (struct described){c, c->data->n_items, catalogue_item_name, catalogue_item_record, catalogue_item_find};
}

static struct text name_of(const struct generate *g, uint32_t item) {
    return g->with.items.name(g->with.items.user, item);
}

static genair_code render_item(struct generate *g, uint32_t item, genair_status *st) {
    json_t *record;
    genair_code code = g->with.items.record(g->with.items.user, item, &record, st);
    if (code == GENAIR_OK)
        code = template_render(g->with.template, record, &g->with.style, &g->prompt, st);
    json_decref(record);
    return code;
}

static struct text prompt_text(const struct generate *g) {
    return (struct text){g->prompt.text ? g->prompt.text : "", g->prompt.n};
}

static bool same_text(struct text a, struct text b) {
    return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

/* ---- what is there already ---- */

/* The last token of an answer that was cut off is not read back. */
static void count_done(struct made *m, uint64_t n_prompt, uint64_t n_generated, struct text finish) {
    const bool cut = text_equal(finish, finish_names[FINISH_LENGTH]) || text_equal(finish, finish_names[FINISH_CONTEXT]);
    m->n_done++;
    m->n_prompt += n_prompt;
    m->n_generated += n_generated;
    m->n_short += n_generated <= cut;
}

/* The item of a sound row that is what would be made today. */
static bool is_current(struct generate *g, const struct archetype *row, bool sound, uint32_t *item) {
    const struct generation *w = &g->with;
    if (g->code != GENAIR_OK || !w->items.find(w->items.user, row->item, item) || *item > w->n_items) return false;
    g->n_damaged += !sound;
    if (!sound || !row->done) return false;
    g->code = render_item(g, *item, g->st);
    if (g->code != GENAIR_OK || !same_text(row->prompt, prompt_text(g))) return false;
    return !w->texts || same_text(row->text, texts_of(w->texts, *item));
}

static void look_at(void *user, const struct archetype *row, bool sound) {
    struct generate *g = user;
    uint32_t item;
    if (!is_current(g, row, sound, &item) || g->state[item] == DONE) return;
    g->state[item] = DONE;
    count_done(&g->made, row->n_prompt, row->n_generated, row->finish);
}

genair_code generate_create(const struct generation *with, struct generate **out,
                            genair_status *st) {
    struct generate *g = mem_zeros(1, sizeof *g);
    if (!g) return fail_memory(st);
    g->with = *with;
    g->st = st;
    g->state = mem_zeros((size_t)with->n_items + 1, sizeof *g->state);
    genair_code code = g->state ? GENAIR_OK : fail_memory(st);
    if (code == GENAIR_OK && with->store) code = archetypes_each(with->store, look_at, g, st);
    if (code == GENAIR_OK) code = g->code;
    if (code != GENAIR_OK) {
        generate_free(g);
        return code;
    }
    *out = g;
    return GENAIR_OK;
}

struct look {
    struct generate *g;
    bool adopt;
    uint64_t n_adopted;
};

static void look_at_other(void *user, const struct archetype *row, bool sound) {
    struct look *l = user;
    struct generate *g = l->g;
    uint32_t item;
    if (!is_current(g, row, sound, &item) || g->state[item] == DONE) return;
    if (l->adopt) g->code = archetypes_put(g->with.store, row, g->st);
    l->n_adopted += l->adopt;
    g->state[item] = DONE;
    count_done(&g->made, row->n_prompt, row->n_generated, row->finish);
}

genair_code generate_look(struct generate *g, struct archetypes *other, bool adopt, uint64_t *n_adopted,
                          genair_status *st) {
    struct look look = {g, adopt, 0};
    g->st = st;
    const genair_code code = archetypes_each(other, look_at_other, &look, st);
    *n_adopted = look.n_adopted;
    return code == GENAIR_OK ? g->code : code;
}

/* What others have finished is not ours to make. */
static void note_marks(struct generate *g, uint32_t first, uint32_t last) {
    for (uint32_t i = first; i <= last; i++) {
        const enum lease_mark mark = leases_mark_of(g->leases, i);
        if (mark != ITEM_OPEN && g->state[i] == PENDING) g->state[i] = mark == ITEM_DONE ? DONE : FAILED;
    }
}

genair_code generate_share(struct generate *g, struct leases *leases, bool fresh, genair_status *st) {
    genair_code code = GENAIR_OK;
    g->leases = leases;
    for (uint32_t i = 1; fresh && i <= g->with.n_items; i++)
        if (g->state[i] == DONE) leases_note_done(leases, i);
    if (fresh) code = leases_ready(leases, st);
    for (uint32_t i = 1; code == GENAIR_OK && i <= g->with.n_items; i++) {
        const enum lease_mark mark = leases_mark_of(leases, i);
        if (g->state[i] == DONE && mark != ITEM_DONE) /* its maker was killed before it could say so */
            code = leases_mark(leases, i, ITEM_DONE, st);
        else if (mark == ITEM_FAILED) /* it is tried again */
            code = leases_mark(leases, i, ITEM_OPEN, st);
    }
    if (code == GENAIR_OK) note_marks(g, 1, g->with.n_items);
    return code;
}

uint32_t generate_pending(const struct generate *g) {
    uint32_t n = 0;
    for (uint32_t i = 1; i <= g->with.n_items; i++)
        n += g->state[i] == PENDING && (!g->with.texts || texts_of(g->with.texts, i).n);
    return n;
}

uint32_t generate_missing(const struct generate *g, uint32_t *first) {
    uint32_t n = 0;
    for (uint32_t i = g->with.n_items; i >= 1; i--) {
        if (g->state[i] == DONE) continue;
        n++;
        *first = i;
    }
    return n;
}

/* ---- the plan ---- */

static genair_code encode_item(struct generate *g, uint32_t item, genair_status *st) {
    const struct generator *m = g->generator;
    genair_code code = render_item(g, item, st);
    if (code != GENAIR_OK) return code;
    struct text system = {0}, user = prompt_text(g);
    if (m->format != CHAT_NONE && g->prompt.n_system) {
        system = (struct text){g->prompt.text, g->prompt.n_system};
        user = (struct text){g->prompt.text + g->prompt.user_at, g->prompt.n - g->prompt.user_at};
    }
    g->tokens.n = g->forced.n = 0;
    code = chat_encode(m->tokenizer, m->format, system, user, &g->tokens, st);
    if (code == GENAIR_OK && g->with.texts)
        code = tokenizer_encode(m->tokenizer, texts_of(g->with.texts, item), &g->forced, st);
    return code;
}

static genair_code check_length(const struct generate *g, uint32_t item, genair_status *st) {
    const size_t context = g->generator->weights->config.context,
                 n = g->tokens.n + g->forced.n;
    if (g->tokens.n && n <= context && n < UINT32_MAX) return GENAIR_OK;
    char name[TEXT_EXCERPT];
    text_excerpt(name_of(g, item), name);
    if (!g->tokens.n)
        return fail(st, GENAIR_USAGE, "the prompt of item '%s' is empty, since it has no attribute that the template takes: give a --template "
                                      "with a sentence without attributes", name);
    if (g->with.texts && g->tokens.n <= context) {
        int64_t line;
        const char *path = texts_place(g->with.texts, item, &line);
        return fail_line(st, GENAIR_USAGE, path, line,
                         "the prompt of item '%s' takes %zu tokens and its text %zu, the model reads at most %zu; shorten its text",
                         name, g->tokens.n, g->forced.n, context);
    }
    return fail(st, GENAIR_USAGE,
                "the prompt of item '%s' takes %zu tokens, the model reads at most %zu; give "
                "a smaller --attribute-characters, or a --template with fewer attributes",
                name, g->tokens.n, context);
}

/* The prefix becomes what it shares with these tokens, and leaves them one: there must be something
 * to read after it. */
static genair_code shorten_prefix(struct generate *g, genair_status *st) {
    const struct tokens *t = &g->tokens;
    if (!g->n_order) {
        for (size_t i = 0; i < t->n; i++) {
            const genair_code code = tokens_push(&g->prefix, t->ids[i], st);
            if (code != GENAIR_OK) return code;
        }
    }
    size_t n = 0;
    while (n < g->prefix.n && n + 1 < t->n && g->prefix.ids[n] == t->ids[n])
        n++;
    g->prefix.n = n;
    return GENAIR_OK;
}

static genair_code plan_item(struct generate *g, uint32_t item, genair_status *st) {
    genair_code code = encode_item(g, item, st);
    if (code == GENAIR_OK) code = check_length(g, item, st);
    if (code == GENAIR_OK) code = shorten_prefix(g, st);
    g->n_bare += g->prompt.n_attributes == 0;
    g->longest = max_size(g->longest, g->tokens.n + (g->with.texts ? g->forced.n : g->with.max_new));
    if (code == GENAIR_OK)
        g->order[g->n_order++] = (struct order){(uint32_t)g->tokens.n, item};
    return code;
}

/* Longest first, then in the order of the items. */
static int compare_order(const void *a, const void *b) {
    const struct order *x = a, *y = b;
    if (x->n_tokens != y->n_tokens) return x->n_tokens > y->n_tokens ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static genair_code plan(struct generate *g, genair_status *st) {
    const uint32_t n_items = g->with.n_items;
    g->order = mem_array(generate_pending(g), sizeof *g->order);
    if (!g->order) return fail_memory(st);
    for (uint32_t i = 1; i <= n_items; i++) {
        context_progress(g->with.ctx, "prompts", i, n_items);
        if (g->state[i] != PENDING) continue;
        if (context_stopped(g->with.ctx)) return context_interrupted(st);
        if (g->with.texts && !texts_of(g->with.texts, i).n) continue;
        const genair_code code = plan_item(g, i, st);
        if (code != GENAIR_OK) return code;
    }
    if (g->n_bare == g->with.items.n_all && g->with.take)
        return fail(st, GENAIR_USAGE, "no item has an attribute that the template takes, so there is nothing to describe it by: give it one, or "
                                      "vectors");
    if (g->n_bare == g->with.items.n_all && !g->with.texts)
        return fail(st, GENAIR_USAGE,
                    "no item has an attribute that the template takes, so all prompts would be "
                    "alike: give --items to 'genair prepare', or another --template");
    if (g->n_order) qsort(g->order, g->n_order, sizeof *g->order, compare_order);
    return engine_fits(&g->generator->weights->config, &g->generator->options, g->longest, st);
}

static void tell_plan(const struct generate *g) {
    if (g->n_damaged)
        context_warn(g->with.ctx, "%llu archetypes in the store are damaged and are made again",
                     (unsigned long long)g->n_damaged);
    if (g->n_bare && !g->with.texts)
        context_warn(g->with.ctx, "%llu items have no attribute that the template takes: their "
                                  "prompts are all alike",
                     (unsigned long long)g->n_bare);
}

genair_code generate_check(struct generate *g, const struct generator *with, genair_status *st) {
    g->generator = with;
    return plan(g, st);
}

/* ---- the run ---- */

/* Of the item's id alone: numbers change with the catalogue. */
static uint64_t stream_of(struct text id) {
    char digits[33];
    hash_bytes(id.p, id.n, digits);
    digits[16] = '\0';
    return strtoull(digits, NULL, 16);
}

static bool is_wanted(const struct generate *g, uint32_t item) {
    return g->state[item] == PENDING && (!g->with.texts || texts_of(g->with.texts, item).n);
}

/* The next lease that is to be had, by its longest prompt. */
static bool find_lease(struct generate *g) {
    bool taken = false;
    while (g->next < g->n_order && !taken) {
        const uint32_t item = g->order[g->next++].item;
        uint32_t last;
        if (!is_wanted(g, item)) continue;
        g->code = leases_take(g->leases, item, &taken, &g->leased, &last, g->st);
        if (g->code != GENAIR_OK) return false;
        if (!taken) continue;
        g->leased_end = (uint32_t)min_size(last, g->with.n_items) + 1;
        note_marks(g, g->leased, g->leased_end - 1);
    }
    return taken;
}

static bool next_item(struct generate *g, uint32_t *item) {
    if (!g->leases) {
        if (g->next == g->n_order) return false;
        *item = g->order[g->next++].item;
        return true;
    }
    do {
        while (g->leased < g->leased_end)
            if (is_wanted(g, *item = g->leased++)) return true;
    } while (find_lease(g));
    return false;
}

static bool give_request(void *user, struct lm_request *out) {
    struct generate *g = user;
    uint32_t item;
    if (g->code != GENAIR_OK || !next_item(g, &item)) return false;
    g->code = encode_item(g, item, g->st);
    if (g->code != GENAIR_OK) return false;
    *out = (struct lm_request){.id = item,
                            .stream = stream_of(name_of(g, item)),
                            .prompt = g->tokens.ids,
                            .n_prompt = g->tokens.n,
                            .max_new = g->with.max_new};
    if (g->with.texts) {
        out->forced = g->forced.ids;
        out->n_forced = g->forced.n;
    }
    return true;
}

static bool all_finite(const float *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return false;
    return true;
}

static genair_code put_answer(struct generate *g, const struct answer *a, struct text text,
                              genair_status *st) {
    const size_t width = g->generator->weights->config.hidden;
    const uint32_t item = (uint32_t)a->id;
    struct archetype row = {.item = name_of(g, item),
                            .prompt = prompt_text(g),
                            .n_prompt = a->n_prompt,
                            .n_generated = a->n,
                            .prefill = a->prefill,
                            .decoding = a->decoding};
    row.done = all_finite(a->prefill, width) && all_finite(a->decoding, width);
    if (row.done) {
        row.text = text;
        row.finish = text_of(g->with.texts ? "given" : finish_names[a->finish]);
    } else {
        row.finish = text_of("the model gave vectors that are not finite numbers");
    }
    genair_code code = g->with.store ? archetypes_put(g->with.store, &row, st)
                                     : g->with.take(g->with.taker, item, &row, st);
    if (code == GENAIR_OK && g->leases) code = leases_mark(g->leases, item, row.done ? ITEM_DONE : ITEM_FAILED, st);
    if (code != GENAIR_OK) return code;
    g->state[item] = row.done ? DONE : FAILED;
    g->made.n_new++;
    if (row.done)
        count_done(&g->made, a->n_prompt, a->n, row.finish);
    else
        g->made.n_failed++;
    return GENAIR_OK;
}

/* Tokens over the whole time: both kinds go on at once. */
static void show_progress(struct generate *g) {
    const struct engine_statistics *s = &g->made.speed; /* the engine keeps it up to date */
    const double elapsed = context_seconds() - g->began;
    char note[128];
    snprintf(note, sizeof note, "prompts %.0f tokens/s, answers %.0f tokens/s, %llu failed",
             (double)s->prompt_tokens / elapsed, (double)s->generated_tokens / elapsed,
             (unsigned long long)g->made.n_failed);
    context_progress_note(g->with.ctx, "archetypes", (double)g->made.n_new, (double)g->n_order,
                          note);
}

/* What the model wrote: tokens may end within a character, or stand for bytes that are no text. */
static genair_code put_written(struct generate *g, const struct answer *a, genair_status *st) {
    char *written = NULL, *repaired = NULL;
    struct text text = {0};
    genair_code code = tokenizer_decode(g->generator->tokenizer, a->tokens, a->n, true, &written,
                                        &text.n, st);
    text.p = written;
    for (size_t i = 0; code == GENAIR_OK && i < text.n; i++)
        if (!written[i]) written[i] = ' '; /* SQLite's own functions end a text there */
    if (code == GENAIR_OK) code = unicode_repair(text, &repaired, &text, st);
    if (code == GENAIR_OK) code = put_answer(g, a, text_trim(text), st);
    mem_free(written);
    mem_free(repaired);
    return code;
}

static genair_code take_answer(void *user, const struct answer *a, genair_status *st) {
    struct generate *g = user;
    const uint32_t item = (uint32_t)a->id;
    genair_code code = render_item(g, item, st);
    if (code == GENAIR_OK)
        code = g->with.texts ? put_answer(g, a, texts_of(g->with.texts, item), st)
                             : put_written(g, a, st);
    if (code == GENAIR_OK) show_progress(g);
    return code;
}

/* Whether anything is left to make that the others have in work. */
static bool is_left(const struct generate *g) {
    for (size_t i = 0; i < g->n_order; i++)
        if (is_wanted(g, g->order[i].item)) return true;
    return false;
}

/* Waits until nothing is left, or for the lease of a process that is gone: then *more is true and the lease ours. */
static genair_code await_lease(struct generate *g, bool *more, genair_status *st) {
    static const struct timespec pause = {.tv_nsec = 200000000};
    for (bool told = false;; told = true) {
        const genair_code code = leases_again(g->leases, st);
        if (code != GENAIR_OK) return code;
        note_marks(g, 1, g->with.n_items);
        g->next = 0;
        *more = find_lease(g);
        if (*more || g->code != GENAIR_OK || !is_left(g)) return g->code;
        if (context_stopped(g->with.ctx)) return context_interrupted(st);
        if (!told) context_info(g->with.ctx, "waiting for what other ranks have in work");
        nanosleep(&pause, NULL);
    }
}

static void add_statistics(struct engine_statistics *s, const struct engine_statistics *more) {
    s->prompt_tokens += more->prompt_tokens;
    s->prefix_tokens_saved += more->prefix_tokens_saved;
    s->generated_tokens += more->generated_tokens;
    s->steps += more->steps;
    s->prompt_seconds += more->prompt_seconds;
    s->generate_seconds += more->generate_seconds;
}

static genair_code run_engine(struct generate *g, genair_status *st) {
    struct engine *engine = NULL;
    genair_code code = engine_create(g->with.ctx, g->generator->weights, &g->generator->options,
                                     &engine, st);
    g->began = context_seconds();
    for (bool more = true; code == GENAIR_OK && more;) {
        const struct engine_statistics before = g->made.speed;
        code = engine_run(engine, g->prefix.ids, g->prefix.n, &g->with.sampling, give_request,
                          take_answer, g, &g->made.speed, st);
        add_statistics(&g->made.speed, &before);
        if (code == GENAIR_OK) code = g->code;
        more = g->leases != NULL;
        if (code == GENAIR_OK && more) code = await_lease(g, &more, st);
    }
    engine_free(engine);
    return code;
}

genair_code generate_run(struct generate *g, const struct generator *with, genair_status *st) {
    g->generator = with;
    g->st = st;
    genair_code code = plan(g, st);
    if (code == GENAIR_OK) {
        tell_plan(g);
        context_info(g->with.ctx, "%zu items to describe; %zu tokens that all prompts begin with "
                                  "are read once",
                     g->n_order, g->prefix.n);
        code = run_engine(g, st);
    }
    return code;
}
