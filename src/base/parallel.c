/* SPDX-License-Identifier: Apache-2.0 */
/* Workers wait for a round number to change: a short spin, since a training step is some sixty rounds of
 * tens of microseconds, then a condition variable. Tasks are taken from a shared counter. */
#include "base/parallel.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { SPINS = 4000, MAX_THREADS = 1024 };

struct worker {
    struct parallel *pool;
    pthread_t thread;
    int index;
};

struct parallel {
    int n_threads;
    struct worker *workers; /* [n_threads], 0 is the caller and has no thread */
    parallel_task *task;    /* written by the caller before round changes, read after */
    void *context;
    size_t n_tasks;
    atomic_size_t next;
    atomic_int busy;
    atomic_uint round;
    atomic_bool closing;
    pthread_mutex_t mutex; /* orders sleeping against a change of round or busy */
    pthread_cond_t wake, done;
};

static inline void pause_cpu(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void run_tasks(struct parallel *p, int worker) {
    size_t i;
    while ((i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed)) < p->n_tasks)
        p->task(p->context, i, worker);
}

static unsigned wait_for_round(struct parallel *p, unsigned seen) {
    for (int i = 0; i < SPINS; i++) {
        const unsigned round = atomic_load_explicit(&p->round, memory_order_acquire);
        if (round != seen) return round;
        pause_cpu();
    }
    pthread_mutex_lock(&p->mutex);
    while (atomic_load(&p->round) == seen) pthread_cond_wait(&p->wake, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
    return atomic_load(&p->round);
}

static void *work(void *argument) {
    const struct worker *me = argument;
    struct parallel *p = me->pool;
    unsigned seen = 0;
    for (;;) {
        seen = wait_for_round(p, seen);
        if (atomic_load(&p->closing)) return NULL;
        run_tasks(p, me->index);
        if (atomic_fetch_sub(&p->busy, 1) == 1) {
            pthread_mutex_lock(&p->mutex);
            pthread_cond_signal(&p->done);
            pthread_mutex_unlock(&p->mutex);
        }
    }
}

static void start_round(struct parallel *p) {
    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add(&p->round, 1);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}

static void wait_until_done(struct parallel *p) {
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&p->busy, memory_order_acquire) == 0) return;
        pause_cpu();
    }
    pthread_mutex_lock(&p->mutex);
    while (atomic_load(&p->busy) != 0) pthread_cond_wait(&p->done, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
}

void parallel_run(struct parallel *p, size_t n_tasks, parallel_task *task, void *context) {
    if (p->n_threads == 1 || n_tasks == 1) {
        for (size_t i = 0; i < n_tasks; i++) task(context, i, 0);
        return;
    }
    p->task = task;
    p->context = context;
    p->n_tasks = n_tasks;
    atomic_store(&p->next, 0);
    atomic_store(&p->busy, p->n_threads - 1);
    start_round(p);
    run_tasks(p, 0);
    wait_until_done(p);
}

genair_code parallel_create(int n_threads, struct parallel **out, genair_status *st) {
    if (n_threads < 1 || n_threads > MAX_THREADS)
        return fail(st, GENAIR_USAGE, "%d threads: between 1 and %d", n_threads, MAX_THREADS);
    struct parallel *p = mem_zeros(1, sizeof *p);
    if (!p) return fail_memory(st);
    p->workers = mem_zeros((size_t)n_threads, sizeof *p->workers);
    if (!p->workers) {
        mem_free(p);
        return fail_memory(st);
    }
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    p->n_threads = 1;
    for (int i = 1; i < n_threads; i++) {
        p->workers[i] = (struct worker){.pool = p, .index = i};
        if (pthread_create(&p->workers[i].thread, NULL, work, &p->workers[i]) != 0) {
            parallel_free(p);
            return fail(st, GENAIR_MEMORY, "cannot start thread %d of %d; use fewer --threads", i + 1,
                        n_threads);
        }
        p->n_threads = i + 1;
    }
    *out = p;
    return GENAIR_OK;
}

void parallel_free(struct parallel *p) {
    if (!p) return;
    atomic_store(&p->closing, true);
    start_round(p);
    for (int i = 1; i < p->n_threads; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    mem_free(p->workers);
    mem_free(p);
}

int parallel_threads(const struct parallel *p) {
    return p->n_threads;
}
