/* SPDX-License-Identifier: Apache-2.0 */
/* Workers wait for a round number to change: a short spin, since a training step is some sixty rounds of
 * tens of microseconds, then a condition variable.
 *
 * Each worker has a range of tasks that follow each other, so that what it fetches ahead is its own; one that is done
 * takes from the far end of another's. */
#include "base/parallel.h"

#include "base/alloc.h"
#include "base/size.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

enum { SPINS = 4000, MAX_THREADS = 1024 };

struct worker {
    struct parallel *pool;
    pthread_t thread;
    int index;
    _Alignas(64) atomic_uint_least64_t range; /* of tasks left: the first, 2^32 times the one behind the last */
};

struct parallel {
    int n_threads;
    pid_t process;          /* which has the threads: a forked one has not */
    struct worker *workers; /* [n_threads], 0 is the caller and has no thread */
    parallel_task *task;    /* written by the caller before round changes, read after */
    void *context;
    size_t first_task; /* ranges count from here */
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

static bool take(atomic_uint_least64_t *range, bool own, uint32_t *task) {
    uint64_t left = atomic_load_explicit(range, memory_order_relaxed);
    for (;;) {
        const uint32_t first = (uint32_t)left, end = (uint32_t)(left >> 32);
        if (first == end) return false;
        *task = own ? first : end - 1;
        const uint64_t rest = own ? left + 1 : left - ((uint64_t)1 << 32);
        if (atomic_compare_exchange_weak_explicit(range, &left, rest, memory_order_relaxed, memory_order_relaxed)) return true;
    }
}

static void run_tasks(struct parallel *p, int worker) {
    uint32_t i;
    for (int k = 0; k < p->n_threads; k++) {
        const int of = (worker + k) % p->n_threads;
        while (take(&p->workers[of].range, k == 0, &i))
            p->task(p->context, p->first_task + i, worker);
    }
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

static void run_round(struct parallel *p, size_t first, size_t n) {
    const size_t n_threads = (size_t)p->n_threads, each = n / n_threads, more = n % n_threads;
    p->first_task = first;
    for (size_t i = 0, at = 0; i < n_threads; i++) {
        const size_t end = at + each + (i < more);
        atomic_store_explicit(&p->workers[i].range, (uint64_t)end << 32 | at, memory_order_relaxed);
        at = end;
    }
    atomic_store(&p->busy, p->n_threads - 1);
    start_round(p);
    run_tasks(p, 0);
    wait_until_done(p);
}

void parallel_run(struct parallel *p, size_t n_tasks, parallel_task *task, void *context) {
    if (p->n_threads == 1 || n_tasks == 1) {
        for (size_t i = 0; i < n_tasks; i++) task(context, i, 0);
        return;
    }
    p->task = task;
    p->context = context;
    for (size_t i = 0; i < n_tasks; i += UINT32_MAX)
        run_round(p, i, min_size(UINT32_MAX, n_tasks - i));
}

genair_code parallel_create(int n_threads, struct parallel **out, genair_status *st) {
    if (n_threads < 1 || n_threads > MAX_THREADS)
        return fail(st, GENAIR_USAGE, "%d threads: between 1 and %d", n_threads, MAX_THREADS);
    struct parallel *p = mem_zeros(1, sizeof *p);
    if (!p) return fail_memory(st);
    p->workers = mem_aligned((size_t)n_threads, sizeof *p->workers);
    if (!p->workers) {
        mem_free(p);
        return fail_memory(st);
    }
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    p->n_threads = 1;
    p->process = getpid();
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

static void end_threads(struct parallel *p) {
    atomic_store(&p->closing, true);
    start_round(p);
    for (int i = 1; i < p->n_threads; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
}

void parallel_free(struct parallel *p) {
    if (!p) return;
    if (p->process == getpid()) end_threads(p);
    mem_free(p->workers);
    mem_free(p);
}

int parallel_threads(const struct parallel *p) {
    return p->n_threads;
}
