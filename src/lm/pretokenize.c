/* SPDX-License-Identifier: Apache-2.0 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "lm/pretokenize.h"

#include "base/alloc.h"
#include "base/size.h"

#include <assert.h>
#include <pcre2.h>
#include <stdint.h>
#include <string.h>

/* PCRE2's \s has U+180E, which lost the property White_Space in Unicode 6.3: hence the property by
 * name. */
#define SPACE "\\p{White_Space}"
#define WORDS "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define PCRE2_TAIL                                                                                 \
    "| ?[^" SPACE "\\p{L}\\p{N}]+[\\r\\n]*|" SPACE "*[\\r\\n]+|" SPACE                             \
    "+(?!\\P{White_Space})|" SPACE "+"

const struct expression_traits expressions[N_EXPRESSIONS] = {
    [EXPRESSION_LLAMA3] = {.name = "Llama 3",
                           .gguf = {"llama-bpe", "llama3", "llama-v3"},
                           .published = WORDS "\\p{N}{1,3}" TAIL,
                           .pattern = WORDS "\\p{N}{1,3}" PCRE2_TAIL},
    [EXPRESSION_QWEN2] = {.name = "Qwen 2",
                          .gguf = {"qwen2"},
                          .published = WORDS "\\p{N}" TAIL,
                          .pattern = WORDS "\\p{N}" PCRE2_TAIL},
};

bool expression_of_gguf(struct text name, enum expression *out) {
    for (size_t e = 0; e < N_EXPRESSIONS; e++)
        for (size_t i = 0; i < COUNT(expressions[e].gguf) && expressions[e].gguf[i]; i++)
            if (text_equal(name, expressions[e].gguf[i])) {
                *out = (enum expression)e;
                return true;
            }
    return false;
}

bool expression_of_json(struct text published, enum expression *out) {
    for (size_t e = 0; e < N_EXPRESSIONS; e++)
        if (text_equal(published, expressions[e].published)) {
            *out = (enum expression)e;
            return true;
        }
    return false;
}

struct pretokenizer {
    pcre2_general_context *memory;
    pcre2_code *code;
    pcre2_match_context *limits;
};

static void *take_memory(size_t size, void *user) {
    (void)user;
    return mem_array(size, 1);
}

static void give_memory(void *p, void *user) {
    (void)user;
    mem_free(p);
}

static genair_code failed(int error, genair_status *st) {
    char text[128] = "";
    if (error == PCRE2_ERROR_NOMEMORY) return fail_memory(st);
    pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof text);
    return fail(st, GENAIR_INTERNAL, "the text could not be cut into words: PCRE2: %s", text);
}

genair_code pretokenizer_create(enum expression expression, struct pretokenizer **out,
                                genair_status *st) {
    const char *pattern = expressions[expression].pattern;
    struct pretokenizer *p = mem_zeros(1, sizeof *p);
    if (!p) return fail_memory(st);
    genair_code code = GENAIR_OK;
    pcre2_compile_context *compile = NULL;
    int error = PCRE2_ERROR_NOMEMORY;
    PCRE2_SIZE at;
    p->memory = pcre2_general_context_create(take_memory, give_memory, NULL);
    if (p->memory) compile = pcre2_compile_context_create(p->memory);
    if (compile) p->limits = pcre2_match_context_create(p->memory);
    if (p->limits)
        p->code = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern), PCRE2_UTF | PCRE2_UCP, &error,
                                &at, compile);
    pcre2_compile_context_free(compile);
    if (p->code) {
        /* the default limit of 10 million steps is less than a long run of spaces takes */
        (void)pcre2_set_match_limit(p->limits, UINT32_MAX);
        (void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* without it: slower */
        *out = p;
    } else {
        code = error == PCRE2_ERROR_HEAP_FAILED ? fail_memory(st) : failed(error, st);
        pretokenizer_free(p);
    }
    return code;
}

void pretokenizer_free(struct pretokenizer *p) {
    if (!p) return;
    pcre2_code_free(p->code);
    pcre2_match_context_free(p->limits);
    pcre2_general_context_free(p->memory);
    mem_free(p);
}

genair_code pretokenizer_split(const struct pretokenizer *p, struct text text, take_piece *take,
                               void *user, genair_status *st) {
    pcre2_match_data *found = pcre2_match_data_create(1, p->memory);
    if (!found) return fail_memory(st);
    genair_code code = GENAIR_OK;
    for (size_t at = 0; code == GENAIR_OK && at < text.n;) {
        const int n = pcre2_match(p->code, (PCRE2_SPTR)text.p, text.n, at,
                                  PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK, found, p->limits);
        if (n < 0) { /* not even "no match": the alternatives cover every character */
            code = failed(n, st);
            break;
        }
        const size_t end = pcre2_get_ovector_pointer(found)[1];
        assert(end > at);
        code = take(user, (struct text){text.p + at, end - at}, st);
        at = end;
    }
    pcre2_match_data_free(found);
    return code;
}
