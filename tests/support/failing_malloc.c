/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded: allocation number FAIL_AT of the process returns NULL, whoever asks, libraries too. With COUNT_TO=FILE
 * the number of allocations is written there at the end. glibc's own allocator does the work. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_ulong made, fail_at;

__attribute__((constructor)) static void start(void) {
    const char *at = getenv("FAIL_AT");
    if (at) fail_at = strtoul(at, NULL, 10);
}

__attribute__((destructor)) static void tell(void) {
    const char *name = getenv("COUNT_TO");
    const unsigned long n = made;
    FILE *f = name ? fopen(name, "w") : NULL;
    if (!f) return;
    fprintf(f, "%lu\n", n);
    fclose(f);
}

static int fails(void) {
    if (++made != fail_at) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) {
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size) {
    return fails() ? NULL : __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return fails() ? NULL : __libc_memalign(alignment, size);
}
