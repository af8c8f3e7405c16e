/* SPDX-License-Identifier: Apache-2.0 */
/* Every task once, whoever takes it; tasks that differ in length are shared out. */
#include "base/parallel.h"
#include "base/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { MOST = 10000 };

struct seen {
    atomic_int times[MOST];
    atomic_int wrong_workers;
    atomic_uint sink;
    int n_threads;
    size_t slow; /* tasks below it take longer than all others together */
};

static void see(void *context, size_t i, int worker) {
    struct seen *s = context;
    atomic_fetch_add_explicit(&s->times[i], 1, memory_order_relaxed);
    if (worker < 0 || worker >= s->n_threads) atomic_fetch_add(&s->wrong_workers, 1);
    for (unsigned k = 0; i < s->slow && k < 20000; k++) atomic_fetch_add_explicit(&s->sink, k, memory_order_relaxed);
}

static void test_each_task_once(void **state) {
    (void)state;
    static struct seen s;
    static const size_t counts[] = {0, 1, 2, 3, 7, 64, 65, 1000, MOST};
    for (int n_threads = 1; n_threads <= 5; n_threads++) {
        struct parallel *p;
        assert_int_equal(parallel_create(n_threads, &p, NULL), GENAIR_OK);
        s.n_threads = n_threads;
        for (size_t round = 0; round < 20 * COUNT(counts); round++) {
            const size_t n = counts[round % COUNT(counts)];
            s.slow = round % 3 ? 0 : min_size(n, 50);
            parallel_run(p, n, see, &s);
            for (size_t i = 0; i < MOST; i++) assert_int_equal(atomic_exchange(&s.times[i], 0), i < n);
        }
        parallel_free(p);
    }
    assert_int_equal(atomic_load(&s.wrong_workers), 0);
}

/* The first task waits until all others have been taken: by somebody else, if its own worker is to go on. */
static void wait_for_others(void *context, size_t i, int worker) {
    atomic_int *taken = context;
    (void)worker;
    atomic_fetch_add(taken, 1);
    while (i == 0 && atomic_load(taken) < 10) continue;
}

static void test_idle_worker_takes(void **state) {
    (void)state;
    atomic_int taken = 0;
    struct parallel *p;
    assert_int_equal(parallel_create(2, &p, NULL), GENAIR_OK);
    parallel_run(p, 10, wait_for_others, &taken);
    assert_int_equal(atomic_load(&taken), 10);
    parallel_free(p);
}

/* It has none of the threads, and ends all the same. */
static void test_free_in_a_forked_process(void **state) {
    (void)state;
    struct parallel *p;
    assert_int_equal(parallel_create(3, &p, NULL), GENAIR_OK);
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);
        parallel_free(p);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    atomic_int taken = 0;
    parallel_run(p, 10, wait_for_others, &taken);
    assert_int_equal(atomic_load(&taken), 10);
    parallel_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_task_once),
        cmocka_unit_test(test_idle_worker_takes),
        cmocka_unit_test(test_free_in_a_forked_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
