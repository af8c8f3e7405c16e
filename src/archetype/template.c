/* SPDX-License-Identifier: Apache-2.0 */
#include "archetype/template.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/size.h"

#include <assert.h>
#include <string.h>

const char template_builtin[] =
    "You are a helpful recommendation expert. Based on the following attributes, identify the types "
    "of users this <noun> would appeal to: The <noun> name is <item_name>. The <noun> brand is "
    "<item_brand>. The <noun> date is <item_date>. The <noun> feature is <item_feature>. The <noun> "
    "price is <item_price>. The <noun> rating is <item_rating>. The <noun> description is "
    "<item_description>. The <noun> <attribute> is <value>. What potential users align best with "
    "this <noun>?\n";

enum { MAX_BYTES = 1 << 20 };

enum piece_kind { PLAIN, NOUN, NAMED, OTHER_NAME, OTHER_VALUE };

struct piece {
    enum piece_kind kind;
    struct text text; /* of PLAIN; the attribute's name of NAMED */
};

struct sentence {
    size_t first, n_pieces;
    size_t n_breaks; /* line ends before it */
    bool others;     /* once for each attribute that is not named */
};

struct template {
    char *source;
    struct piece *pieces;
    size_t n_pieces, piece_capacity;
    struct sentence *sentences;
    size_t n_sentences, sentence_capacity;
    struct text *names;
    size_t n_names, name_capacity;
    bool others;
};

void template_free(struct template *t) {
    if (!t) return;
    mem_free(t->source);
    mem_free(t->pieces);
    mem_free(t->sentences);
    mem_free(t->names);
    mem_free(t);
}

const struct text *template_attributes(const struct template *t, size_t *n) {
    *n = t->n_names;
    return t->names;
}

bool template_takes_others(const struct template *t) {
    return t->others;
}

/* ---- parsing ---- */

struct parser {
    struct template *t;
    const char *path;
    const char *p, *end;
    const char *plain; /* where the plain text that was not stored yet begins */
    genair_status *st;
};

static int64_t line_of(const struct parser *r, const char *at) {
    int64_t line = 1;
    for (const char *p = r->t->source; p < at; p++)
        line += *p == '\n';
    return line;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static genair_code add_piece(struct parser *r, enum piece_kind kind, struct text text) {
    struct template *t = r->t;
    if (!mem_grow(&t->pieces, &t->piece_capacity, t->n_pieces + 1, sizeof *t->pieces))
        return fail_memory(r->st);
    t->pieces[t->n_pieces++] = (struct piece){kind, text};
    t->sentences[t->n_sentences - 1].n_pieces++;
    return GENAIR_OK;
}

static genair_code flush_plain(struct parser *r, const char *stop) {
    const struct text text = {r->plain, (size_t)(stop - r->plain)};
    return text.n ? add_piece(r, PLAIN, text) : GENAIR_OK;
}

static genair_code add_name(struct parser *r, struct text name) {
    struct template *t = r->t;
    for (size_t i = 0; i < t->n_names; i++)
        if (t->names[i].n == name.n && memcmp(t->names[i].p, name.p, name.n) == 0) return GENAIR_OK;
    if (!mem_grow(&t->names, &t->name_capacity, t->n_names + 1, sizeof *t->names))
        return fail_memory(r->st);
    t->names[t->n_names++] = name;
    return GENAIR_OK;
}

static const struct placeholder {
    const char *text;
    enum piece_kind kind;
} placeholders[] = {{"<noun>", NOUN}, {"<attribute>", OTHER_NAME}, {"<value>", OTHER_VALUE}};
static const char named_begin[] = "<item_";

static bool starts(const struct parser *r, const char *with) {
    const size_t n = strlen(with);
    return (size_t)(r->end - r->p) >= n && memcmp(r->p, with, n) == 0;
}

static genair_code read_named(struct parser *r) {
    const char *name = r->p + strlen(named_begin), *stop = name;
    while (stop < r->end && *stop != '>' && *stop != '<' && *stop != '\n')
        stop++;
    const struct text text = {name, (size_t)(stop - name)};
    if (stop == r->end || *stop != '>' || !text.n) {
        char shown[TEXT_EXCERPT];
        text_excerpt((struct text){r->p, (size_t)(stop - r->p)}, shown);
        return fail_line(r->st, GENAIR_FORMAT, r->path, line_of(r, r->p),
                         "'%s' is no placeholder: expected the name of an attribute and '>', as in "
                         "<item_name>",
                         shown);
    }
    genair_code code = flush_plain(r, r->p);
    if (code == GENAIR_OK) code = add_name(r, text);
    if (code == GENAIR_OK) code = add_piece(r, NAMED, text);
    r->p = r->plain = stop + 1;
    return code;
}

/* At a '<': a placeholder, or a character like any other. */
static genair_code read_placeholder(struct parser *r) {
    if (starts(r, named_begin)) return read_named(r);
    for (size_t i = 0; i < COUNT(placeholders); i++) {
        if (!starts(r, placeholders[i].text)) continue;
        genair_code code = flush_plain(r, r->p);
        if (code == GENAIR_OK) code = add_piece(r, placeholders[i].kind, (struct text){0});
        r->p += strlen(placeholders[i].text);
        r->plain = r->p;
        if (placeholders[i].kind != NOUN)
            r->t->others = r->t->sentences[r->t->n_sentences - 1].others = true;
        return code;
    }
    r->p++;
    return GENAIR_OK;
}

/* Whether a sentence ends behind the character at p. */
static bool ends_sentence(const struct parser *r, const char *p) {
    const char *next = p + 1;
    if (*p == ':') {
        while (next < r->end && *next == ' ')
            next++;
        return next > p + 1 && next < r->end && *next >= 'A' && *next <= 'Z';
    }
    if (*p != '.' && *p != '!' && *p != '?') return false;
    while (next < r->end && (*next == '"' || *next == '\'' || *next == ')'))
        next++;
    return next == r->end || is_space(*next);
}

/* From its first character, white space passed over, to its last. */
static genair_code read_sentence(struct parser *r, size_t n_breaks) {
    struct template *t = r->t;
    if (!mem_grow(&t->sentences, &t->sentence_capacity, t->n_sentences + 1, sizeof *t->sentences))
        return fail_memory(r->st);
    t->sentences[t->n_sentences++] = (struct sentence){.first = t->n_pieces, .n_breaks = n_breaks};
    r->plain = r->p;
    genair_code code = GENAIR_OK;
    while (code == GENAIR_OK && r->p < r->end && *r->p != '\n') {
        if (*r->p == '<') {
            code = read_placeholder(r);
        } else if (ends_sentence(r, r->p)) {
            r->p++;
            while (r->p < r->end && !is_space(*r->p))
                r->p++; /* the closing quote */
            break;
        } else {
            r->p++;
        }
    }
    const char *stop = r->p;
    while (stop > r->plain && is_space(stop[-1]))
        stop--;
    return code == GENAIR_OK ? flush_plain(r, stop) : code;
}

static genair_code read_sentences(struct parser *r) {
    genair_code code = GENAIR_OK;
    while (code == GENAIR_OK) {
        size_t n_breaks = 0;
        for (; r->p < r->end && is_space(*r->p); r->p++)
            n_breaks += *r->p == '\n';
        if (r->p == r->end) break;
        code = read_sentence(r, n_breaks);
    }
    return code;
}

static genair_code check_text(struct text source, const char *path, genair_status *st) {
    const size_t valid = text_utf8_prefix(source);
    if (valid < source.n)
        return fail_offset(st, GENAIR_FORMAT, path, (int64_t)valid,
                           "a template is text in UTF-8; this byte is none");
    const void *zero = source.n ? memchr(source.p, '\0', source.n) : NULL;
    if (zero)
        return fail_offset(st, GENAIR_FORMAT, path, (const char *)zero - source.p,
                           "a zero byte: this is not a text file");
    return GENAIR_OK;
}

genair_code template_parse(struct text source, const char *path, struct template **out,
                           genair_status *st) {
    genair_code code = check_text(source, path, st);
    if (code != GENAIR_OK) return code;
    struct template *t = mem_zeros(1, sizeof *t);
    if (t) t->source = mem_text(source.p, source.n);
    if (!t || !t->source) {
        template_free(t);
        return fail_memory(st);
    }
    struct parser r = {t, path, t->source, t->source + source.n, t->source, st};
    if (starts(&r, "\xEF\xBB\xBF")) r.p += 3; /* byte order mark */
    code = read_sentences(&r);
    if (code == GENAIR_OK && !t->n_names && !t->others)
        code = fail_line(st, GENAIR_FORMAT, path, 0,
                         "the template names no attribute, so all items would get the same prompt; "
                         "write <item_name> where the name is to stand");
    if (code == GENAIR_OK)
        *out = t;
    else
        template_free(t);
    return code;
}

genair_code template_open(const char *path, char hash[33], struct template **out, genair_status *st) {
    struct text source = text_of(template_builtin);
    char *data = NULL;
    genair_code code = GENAIR_OK;
    if (path) code = file_read(path, MAX_BYTES, &data, &source.n, st);
    if (code != GENAIR_OK) return code;
    if (path) source.p = data;
    hash_bytes(source.p, source.n, hash);
    code = template_parse(source, path ? path : "the built-in template", out, st);
    mem_free(data);
    return code;
}

/* ---- rendering ---- */

struct render {
    const struct template *t;
    json_t *record;
    const struct prompt_style *style;
    struct prompt *out;
};

void prompt_deinit(struct prompt *p) {
    mem_free(p->text);
    *p = (struct prompt){0};
}

static bool put(struct prompt *p, struct text t) {
    if (!t.n) return true;
    if (!mem_grow(&p->text, &p->capacity, p->n + t.n, 1)) return false;
    memcpy(p->text + p->n, t.p, t.n);
    p->n += t.n;
    return true;
}

/* Empty when the item lacks it. */
static struct text value_text(const struct render *r, const json_t *value) {
    if (!json_is_string(value)) return (struct text){"", 0};
    const struct text text = {json_string_value(value), json_string_length(value)};
    return text_characters(text_trim(text), r->style->characters);
}

static struct text named_value(const struct render *r, struct text name) {
    return value_text(r, json_object_getn(r->record, name.p, name.n));
}

/* Identifiers read as words: also_bought, "also bought". */
static bool put_words(struct prompt *p, struct text name) {
    const size_t begin = p->n;
    if (!put(p, name)) return false;
    for (size_t i = begin; i < p->n; i++)
        if (p->text[i] == '_') p->text[i] = ' ';
    return true;
}

static bool is_complete(const struct render *r, const struct sentence *s) {
    for (size_t i = s->first; i < s->first + s->n_pieces; i++)
        if (r->t->pieces[i].kind == NAMED && !named_value(r, r->t->pieces[i].text).n) return false;
    return true;
}

static bool put_piece(const struct render *r, const struct piece *piece, struct text name,
                      struct text value) {
    switch (piece->kind) {
    case PLAIN:
        return put(r->out, piece->text);
    case NOUN:
        return put(r->out, text_of(r->style->noun));
    case NAMED:
        r->out->n_attributes++;
        return put(r->out, named_value(r, piece->text));
    case OTHER_NAME:
        return put_words(r->out, name);
    case OTHER_VALUE:
        return put(r->out, value);
    }
    return false;
}

/* *n_breaks: line ends to set before it, those of sentences left out included. */
static bool put_sentence(const struct render *r, const struct sentence *s, size_t *n_breaks,
                         struct text name, struct text value) {
    if (r->out->n && !*n_breaks && !put(r->out, text_of(" "))) return false;
    for (; r->out->n && *n_breaks; --*n_breaks)
        if (!put(r->out, text_of("\n"))) return false;
    *n_breaks = 0;
    for (size_t i = s->first; i < s->first + s->n_pieces; i++)
        if (!put_piece(r, &r->t->pieces[i], name, value)) return false;
    return true;
}

static bool is_named(const struct template *t, struct text name) {
    for (size_t i = 0; i < t->n_names; i++)
        if (t->names[i].n == name.n && memcmp(t->names[i].p, name.p, name.n) == 0) return true;
    return false;
}

static bool is_attribute(struct text name) {
    return text_trim(name).n && !text_equal(name, "item_id");
}

/* One that begins a line does so every time. */
static bool put_others(const struct render *r, const struct sentence *s, size_t *n_breaks) {
    const char *key;
    size_t key_n;
    json_t *text;
    json_object_keylen_foreach(r->record, key, key_n, text) {
        const struct text name = {key, key_n}, value = value_text(r, text);
        if (!value.n || !is_attribute(name) || is_named(r->t, name)) continue;
        if (!put_sentence(r, s, n_breaks, name, value)) return false;
        *n_breaks = s->n_breaks ? 1 : 0;
        r->out->n_attributes++;
    }
    return true;
}

static bool is_fixed(const struct template *t, const struct sentence *s) {
    if (s->others) return false;
    for (size_t i = s->first; i < s->first + s->n_pieces; i++)
        if (t->pieces[i].kind == NAMED) return false;
    return true;
}

genair_code template_render(const struct template *t, json_t *record,
                            const struct prompt_style *style, struct prompt *out,
                            genair_status *st) {
    const struct render r = {t, record, style, out};
    const struct text none = {"", 0};
    size_t n_breaks = 0, last = 0;
    bool done = true;
    out->n = out->n_system = out->user_at = out->n_attributes = 0;
    for (size_t i = 0; i < t->n_sentences && done; i++) {
        const struct sentence *s = &t->sentences[i];
        const size_t before = out->n;
        n_breaks = max_size(out->n > last ? 0 : n_breaks, i ? s->n_breaks : 0);
        last = out->n;
        if (is_complete(&r, s))
            done = s->others ? put_others(&r, s, &n_breaks)
                             : put_sentence(&r, s, &n_breaks, none, none);
        if (i == 0 && is_fixed(t, s))
            out->n_system = out->n;
        else if (out->n_system && !out->user_at && out->n > before)
            out->user_at = before;
    }
    if (!done) return fail_memory(st);
    while (out->user_at < out->n && out->user_at && is_space(out->text[out->user_at]))
        out->user_at++;
    if (!out->user_at) out->n_system = 0;
    return GENAIR_OK;
}
