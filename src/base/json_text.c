/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_text.h"

#include "base/alloc.h"
#include "base/files.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local bool lost;
/* While a text is read: handed out in place of the first allocation that fails. */
static _Thread_local void *reserve;
static _Thread_local size_t reserved;

static void *watched(size_t size) {
    void *p = mem_array(size, 1);
    if (p) return p;
    lost = true;
    if (size > reserved) return NULL;
    p = reserve;
    reserve = NULL;
    reserved = 0;
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

bool json_hash(const char *before, const json_t *value, char out[33]) {
    char *text = json_text(value, JSON_COMPACT | JSON_SORT_KEYS);
    struct hasher *h = text ? hasher_create() : NULL;
    if (h) {
        hasher_add(h, before, strlen(before));
        hasher_add(h, text, strlen(text));
        hasher_finish(h, out);
    }
    free(text);
    return h != NULL;
}

/* A byte at a time, and none once memory is out: a token that lacks bytes is never looked into, which ends in jansson's assertions
 * or beyond the token. What is saved of the byte in hand has room in the reserve. */
static size_t next_byte(void *buffer, size_t size, void *context) {
    struct text *rest = context;
    if (!rest->n || !size || lost) return 0;
    *(char *)buffer = *rest->p++;
    rest->n--;
    return 1;
}

genair_code json_read(struct text text, size_t flags, json_t **out, json_error_t *error, genair_status *st) {
    *out = NULL;
    if (text.n > SIZE_MAX / 4) return fail_memory(st);
    const size_t room = 2 * text.n + 64; /* jansson's largest allocation: a token's buffer, doubled when full */
    reserve = mem_array(room, 1);
    if (!reserve) return fail_memory(st);
    reserved = room;
    const bool before = json_lost(); /* of a value that this thread is still making */
    json_error_t own;
    json_t *value = json_load_callback(next_byte, &text, flags, error ? error : &own);
    /* the latter where the process's own allocator is not watched */
    const bool whole = !json_lost() && (value || json_error_code(error ? error : &own) != json_error_out_of_memory);
    lost = before;
    mem_free(reserve);
    reserve = NULL;
    reserved = 0;
    if (whole && value) {
        *out = value;
        return GENAIR_OK;
    }
    json_decref(value);
    return whole ? GENAIR_FORMAT : fail_memory(st);
}

genair_code json_file_read(const char *path, size_t limit, json_t **out, genair_status *st) {
    char *text;
    size_t size;
    json_error_t error;
    *out = NULL;
    genair_code code = file_read(path, limit, &text, &size, st);
    if (code != GENAIR_OK) return code;
    code = json_read((struct text){text, size}, JSON_REJECT_DUPLICATES, out, &error, st);
    if (code == GENAIR_FORMAT) code = fail_line(st, GENAIR_FORMAT, path, error.line, "not JSON: %s", error.text);
    mem_free(text);
    return code;
}

genair_code json_file_try(const char *path, size_t limit, json_t **out, genair_status *st) {
    return json_file_read(path, limit, out, NULL) == GENAIR_MEMORY ? fail_memory(st) : GENAIR_OK;
}
