/* SPDX-License-Identifier: Apache-2.0 */
#include "support/small_shop.h"

#include "genair.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USERS = 30 };

static char root[] = "/tmp/genair-shop-XXXXXX";
static char workspace[64], logs[64], items[64];

static void must(genair_code code, const genair_status *st) {
    if (code == GENAIR_OK) return;
    fprintf(stderr, "small shop: %s\n", st->message);
    abort();
}

static FILE *must_open(const char *path) {
    FILE *f = fopen(path, "w");
    if (!f) abort();
    return f;
}

static void write_inputs(void) {
    FILE *f = must_open(logs);
    fprintf(f, "user_id\titem_id\ttimestamp\n");
    for (int u = 0; u < USERS; u++)
        for (int i = 0; i < 6; i++)
            fprintf(f, "u%d\ti%d\t%d\n", u, (u * 5 + i * (1 + u % 3)) % SMALL_SHOP_ITEMS, 1500000000 + 86400 * i + u);
    fclose(f);
    f = must_open(items);
    for (int i = 0; i < SMALL_SHOP_ITEMS; i++)
        fprintf(f, "{\"item_id\": \"i%d\", \"name\": \"%s %d\", \"brand\": \"%s\", \"categories\": \"Outdoor, %s\"}\n", i,
                i % 2 ? "Tent" : "Caf\xc3\xa9", i, i % 3 ? "Acme" : "Other", i % 2 ? "Tents" : "Food");
    fclose(f);
}

typedef genair_code stage(genair_context *, const genair_options *, char **json, genair_status *);

/* Options as pairs of texts, NULL at the end. matrix: for prefill and decoding, or NULL. */
static void run(stage *does, const char *command, const float *matrix, ...) {
    genair_status st = {0};
    genair_context *ctx;
    genair_options *o;
    char *json = NULL;
    va_list pairs;
    must(genair_context_create(1, NULL, NULL, &ctx, &st), &st);
    must(genair_options_create(command, &o, &st), &st);
    must(genair_options_set(o, "workspace", workspace, &st), &st);
    va_start(pairs, matrix);
    for (const char *name; (name = va_arg(pairs, const char *));) must(genair_options_set(o, name, va_arg(pairs, const char *), &st), &st);
    va_end(pairs);
    for (int i = 0; matrix && i < 2; i++)
        must(genair_options_set_matrix(o, i ? "decoding" : "prefill", matrix, GENAIR_F32, SMALL_SHOP_ITEMS, SMALL_SHOP_WIDTH, &st), &st);
    must(does(ctx, o, &json, &st), &st);
    genair_string_free(json);
    genair_options_free(o);
    genair_context_free(ctx);
}

const char *small_shop_create(const char *model) {
    float vectors[SMALL_SHOP_ITEMS * SMALL_SHOP_WIDTH];
    for (int i = 0; i < SMALL_SHOP_ITEMS * SMALL_SHOP_WIDTH; i++) vectors[i] = (float)(i * 7 % 11) / 8 - 0.5f;
    if (!mkdtemp(root)) abort();
    snprintf(workspace, sizeof workspace, "%s/ws", root);
    snprintf(logs, sizeof logs, "%s/log.tsv", root);
    snprintf(items, sizeof items, "%s/items.jsonl", root);
    write_inputs();
    run(genair_prepare, "prepare", NULL, "interactions", logs, "items", items, "user-core", "1", "item-core", "1", NULL);
    if (model)
        run(genair_archetype, "archetype", NULL, "model", model, "max-new-tokens", "2", NULL);
    else
        run(genair_embed, "embed", vectors, NULL);
    run(genair_fuse, "fuse", NULL, "components", "3", NULL);
    run(genair_train, "train", NULL, "run", "one", "hidden", "8", "heads", "1", "max-len", "8", "epochs", "1", "batch", "16", NULL);
    return workspace;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    return remove(path);
}

void small_shop_remove(void) {
    nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
