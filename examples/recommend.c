/* SPDX-License-Identifier: Apache-2.0 */
/* The library from outside: recommendations for a history, as JSON.
 *
 *     make install && ldconfig      (as root)
 *     cc recommend.c $(pkg-config --cflags --libs genair) -o recommend
 *     ./recommend ws-demo genair trail-tent-3 camp-stove-1
 *
 * For many requests open the run once: genair_recommender_open.
 */
#include <genair.h>

#include <stdio.h>

static int report(const genair_status *st) {
    char text[2048];
    genair_status_text(st, text, sizeof text);
    fprintf(stderr, "%s\n", text);
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: recommend WORKSPACE RUN ITEM...\n");
        return 2;
    }
    genair_status st = {0};
    genair_context *ctx = NULL;
    genair_options *o = NULL;
    char *json = NULL;
    genair_code code = genair_context_create(1, NULL, NULL, &ctx, &st);
    if (code == GENAIR_OK) code = genair_options_create("recommend", &o, &st);
    if (code == GENAIR_OK) code = genair_options_set(o, "workspace", argv[1], &st);
    if (code == GENAIR_OK) code = genair_options_set(o, "run", argv[2], &st);
    for (int i = 3; i < argc && code == GENAIR_OK; i++) code = genair_options_set(o, "history", argv[i], &st);
    if (code == GENAIR_OK) code = genair_recommend(ctx, o, &json, &st);
    const int status = code == GENAIR_OK ? 0 : report(&st);
    if (json) puts(json);
    genair_string_free(json);
    genair_options_free(o);
    genair_context_free(ctx);
    return status;
}
