/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the one place that asks the system for memory, so that tests can make it refuse. */
#ifndef GENAIR_BASE_ALLOC_H
#define GENAIR_BASE_ALLOC_H

#include <stddef.h>

/* n elements of size bytes, uninitialised; NULL when n * size overflows or memory is out.
 * Released with mem_free. A request for 0 bytes gives a pointer that may be freed. */
void *mem_array(size_t n, size_t size) __attribute__((malloc, warn_unused_result));
void *mem_zeros(size_t n, size_t size) __attribute__((malloc, warn_unused_result));
/* As mem_array, aligned to 64 bytes (a cache line, an AVX-512 register). */
void *mem_aligned(size_t n, size_t size) __attribute__((malloc, warn_unused_result));
/* Makes room for at least need elements, growing *capacity by half; false leaves both as they were. */
_Bool mem_grow(void *array_ptr, size_t *capacity, size_t need, size_t size)
    __attribute__((warn_unused_result));
char *mem_text(const char *s, size_t n) __attribute__((malloc, warn_unused_result)); /* copy + NUL */
void mem_free(void *p);

#endif
