/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"

#include "base/size.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

extern const struct kernels kernels_avx2, kernels_avx512, kernels_vnni, kernels_amx;

static bool has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static bool has_vnni(void) {
    return has_avx512() && __builtin_cpu_supports("avx512vnni");
}

/* Tiles are memory that Linux gives to a process that asks (its documentation: x86/xstate.rst). */
static bool tiles_granted;

static void ask_for_tiles(void) {
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18, HAS_TILES = 1 << 24, HAS_INT8 = 1 << 25 };
    unsigned a, b, c, d;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & HAS_TILES) && (d & HAS_INT8))
        tiles_granted = syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

static bool has_amx(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!has_vnni()) return false;
    pthread_once(&once, ask_for_tiles);
    return tiles_granted;
}

/* F16C, which clang 14 cannot ask for, is older than both. */
static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#elif defined(__aarch64__)
extern const struct kernels kernels_neon;
#endif

static bool always(void) {
    return true;
}

/* Best first. */
static const struct {
    const struct kernels *table;
    bool (*runs_here)(void);
} tables[] = {
#if defined(__x86_64__)
    {&kernels_amx, has_amx},
    {&kernels_vnni, has_vnni},
    {&kernels_avx512, has_avx512},
    {&kernels_avx2, has_avx2},
#elif defined(__aarch64__)
    {&kernels_neon, always},
#endif
    {&kernels_scalar, always},
};

const struct kernels *kernels_select(const char *name) {
    for (size_t i = 0; i < COUNT(tables); i++)
        if ((!name || strcmp(tables[i].table->name, name) == 0) && tables[i].runs_here())
            return tables[i].table;
    return NULL;
}
