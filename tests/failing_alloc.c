/* SPDX-License-Identifier: Apache-2.0 */
#include "failing_alloc.h"

#include "base/alloc.h"
#include "base/size.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_long left; /* requests until the one that fails; 0 or less: none will */
static atomic_bool failed;

long failing_alloc_next(long n) {
    return n + 1 + n / 50;
}

void failing_alloc_start(long n) {
    atomic_store(&failed, false);
    atomic_store(&left, n);
}

bool failing_alloc_stop(void) {
    atomic_store(&left, 0);
    return atomic_load(&failed);
}

static bool refuse(void) {
    if (atomic_load(&left) <= 0 || atomic_fetch_sub(&left, 1) != 1) return false;
    atomic_store(&failed, true);
    return true;
}

void *mem_array(size_t n, size_t size) {
    size_t bytes;
    if (refuse() || !mul_size(n, size, &bytes)) return NULL;
    return malloc(bytes ? bytes : 1);
}

void *mem_zeros(size_t n, size_t size) {
    return refuse() ? NULL : calloc(n ? n : 1, size ? size : 1);
}

void *mem_aligned(size_t n, size_t size) {
    size_t bytes, padded;
    if (refuse() || !mul_size(n, size, &bytes) || !add_size(bytes, 64, &padded)) return NULL;
    return aligned_alloc(64, padded / 64 * 64);
}

_Bool mem_grow(void *array_ptr, size_t *capacity, size_t need, size_t size) {
    if (need <= *capacity) return true;
    size_t bytes;
    if (refuse() || !mul_size(need, size, &bytes)) return false;
    void *old;
    memcpy(&old, array_ptr, sizeof old);
    void *grown = realloc(old, bytes); /* exactly: reading past it is then seen by a sanitizer */
    if (!grown) return false;
    memcpy(array_ptr, &grown, sizeof grown);
    *capacity = need;
    return true;
}

char *mem_text(const char *s, size_t n) {
    char *copy = mem_array(n + 1, 1);
    if (!copy) return NULL;
    if (n) memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

void mem_free(void *p) {
    free(p);
}
