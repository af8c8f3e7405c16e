/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/service.h"

#include "base/alloc.h"
#include "base/context.h"
#include "archetype/author.h"
#include "intake/intake.h"
#include "recommend/recommender.h"
#include "serve/answers.h"
#include "workspace/added_items.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

/* ---- the run that is served: counted, so that it can be exchanged under way ---- */

struct service {
    struct service_setting setting;
    struct author *author;   /* NULL: no model */
    pthread_mutex_t taking;  /* new items, and the author: one request at a time */
    struct events *events;
    pthread_mutex_t exchange;  /* guards current */
    struct served *current;
    struct {
        pthread_mutex_t lock; /* guards the rest */
        pthread_cond_t ended;
        bool under_way;
        uint64_t begun, done; /* how many */
        genair_status result; /* of the latest that is done */
    } opening;
    atomic_bool retired;
    pthread_mutex_t working; /* guards work */
    genair_context *work;    /* of what takes new items, NULL: nothing does */
    struct measures measures;
};

struct served *service_borrow(struct service *s) {
    pthread_mutex_lock(&s->exchange);
    struct served *v = served_hold(s->current);
    pthread_mutex_unlock(&s->exchange);
    return v;
}

static genair_code exchange(struct service *s, genair_status *st) {
    struct served *fresh;
    const genair_code code = served_open(s->setting.workspace, s->setting.run, &s->setting.index, &fresh, st);
    if (code != GENAIR_OK) return code;
    pthread_mutex_lock(&s->exchange);
    struct served *old = s->current;
    s->current = fresh;
    pthread_mutex_unlock(&s->exchange);
    served_drop(old);
    atomic_fetch_add(&s->measures.reloads, 1);
    return GENAIR_OK;
}

/* An opening that begins after the call has seen what was stored before it: all who came while one was under way share the
 * next. */
genair_code service_reload(struct service *s, genair_status *st) {
    pthread_mutex_lock(&s->opening.lock);
    const uint64_t mine = s->opening.begun + 1;
    while (s->opening.done < mine) {
        if (s->opening.under_way) {
            pthread_cond_wait(&s->opening.ended, &s->opening.lock);
            continue;
        }
        genair_status result = {0};
        s->opening.under_way = true;
        s->opening.begun++;
        pthread_mutex_unlock(&s->opening.lock);
        const genair_code code = exchange(s, &result);
        pthread_mutex_lock(&s->opening.lock);
        result.code = code;
        s->opening.result = result;
        s->opening.under_way = false;
        s->opening.done = s->opening.begun;
        pthread_cond_broadcast(&s->opening.ended);
    }
    const genair_status result = s->opening.result;
    pthread_mutex_unlock(&s->opening.lock);
    if (result.code != GENAIR_OK && st) *st = result;
    return result.code;
}

genair_code service_open(const struct service_setting *setting, struct service **out, genair_status *st) {
    struct service *s = mem_zeros(1, sizeof *s);
    if (!s) return fail_memory(st);
    pthread_mutex_init(&s->exchange, NULL);
    pthread_mutex_init(&s->opening.lock, NULL);
    pthread_cond_init(&s->opening.ended, NULL);
    pthread_mutex_init(&s->taking, NULL);
    pthread_mutex_init(&s->working, NULL);
    s->setting = *setting;
    genair_code code = served_open(s->setting.workspace, s->setting.run, &s->setting.index, &s->current, st);
    if (code == GENAIR_OK && setting->model)
        code = author_open(setting->workspace, setting->run, setting->model, setting->template, &s->author, st);
    if (code == GENAIR_OK) code = events_open(setting->store, &s->events, st);
    if (code == GENAIR_OK)
        *out = s;
    else
        service_close(s);
    return code;
}

void service_close(struct service *s) {
    if (!s) return;
    events_close(s->events);
    author_close(s->author);
    if (s->current) served_drop(s->current);
    pthread_mutex_destroy(&s->exchange);
    pthread_mutex_destroy(&s->opening.lock);
    pthread_cond_destroy(&s->opening.ended);
    pthread_mutex_destroy(&s->taking);
    pthread_mutex_destroy(&s->working);
    mem_free(s);
}

void service_left_out(struct service *s, char *out, size_t size) {
    struct served *v = service_borrow(s);
    snprintf(out, size, "%s", recommender_left_out(served_recommender(v)));
    served_drop(v);
}

uint64_t service_reloads(struct service *s) {
    return atomic_load(&s->measures.reloads);
}

/* Not the client's fault: what it asked for is on the disk, and asking again does no harm. */
static genair_code show_stored(struct service *s, genair_status *st) {
    genair_status why = {0};
    const genair_code code = service_reload(s, &why);
    if (code == GENAIR_OK || code == GENAIR_MEMORY) return code == GENAIR_OK ? code : fail_memory(st);
    return fail(st, GENAIR_IO, "it is done, but the run cannot be opened again to show it: %s", why.message);
}

/* What was stored just now and is not there, although nobody took it away again, was left out. */
static genair_code check_shown(struct service *s, const struct intake *in, genair_status *st) {
    struct served *v = service_borrow(s);
    const char *why = recommender_left_out(served_recommender(v));
    genair_code code = GENAIR_OK;
    for (size_t i = 0; code == GENAIR_OK && *why && i < intake_count(in); i++) {
        uint32_t item;
        if (!catalogue_find(served_catalogue(v), intake_id(in, i), &item))
            code = fail(st, GENAIR_IO, "it is stored, but not served: %s", why);
    }
    served_drop(v);
    return code;
}

/* ---- new items ---- */

static genair_code about_to_end(genair_status *st) {
    return fail(st, GENAIR_INTERRUPTED, "this server is about to end; nothing of the request was kept");
}

/* What service_retire stops. */
static void set_work(struct service *s, genair_context *ctx) {
    pthread_mutex_lock(&s->working);
    s->work = ctx;
    pthread_mutex_unlock(&s->working);
}

static genair_code store(struct service *s, struct intake *in, struct intake_result *n, genair_status *st) {
    genair_context *ctx;
    genair_status why = {0};
    genair_code code = genair_context_create(s->setting.threads, NULL, NULL, &ctx, st);
    if (code != GENAIR_OK) return code;
    set_work(s, ctx);
    code = service_retired(s) ? GENAIR_INTERRUPTED /* before it could be stopped */
                              : intake_store(in, ctx, s->author, n, &why);
    set_work(s, NULL);
    genair_context_free(ctx);
    if (code == GENAIR_INTERRUPTED) return about_to_end(st);
    return code == GENAIR_OK ? code : fail_like(st, &why);
}

genair_code service_take(struct service *s, struct intake *in, struct intake_result *n, genair_status *st) {
    pthread_mutex_lock(&s->taking);
    genair_code code = store(s, in, n, st);
    pthread_mutex_unlock(&s->taking);
    if (code == GENAIR_OK) code = show_stored(s, st);
    return code == GENAIR_OK ? check_shown(s, in, st) : code;
}

genair_code service_remove(struct service *s, struct text item, genair_status *st) {
    const genair_code code = added_items_remove(s->setting.workspace, &item, 1, st);
    return code == GENAIR_OK ? show_stored(s, st) : code;
}

const struct service_setting *service_setting(const struct service *s) {
    return &s->setting;
}

void service_retire(struct service *s) {
    atomic_store(&s->retired, true);
    pthread_mutex_lock(&s->working);
    if (s->work) genair_context_stop(s->work);
    pthread_mutex_unlock(&s->working);
}

bool service_retired(const struct service *s) {
    return atomic_load(&s->retired);
}

struct events *service_events(struct service *s) {
    return s->events;
}

struct measures *service_measures(struct service *s) {
    return &s->measures;
}
