/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/alloc.h"
#include "base/size.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(p, n) __asan_poison_memory_region(p, n)
#define UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
#define POISON(p, n) ((void)0)
#define UNPOISON(p, n) ((void)0)
#endif

enum { ALIGNMENT = 64, SMALLEST_BLOCK = 1 << 20 };

struct block {
    unsigned char *data;
    size_t size;
};

struct arena {
    struct block *blocks;
    size_t n_blocks, capacity;
    size_t used;   /* of the last block, the one being filled */
    size_t phase;  /* bytes given since the reset */
    size_t wanted; /* most bytes that a phase took: the size of the first block */
    bool failed;
};

struct arena *arena_create(void) {
    return mem_zeros(1, sizeof(struct arena));
}

static void free_blocks(struct arena *a) {
    for (size_t i = 0; i < a->n_blocks; i++) {
        UNPOISON(a->blocks[i].data, a->blocks[i].size);
        mem_free(a->blocks[i].data);
    }
    a->n_blocks = 0;
}

void arena_free(struct arena *a) {
    if (!a) return;
    free_blocks(a);
    mem_free(a->blocks);
    mem_free(a);
}

static bool add_block(struct arena *a, size_t size) {
    if (!mem_grow(&a->blocks, &a->capacity, a->n_blocks + 1, sizeof *a->blocks)) return false;
    unsigned char *data = mem_aligned(size, 1);
    if (!data) return false;
    POISON(data, size);
    a->blocks[a->n_blocks++] = (struct block){data, size};
    return true;
}

void *arena_array(struct arena *a, size_t n, size_t size) {
    size_t bytes, padded;
    if (!mul_size(n, size, &bytes) || !add_size(bytes, 2 * ALIGNMENT, &padded)) {
        a->failed = true;
        return NULL;
    }
    padded = padded / ALIGNMENT * ALIGNMENT; /* at least ALIGNMENT unused bytes between arrays */
    if (a->n_blocks == 0 || a->blocks[a->n_blocks - 1].size - a->used < padded) {
        const size_t least = a->n_blocks == 0 ? max_size(a->wanted, SMALLEST_BLOCK) : max_size(a->phase / 4, SMALLEST_BLOCK);
        if (!add_block(a, max_size(padded, least))) {
            a->failed = true;
            return NULL;
        }
        a->used = 0;
    }
    unsigned char *p = a->blocks[a->n_blocks - 1].data + a->used;
    a->used += padded;
    a->phase += padded;
    UNPOISON(p, bytes);
    return p;
}

/* Several blocks make way for one that holds such a phase as a whole: memory is that of the largest phase. */
void arena_reset(struct arena *a) {
    a->wanted = max_size(a->wanted, a->phase);
    if (a->n_blocks > 1) free_blocks(a);
    for (size_t i = 0; i < a->n_blocks; i++) POISON(a->blocks[i].data, a->blocks[i].size);
    a->used = a->phase = 0;
    a->failed = false;
}

bool arena_failed(const struct arena *a) {
    return a->failed;
}

size_t arena_bytes(const struct arena *a) {
    size_t sum = 0;
    for (size_t i = 0; i < a->n_blocks; i++) sum += a->blocks[i].size;
    return sum;
}
