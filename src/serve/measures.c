/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/measures.h"

const double measure_times[] = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1};

void measure_refusal(struct measures *m, size_t route, int status) {
    const int class = status >= 100 && status < 600 ? status / 100 - 1 : STATUS_CLASSES - 1;
    atomic_fetch_add_explicit(&m->answered[route][class], 1, memory_order_relaxed);
}

void measure_request(struct measures *m, size_t route, int status, double seconds) {
    size_t i = 0;
    while (i < N_TIMES && seconds > measure_times[i]) i++;
    measure_refusal(m, route, status);
    atomic_fetch_add_explicit(&m->within[route][i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->nanoseconds[route], (uint64_t)(seconds * 1e9), memory_order_relaxed);
}
