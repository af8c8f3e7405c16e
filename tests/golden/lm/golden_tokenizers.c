/* SPDX-License-Identifier: Apache-2.0 */
/* The published tokenizers: every case from every form of files that a set has. A form is laid out
 * in a directory of its own, with links to the set's files. */
#include "golden/lm/golden_lm.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/input.h"
#include "golden/lm/ids.h"
#include "lm/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utf8proc.h>

enum { LINE_MAX_BYTES = 1 << 20, PATH_BYTES = 4096 };

struct form {
    struct golden_lm *g;
    const char *set;   /* the set's directory */
    const char *label; /* "tokenizer.json" */
    char directory[64];
    const struct tokenizer *t;
};

typedef genair_code encode_function(const struct tokenizer *t, struct text text, struct tokens *out,
                                    genair_status *st);

/* Whether they are the expected ones; if not, message says what is. */
static bool check_ids(const struct tokenizer *t, encode_function *encode, struct text text,
                      const json_t *expected, char message[IDS_MESSAGE]) {
    struct tokens found = {0};
    snprintf(message, IDS_MESSAGE, " cannot be had");
    const bool good =
        encode(t, text, &found, NULL) == GENAIR_OK && ids_equal(expected, &found, message);
    tokens_free(&found);
    return good;
}

/* What decoding must give back. */
static struct text expected_text(const char *family, struct text text, char **owned) {
    *owned = NULL;
    if (strcmp(family, "qwen2") == 0) {
        utf8proc_uint8_t *nfc = NULL;
        const utf8proc_ssize_t n =
            utf8proc_map((const utf8proc_uint8_t *)text.p, (utf8proc_ssize_t)text.n, &nfc,
                         UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        *owned = (char *)nfc;
        return (struct text){*owned, n > 0 ? (size_t)n : 0};
    }
    if (strcmp(family, "llama2") == 0 && text.n) {
        char *copy = *owned = malloc(text.n);
        size_t n = 0;
        for (size_t i = 0; copy && i < text.n; i++) {
            const bool mark = text.n - i >= 3 && memcmp(text.p + i, "\xE2\x96\x81", 3) == 0;
            copy[n++] = mark ? ' ' : text.p[i];
            i += mark ? 2 : 0;
        }
        return (struct text){copy, copy ? n : 0};
    }
    return text;
}

static bool check_decode(const struct tokenizer *t, const char *family, const json_t *ids,
                         struct text text, char *message, size_t size) {
    struct tokens tokens = {0};
    char *found = NULL, *owned = NULL;
    size_t i, n_found = 0;
    json_t *id;
    bool good = true;
    json_array_foreach(ids, i, id) good =
        good && tokens_push(&tokens, (uint32_t)json_integer_value(id), NULL) == GENAIR_OK;
    const struct text expected = expected_text(family, text, &owned);
    good = good &&
           tokenizer_decode(t, tokens.ids, tokens.n, true, &found, &n_found, NULL) == GENAIR_OK;
    if (good && (n_found != expected.n || (n_found && memcmp(found, expected.p, n_found) != 0))) {
        char excerpt[TEXT_EXCERPT];
        text_excerpt((struct text){found, n_found}, excerpt);
        snprintf(message, size, "decoding gives \"%s\"", excerpt);
        good = false;
    }
    mem_free(found);
    free(owned);
    tokens_free(&tokens);
    return good;
}

static const char *family_of(const struct form *f) {
    const char *slash = strrchr(f->set, '/');
    return slash ? slash + 1 : f->set;
}

static void verdict(const struct form *f, bool good, const char *what, long long n,
                    const char *message) {
    char name[256];
    snprintf(name, sizeof name, "%s: %s %lld", f->label, what, n);
    if (good)
        golden_lm_pass(f->g);
    else
        golden_lm_fail(f->g, name, "%s", message);
}

/* ---- the files of cases ---- */

typedef void check_line(const struct form *f, const json_t *line);

static void check_case(const struct form *f, const json_t *line) {
    char difference[IDS_MESSAGE], message[256] = "";
    const struct text text = ids_text(line, "text");
    const json_t *ids = json_object_get(line, "ids"),
                 *special = json_object_get(line, "ids_special");
    bool good = check_ids(f->t, tokenizer_encode, text, ids, difference);
    snprintf(message, sizeof message, "ids%s", difference);
    if (good) {
        good = check_ids(f->t, tokenizer_encode_special, text, special ? special : ids, difference);
        snprintf(message, sizeof message, "ids_special%s", difference);
    }
    if (good) good = check_decode(f->t, family_of(f), ids, text, message, sizeof message);
    verdict(f, good, "case", json_integer_value(json_object_get(line, "n")), message);
}

static void check_invalid(const struct form *f, const json_t *line) {
    char difference[IDS_MESSAGE] = "", message[256], bytes[256];
    const struct text hex = ids_text(line, "hex");
    size_t n = 0;
    for (; 2 * n + 1 < hex.n && n < sizeof bytes; n++)
        bytes[n] = (char)(text_hex_digit(hex.p[2 * n]) * 16 + text_hex_digit(hex.p[2 * n + 1]));
    const bool good = check_ids(f->t, tokenizer_encode, (struct text){bytes, n},
                                json_object_get(line, "ids_replaced"), difference);
    snprintf(message, sizeof message, "ids_replaced%s", difference);
    verdict(f, good, "invalid UTF-8", json_integer_value(json_object_get(line, "n")), message);
}

static void check_lines(const struct form *f, const char *name, check_line *check) {
    char *path = path_join(f->set, name);
    struct input *in = NULL;
    struct text line;
    bool more = true;
    genair_status st = {0};
    genair_code code = input_open(path, LINE_MAX_BYTES, &in, &st);
    while (code == GENAIR_OK && (code = input_line(in, &line, &more, &st)) == GENAIR_OK && more) {
        json_t *value = json_loadb(line.p, line.n, JSON_ALLOW_NUL, NULL);
        if (value)
            check(f, value);
        else
            verdict(f, false, name, input_line_number(in), "the line is not JSON");
        json_decref(value);
    }
    if (code != GENAIR_OK) verdict(f, false, name, 0, st.message);
    input_close(in);
    mem_free(path);
}

/* ---- chat ---- */

/* The directory's tokenizer with a template that holds more, as later versions of the model have
 * it. */
static struct tokenizer *with_template(const struct form *f, const char *more) {
    char *from = path_join(f->set, "tokenizer_config.json"),
         *to = path_join(f->directory, "tokenizer_config.json");
    json_t *config = json_load_file(from, 0, NULL);
    const struct text old = ids_text(config, "chat_template");
    struct tokenizer *t = NULL;
    genair_status st = {0};
    json_object_set_new(config, "chat_template",
                        json_sprintf("%s%.*s", more, (int)old.n, old.p ? old.p : ""));
    unlink(to);
    if (json_dump_file(config, to, 0) != 0 ||
        tokenizer_open_directory(f->directory, 0, &t, &st) != GENAIR_OK)
        verdict(f, false, "with another template", 0, st.message);
    json_decref(config);
    mem_free(from);
    mem_free(to);
    return t;
}

static struct tokenizer *tokenizer_for(const struct form *f, const json_t *exchange) {
    const struct text system = ids_text(exchange, "default_system");
    if (strstr(ids_text(exchange, "text").p, "Cutting Knowledge Date"))
        return with_template(f, "{% set d = 'Cutting Knowledge Date: December 2023\\n' %}");
    if (!system.p) return NULL;
    char more[512];
    snprintf(more, sizeof more, "{{ '<|im_start|>system\\n%.*s<|im_end|>\\n' }}", (int)system.n,
             system.p);
    return with_template(f, more);
}

static void check_exchange(const struct form *f, const json_t *exchange, size_t i) {
    struct tokenizer *other = tokenizer_for(f, exchange);
    const struct tokenizer *t = other ? other : f->t;
    struct tokens found = {0};
    genair_status st = {0};
    char difference[IDS_MESSAGE] = "";
    const bool good = chat_encode(t, tokenizer_chat_format(t), ids_text(exchange, "system"),
                                  ids_text(exchange, "user"), &found, &st) == GENAIR_OK &&
                      ids_equal(json_object_get(exchange, "ids"), &found, difference);
    verdict(f, good, "exchange", (long long)i, st.code != GENAIR_OK ? st.message : difference);
    tokens_free(&found);
    tokenizer_free(other);
}

static void check_chat(const struct form *f) {
    char *path = path_join(f->set, "chat.json");
    json_t *chat = json_load_file(path, 0, NULL), *exchange;
    size_t i;
    if (!json_array_size(json_object_get(chat, "exchanges")))
        verdict(f, false, "chat.json", 0, "it holds no exchanges");
    json_array_foreach(json_object_get(chat, "exchanges"), i, exchange)
        check_exchange(f, exchange, i);
    json_decref(chat);
    mem_free(path);
}

/* ---- forms ---- */

static bool lay_out(const struct form *f, const char *name) {
    char *from = path_join(f->set, name), *to = path_join(f->directory, name),
         *real = realpath(from, NULL);
    const size_t n = strlen(name);
    bool good;
    if (n > 3 && strcmp(name + n - 3, ".xz") == 0) {
        char command[2 * PATH_BYTES];
        to[strlen(to) - 3] = '\0';
        snprintf(command, sizeof command, "xz -dc '%s' > '%s'", from, to);
        good = system(command) == 0;
    } else {
        good = real && symlink(real, to) == 0;
    }
    if (!good) verdict(f, false, name, 0, "cannot be laid out");
    free(real);
    mem_free(from);
    mem_free(to);
    return good;
}

static void check_form(struct form *f, const char *const *files) {
    struct tokenizer *t = NULL;
    genair_status st = {0};
    strcpy(f->directory, "/tmp/golden-lm-XXXXXX");
    if (!mkdtemp(f->directory)) {
        verdict(f, false, "form", 0, "no temporary directory");
        return;
    }
    bool good = lay_out(f, "tokenizer_config.json");
    for (; *files && good; files++)
        good = lay_out(f, *files);
    if (good && tokenizer_open_directory(f->directory, 0, &t, &st) == GENAIR_OK) {
        f->t = t;
        check_lines(f, "cases.jsonl", check_case);
        check_lines(f, "invalid_utf8.jsonl", check_invalid);
        check_chat(f);
    } else if (good) {
        verdict(f, false, "opening", 0, st.message);
    }
    tokenizer_free(t);
    (void)!directory_remove(f->directory, NULL);
}

void golden_tokenizers(struct golden_lm *g, const char *set) {
    static const char *const forms[][3] = {{"tokenizer.model"},
                                           {"tokenizer.json.xz"},
                                           {"tokenizer.json"},
                                           {"vocab.json", "merges.txt"}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct form f = {.g = g, .set = set, .label = forms[i][0]};
        char *path = path_join(set, forms[i][0]);
        if (file_exists(path)) check_form(&f, forms[i]);
        mem_free(path);
    }
}
