/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_text.h"

#include <pthread.h>
#include <stdlib.h>

static _Thread_local bool lost;

static void *watched(size_t size) {
    void *p = malloc(size);
    if (!p) lost = true;
    return p;
}

static void begin(void) {
    json_malloc_t allocate;
    json_free_t release;
    json_get_alloc_funcs(&allocate, &release);
    if (allocate == malloc && release == free) json_set_alloc_funcs(watched, free);
}

void json_watch(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, begin);
}

bool json_lost(void) {
    const bool was = lost;
    lost = false;
    return was;
}

char *json_text(const json_t *value, size_t flags) {
    char *text = value ? json_dumps(value, flags) : NULL;
    if (json_lost()) {
        free(text);
        return NULL;
    }
    return text;
}
