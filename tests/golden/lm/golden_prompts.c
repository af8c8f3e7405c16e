/* SPDX-License-Identifier: Apache-2.0 */
/* The tokenizers inside models: each file's must give the ids of the model's prompts. */
#include "golden/lm/golden_lm.h"

#include "base/alloc.h"
#include "base/files.h"
#include "golden/lm/ids.h"
#include "lm/tokenizer.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 600 };

/* As a run would: the chat format around system and user, or begin token and text. */
static genair_code encode_prompt(const struct tokenizer *t, const json_t *prompt,
                                 struct tokens *out, genair_status *st) {
    const struct text user = ids_text(prompt, "user");
    uint32_t begin;
    if (user.p)
        return chat_encode(t, tokenizer_chat_format(t), ids_text(prompt, "system"), user, out, st);
    const genair_code code = tokenizer_begin(t, &begin) ? tokens_push(out, begin, st) : GENAIR_OK;
    return code == GENAIR_OK ? tokenizer_encode(t, ids_text(prompt, "text"), out, st) : code;
}

static void check_prompts(struct golden_lm *g, const char *file, const struct tokenizer *t,
                          const json_t *prompts) {
    size_t i;
    json_t *prompt;
    json_array_foreach(prompts, i, prompt) {
        char name[NAME_BYTES + 32], difference[IDS_MESSAGE];
        struct tokens found = {0};
        genair_status st = {0};
        snprintf(name, sizeof name, "%.600s prompt %zu", file, i);
        if (golden_lm_ok(g, name, encode_prompt(t, prompt, &found, &st), &st)) {
            if (ids_equal(json_object_get(prompt, "ids"), &found, difference))
                golden_lm_pass(g);
            else
                golden_lm_fail(g, name, "ids%s", difference);
        }
        tokens_free(&found);
    }
}

static genair_code open_gguf(const char *path, size_t n_vocabulary, struct tokenizer **out,
                             genair_status *st) {
    struct gguf *file = NULL;
    genair_code code = gguf_open(path, &file, st);
    if (code == GENAIR_OK) code = tokenizer_open_gguf(file, n_vocabulary, out, st);
    gguf_close(file);
    return code;
}

static void check_file(struct golden_lm *g, const char *directory, const char *name,
                       const json_t *model) {
    const size_t n_vocabulary = (size_t)json_integer_value(json_object_get(model, "vocab"));
    char *path = path_join(directory, name);
    struct tokenizer *t = NULL;
    genair_status st = {0};
    const bool gguf = strstr(name, ".gguf") != NULL;
    if (golden_lm_ok(g, name,
                     (gguf ? open_gguf : tokenizer_open_directory)(path, n_vocabulary, &t, &st),
                     &st))
        check_prompts(g, name, t, json_object_get(model, "prompts"));
    tokenizer_free(t);
    mem_free(path);
}

/* Entries of directory that begin with start; each is named below prefix. */
static size_t check_entries(struct golden_lm *g, const char *directory, const char *prefix,
                            const char *start, const json_t *model) {
    struct dirent **entries = NULL;
    char *path = path_join(directory, prefix);
    const int n = scandir(path, &entries, NULL, alphasort);
    size_t checked = 0;
    for (int i = 0; i < n; i++) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "%s/%s", prefix, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' &&
            strncmp(entries[i]->d_name, start, strlen(start)) == 0) {
            check_file(g, directory, name, model);
            checked++;
        }
        free(entries[i]); /* scandir's */
    }
    free(entries);
    mem_free(path);
    return checked;
}

void golden_prompts(struct golden_lm *g, const char *directory) {
    json_t *model = golden_lm_json(g, directory, "prompts.json", "prompts.json");
    if (model && check_entries(g, directory, ".", "hf-", model) +
                         check_entries(g, directory, "gguf", "", model) ==
                     0)
        golden_lm_fail(g, "prompts.json", "there are no models beside it");
    json_decref(model);
}
