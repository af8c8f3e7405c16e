/* SPDX-License-Identifier: Apache-2.0 */
/* The chat formats. Templates are programs of another language, which we do not run: their text
 * tells the family, and we write what the family's published template writes. Text between special
 * tokens is encoded in one stretch. */
#include "lm/tokenizer_parts.h"

#include "base/alloc.h"
#include "base/size.h"
#include "lm/unicode.h"

#include <assert.h>
#include <string.h>

const char *const chat_format_names[N_CHAT_FORMATS] = {"none", "llama2", "llama3", "chatml"};

/* ---- which ---- */

static const char *find(struct text text, const char *what) {
    return text.n ? memmem(text.p, text.n, what, strlen(what)) : NULL;
}

static bool has_tokens(const struct tokenizer *t, const char *a, const char *b) {
    uint32_t id;
    return vocabulary_added(&t->vocabulary, text_of(a), &id) &&
           vocabulary_added(&t->vocabulary, text_of(b), &id);
}

static enum chat_format format_of(const struct tokenizer *t, struct text template) {
    if (!template.p) {
        if (has_tokens(t, "<|start_header_id|>", "<|eot_id|>")) return CHAT_LLAMA3;
        return has_tokens(t, "<|im_start|>", "<|im_end|>") ? CHAT_CHATML : CHAT_NONE;
    }
    if (find(template, "<|start_header_id|>")) return CHAT_LLAMA3;
    if (find(template, "<|im_start|>")) return CHAT_CHATML;
    return find(template, "[INST]") && find(template, "<<SYS>>") ? CHAT_LLAMA2 : CHAT_NONE;
}

/* The system message that a template of the Qwen models writes where none is given: plain text
 * between the marks. */
static struct text default_system(struct text template) {
    static const char head[] = "<|im_start|>system", tail[] = "<|im_end|>";
    for (const char *p; (p = find(template, head));) {
        p += strlen(head);
        template = (struct text){p, template.n - (size_t)(p - template.p)};
        struct text after = template;
        if (after.n && after.p[0] == '\n')
            after = (struct text){p + 1, after.n - 1};
        else if (after.n > 1 && memcmp(after.p, "\\n", 2) == 0)
            after = (struct text){p + 2, after.n - 2};
        else
            continue;
        const char *end = find(after, tail);
        const struct text system = {after.p, end ? (size_t)(end - after.p) : 0};
        bool plain = true;
        for (size_t i = 0; i < system.n; i++)
            plain = plain && !strchr("'\"{}\\", system.p[i]);
        if (system.n && plain) return system;
    }
    return (struct text){0};
}

genair_code chat_recognise(struct tokenizer *t, struct text template, genair_status *st) {
    t->chat = format_of(t, template);
    t->chat_unknown = template.n && t->chat == CHAT_NONE;
    t->chat_dates = t->chat == CHAT_LLAMA3 && find(template, "Cutting Knowledge Date");
    const struct text system = t->chat == CHAT_CHATML ? default_system(template) : (struct text){0};
    mem_free(t->chat_system);
    t->chat_system = NULL;
    if (system.p && !(t->chat_system = mem_text(system.p, system.n))) return fail_memory(st);
    return GENAIR_OK;
}

enum chat_format tokenizer_chat_format(const struct tokenizer *t) {
    return t->chat;
}

bool tokenizer_chat_unknown(const struct tokenizer *t) {
    return t->chat_unknown;
}

bool chat_format_named(const char *name, enum chat_format *out) {
    for (int f = 0; f < N_CHAT_FORMATS; f++) {
        if (strcmp(name, chat_format_names[f]) != 0) continue;
        *out = (enum chat_format)f;
        return true;
    }
    return false;
}

size_t chat_ends(const struct tokenizer *t, enum chat_format format, uint32_t ids[CHAT_ENDS]) {
    static const char *const names[N_CHAT_FORMATS][CHAT_ENDS] = {[CHAT_LLAMA3] = {"<|eot_id|>", "<|eom_id|>"},
                                                                 [CHAT_CHATML] = {"<|im_end|>"}};
    size_t n = 0;
    for (size_t i = 0; i < CHAT_ENDS && names[format][i]; i++)
        n += vocabulary_added(&t->vocabulary, text_of(names[format][i]), &ids[n]);
    return n;
}

/* ---- writing ---- */

/* Text is gathered until the next special token; the first failure sticks. */
struct script {
    const struct tokenizer *t;
    struct tokens *out;
    genair_status *st;
    genair_code code;
    char *text;
    size_t n, capacity;
};

static void say(struct script *s, struct text text) {
    size_t end;
    if (s->code != GENAIR_OK || !text.n) return;
    if (!add_size(s->n, text.n, &end) || !mem_grow(&s->text, &s->capacity, end, 1)) {
        s->code = fail_memory(s->st);
        return;
    }
    memcpy(s->text + s->n, text.p, text.n);
    s->n = end;
}

static void flush(struct script *s) {
    if (s->code == GENAIR_OK && s->n)
        s->code = tokenizer_encode(s->t, (struct text){s->text, s->n}, s->out, s->st);
    s->n = 0;
}

static void put(struct script *s, const char *name) {
    uint32_t id;
    flush(s);
    if (s->code != GENAIR_OK) return;
    if (vocabulary_added(&s->t->vocabulary, text_of(name), &id))
        s->code = tokens_push(s->out, id, s->st);
    else
        s->code =
            fail(s->st, GENAIR_USAGE,
                 "the chat format needs the token \"%s\", which the model has not: choose another with "
                 "--chat-format", name);
}

static void llama2(struct script *s, struct text system, struct text user) {
    say(s, text_of("[INST] "));
    const size_t from = s->n;
    if (system.p) {
        say(s, text_of("<<SYS>>\n"));
        say(s, system);
        say(s, text_of("\n<</SYS>>\n\n"));
    }
    say(s, user);
    if (s->code != GENAIR_OK) return;
    const struct text trimmed = unicode_trim((struct text){s->text + from, s->n - from});
    memmove(s->text + from, trimmed.p, trimmed.n);
    s->n = from + trimmed.n;
    say(s, text_of(" [/INST]"));
}

static void llama3_header(struct script *s, const char *role) {
    put(s, "<|start_header_id|>");
    say(s, text_of(role));
    put(s, "<|end_header_id|>");
    say(s, text_of("\n\n"));
}

static void llama3(struct script *s, struct text system, struct text user) {
    if (system.p || s->t->chat_dates) {
        llama3_header(s, "system");
        /* the template's own date: an answer must not depend on the day */
        if (s->t->chat_dates)
            say(s, text_of("Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"));
        say(s, unicode_trim(system));
        put(s, "<|eot_id|>");
    }
    llama3_header(s, "user");
    say(s, unicode_trim(user));
    put(s, "<|eot_id|>");
    llama3_header(s, "assistant");
}

static void chatml_message(struct script *s, const char *head, struct text text) {
    put(s, "<|im_start|>");
    say(s, text_of(head));
    say(s, text);
    put(s, "<|im_end|>");
    say(s, text_of("\n"));
}

static void chatml(struct script *s, struct text system, struct text user) {
    if (!system.p && s->t->chat_system) system = text_of(s->t->chat_system);
    if (system.p) chatml_message(s, "system\n", system);
    chatml_message(s, "user\n", user);
    put(s, "<|im_start|>");
    say(s, text_of("assistant\n"));
}

static void plain(struct script *s, struct text system, struct text user) {
    say(s, system);
    if (system.p) say(s, text_of("\n"));
    say(s, user);
}

genair_code chat_encode(const struct tokenizer *t, enum chat_format format, struct text system,
                        struct text user, struct tokens *out, genair_status *st) {
    static void (*const writers[N_CHAT_FORMATS])(struct script *, struct text,
                                                 struct text) = {[CHAT_NONE] = plain,
                                                                 [CHAT_LLAMA2] = llama2,
                                                                 [CHAT_LLAMA3] = llama3,
                                                                 [CHAT_CHATML] = chatml};
    const size_t had = out->n;
    struct script s = {.t = t, .out = out, .st = st};
    uint32_t begin;
    assert(format < N_CHAT_FORMATS);
    if (tokenizer_begin(t, &begin)) s.code = tokens_push(out, begin, st);
    writers[format](&s, system, user);
    flush(&s);
    mem_free(s.text);
    if (s.code != GENAIR_OK) out->n = had;
    return s.code;
}
