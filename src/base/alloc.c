/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include "base/size.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };

void *mem_array(size_t n, size_t size) {
    size_t bytes;
    if (!mul_size(n, size, &bytes)) return NULL;
    return malloc(bytes ? bytes : 1);
}

void *mem_zeros(size_t n, size_t size) {
    return calloc(n ? n : 1, size ? size : 1);
}

void *mem_aligned(size_t n, size_t size) {
    size_t bytes, padded;
    if (!mul_size(n, size, &bytes)) return NULL;
    const bool large = bytes >= 2 * (size_t)HUGE_PAGE;
    const size_t alignment = large ? HUGE_PAGE : ALIGNMENT;
    if (!add_size(bytes, alignment, &padded)) return NULL;
    void *p = aligned_alloc(alignment, padded / alignment * alignment); /* what is padded is not touched */
    /* matrices are walked in long strides: a page of 4 KiB at a time, processors spend a fifth of the time on addresses */
    if (p && large) (void)madvise(p, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return p;
}

bool mem_grow(void *array_ptr, size_t *capacity, size_t need, size_t size) {
    if (need <= *capacity) return true;
    size_t n, bytes;
    if (!add_size(*capacity, *capacity / 2 + 16, &n)) return false;
    if (n < need) n = need;
    if (!mul_size(n, size, &bytes)) return false;
    void *old;
    memcpy(&old, array_ptr, sizeof old);
    void *grown = realloc(old, bytes ? bytes : 1);
    if (!grown) return false;
    memcpy(array_ptr, &grown, sizeof grown);
    *capacity = n;
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
