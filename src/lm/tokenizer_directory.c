/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the files of a tokenizer in a model's directory. Where there are several, the first of
 * tokenizer.model (the original, of which the others are conversions), tokenizer.json, vocab.json
 * with merges.txt. */
#include "lm/tokenizer_parts.h"

#include "base/alloc.h"
#include "base/files.h"

#include <string.h>

struct directory {
    char *config, *model, *json, *vocab, *merges, *template;
};

static bool directory_names(struct directory *d, const char *path) {
    d->config = path_join(path, "tokenizer_config.json");
    d->model = path_join(path, "tokenizer.model");
    d->json = path_join(path, "tokenizer.json");
    d->vocab = path_join(path, "vocab.json");
    d->merges = path_join(path, "merges.txt");
    d->template = path_join(path, "chat_template.jinja");
    return d->config && d->model && d->json && d->vocab && d->merges && d->template;
}

static void directory_deinit(struct directory *d) {
    mem_free(d->config);
    mem_free(d->model);
    mem_free(d->json);
    mem_free(d->vocab);
    mem_free(d->merges);
    mem_free(d->template);
}

/* SentencePiece's first byte is that of field 1, a line end in text; tiktoken's ranks are text. */
static genair_code read_model_file(struct tokenizer *t, const struct directory *d,
                                   const json_t *config, genair_status *st) {
    char *file = NULL;
    size_t n;
    genair_code code = file_read(d->model, TOKENIZER_FILE_MAX, &file, &n, st);
    if (code != GENAIR_OK) return code;
    if (!n)
        code = fail_offset(st, GENAIR_FORMAT, d->model, 0, "the file is empty; copy it again");
    else if (file[0] == '\n')
        code = sentencepiece_read(t, d->model, (struct text){file, n}, config, d->config, st);
    else
        code = tiktoken_read(t, d->model, config, d->config, st);
    mem_free(file);
    return code;
}

static genair_code read_files(struct tokenizer *t, const struct directory *d, const char *path,
                              const json_t *config, genair_status *st) {
    if (file_exists(d->model)) return read_model_file(t, d, config, st);
    if (file_exists(d->json)) return tokenizer_json_read(t, d->json, config, d->config, st);
    if (file_exists(d->vocab) && file_exists(d->merges))
        return vocab_merges_read(t, d->vocab, d->merges, config, d->config, st);
    return fail_offset(st, GENAIR_FORMAT, path, -1,
                       "no tokenizer in the directory: tokenizer.model, tokenizer.json, or "
                       "vocab.json with merges.txt is needed%s",
                       file_exists(d->vocab) ? "; merges.txt is missing" : "");
}

/* Newer directories keep the chat template in a file of its own, which then counts. */
static genair_code read_template(struct tokenizer *t, const struct directory *d,
                                 genair_status *st) {
    char *text = NULL;
    size_t n;
    if (!file_exists(d->template)) return GENAIR_OK;
    genair_code code = file_read(d->template, TOKENIZER_FILE_MAX, &text, &n, st);
    if (code == GENAIR_OK) code = chat_recognise(t, (struct text){text, n}, st);
    mem_free(text);
    return code;
}

genair_code tokenizer_open_directory(const char *path, size_t n_vocabulary, struct tokenizer **out,
                                     genair_status *st) {
    struct directory d = {0};
    struct tokenizer *t = NULL;
    json_t *config = NULL;
    genair_code code =
        directory_names(&d, path) ? tokenizer_create(n_vocabulary, &t, st) : fail_memory(st);
    if (code == GENAIR_OK && file_exists(d.config)) code = json_object_read(d.config, &config, st);
    if (code == GENAIR_OK) code = read_files(t, &d, path, config, st);
    if (code == GENAIR_OK) code = tokenizer_config_apply(t, config, d.config, st);
    if (code == GENAIR_OK) code = read_template(t, &d, st);
    json_decref(config);
    directory_deinit(&d);
    if (code == GENAIR_OK)
        *out = t;
    else
        tokenizer_free(t);
    return code;
}
