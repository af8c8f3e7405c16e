/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/many.h"

#include "base/alloc.h"
#include "base/json_text.h"
#include "base/size.h"
#include "train/train.h"

#include <errno.h>
#include <time.h>

enum { POLL_MILLISECONDS = 50 };

struct crew {
    const struct many *many;
    pthread_mutex_t mutex; /* of everything below, and around make and done */
    pthread_cond_t over;
    size_t next, n_done, n_busy;
    bool stopping;
    genair_status failed;
    size_t n_workers;
    struct worker *workers;
};

struct worker {
    struct crew *crew;
    genair_context *ctx;
    pthread_t thread;
    bool started;
};

/* With the mutex held. */
static void stop_all(struct crew *c) {
    c->stopping = true;
    for (size_t i = 0; i < c->n_workers; i++)
        genair_context_stop(c->workers[i].ctx);
}

/* The next run's options, or NULL when there is none left. */
static genair_options *take(struct crew *c, size_t *i) {
    genair_options *o = NULL;
    pthread_mutex_lock(&c->mutex);
    if (!c->stopping && c->next < c->many->n) {
        *i = c->next++;
        if (c->many->make(c->many->user, *i, &o, &c->failed) != GENAIR_OK) {
            stop_all(c);
            o = NULL;
        }
    }
    pthread_mutex_unlock(&c->mutex);
    return o;
}

static void hand_in(struct crew *c, size_t i, const json_t *result, const genair_status *outcome) {
    pthread_mutex_lock(&c->mutex);
    if (outcome->code != GENAIR_INTERRUPTED &&
        c->many->done(c->many->user, i, result, outcome, &c->failed) != GENAIR_OK)
        stop_all(c);
    c->n_done++;
    context_progress(c->many->ctx, c->many->what, (double)c->n_done, (double)c->many->n);
    pthread_mutex_unlock(&c->mutex);
}

static void train_one(struct worker *w, size_t i, genair_options *o) {
    genair_status outcome = {0};
    char *text = NULL;
    genair_code code = train_within(w->ctx, o, w->crew->many->workspace, w->crew->many->guard, &text, &outcome);
    json_t *result = NULL;
    if (text && code == GENAIR_OK) code = json_read(text_of(text), 0, &result, NULL, &outcome);
    genair_string_free(text);
    outcome.code = code;
    hand_in(w->crew, i, result, &outcome);
    json_decref(result);
}

static void *work(void *argument) {
    struct worker *w = argument;
    size_t i = 0;
    for (genair_options *o; (o = take(w->crew, &i)); genair_options_free(o))
        train_one(w, i, o);
    pthread_mutex_lock(&w->crew->mutex);
    w->crew->n_busy--;
    pthread_cond_signal(&w->crew->over);
    pthread_mutex_unlock(&w->crew->mutex);
    return NULL;
}

/* Passes the caller's wish to stop on to the workers, which have contexts of their own. */
static void wait_for_all(struct crew *c) {
    pthread_mutex_lock(&c->mutex);
    while (c->n_busy > 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += POLL_MILLISECONDS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&c->over, &c->mutex, &until);
        if (!c->stopping && context_stopped(c->many->ctx)) stop_all(c);
    }
    pthread_mutex_unlock(&c->mutex);
}

static genair_code start(struct crew *c, genair_status *st) {
    for (size_t i = 0; i < c->n_workers; i++) {
        c->workers[i].crew = c;
        const genair_code code = genair_context_create(1, NULL, NULL, &c->workers[i].ctx, st);
        if (code != GENAIR_OK) return code;
    }
    c->n_busy = c->n_workers;
    for (size_t i = 0; i < c->n_workers; i++) {
        c->workers[i].started = pthread_create(&c->workers[i].thread, NULL, work, &c->workers[i]) == 0;
        if (c->workers[i].started) continue;
        pthread_mutex_lock(&c->mutex);
        c->n_busy -= c->n_workers - i;
        (void)fail(&c->failed, GENAIR_MEMORY, "cannot start thread %zu of %zu; use fewer --threads", i + 1, c->n_workers);
        stop_all(c);
        pthread_mutex_unlock(&c->mutex);
        break;
    }
    wait_for_all(c);
    for (size_t i = 0; i < c->n_workers; i++)
        if (c->workers[i].started) pthread_join(c->workers[i].thread, NULL);
    if (c->failed.code != GENAIR_OK) return fail_like(st, &c->failed);
    return context_stopped(c->many->ctx) ? context_interrupted(st) : GENAIR_OK;
}

genair_code many_train(const struct many *m, genair_status *st) {
    if (m->n == 0) return GENAIR_OK;
    struct crew c = {.many = m, .mutex = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER};
    c.n_workers = min_size(m->n, (size_t)parallel_threads(context_parallel(m->ctx)));
    c.workers = mem_zeros(c.n_workers, sizeof *c.workers);
    const genair_code code = c.workers ? start(&c, st) : fail_memory(st);
    for (size_t i = 0; c.workers && i < c.n_workers; i++)
        genair_context_free(c.workers[i].ctx);
    mem_free(c.workers);
    return code;
}
