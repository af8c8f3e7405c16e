/* SPDX-License-Identifier: Apache-2.0 */
/* generate_log N [SEED [USERS ITEMS [ITEMS.jsonl]]]: a made-up click log of N lines on standard output, and what
 * its items are in ITEMS.jsonl, for measuring what large shops cost.
 *
 * Without USERS and ITEMS, N / 8 users and N / 60 items. The rank of a line's user is U x^1.9 and of its item I y^2.2 for
 * uniform x and y, so activity and popularity fall as powers of the rank, with a few users of
 * thousands of clicks and most of a few, as in public review logs. Seven of ten clicks stay among
 * the 1/64 of the items that are the user's taste, one of eight kinds for one of eight audiences, which its text tells.
 * Lines are in no order; times spread over ten years, later ones being denser. */
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TASTES = 64, BUFFER = 1 << 20 };

/* Names as shops give them: letters and digits without order, the same for the same number. */
static void name(char *out, int n, uint64_t kind, uint64_t number) {
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    uint64_t x =
        (number * 2 + kind + 1) * UINT64_C(0x9E3779B97F4A7C15); /* odd factor: no two alike */
    for (int i = 0; i < n; i++, x /= 36)
        out[i] = digits[x % 36];
    out[n] = '\0';
}

static void line(uint64_t seed, uint64_t i, uint64_t n_users, uint64_t n_items) {
    struct rng r = rng_start(seed, RNG_SHOP, i);
    const uint64_t user = (uint64_t)((double)n_users * pow(rng_unit(&r), 1.9));
    uint64_t item = (uint64_t)((double)n_items * pow(rng_unit(&r), 2.2));
    const uint64_t taste = user * 2654435761u % TASTES;
    if (rng_unit(&r) < 0.7) item = item / TASTES * TASTES + taste;
    const double year = 10 * sqrt(rng_unit(&r));
    char user_name[16], item_name[16];
    name(user_name, 13, 0, user);
    name(item_name, 13, 1, item < n_items ? item : n_items - 1);
    printf("%s\t%s\t%.0f\n", user_name, item_name, 1262304000 + floor(year * 31557600));
}

static void record(FILE *f, uint64_t seed, uint64_t i) {
    static const char *const kinds[] = {"tent", "saucepan", "desk lamp", "running shoe", "cordless drill", "picture book",
                                        "garden hose", "guitar string"};
    static const char *const audiences[] = {"beginners", "families with small children", "professionals", "students",
                                            "retired people", "travellers", "collectors", "people with little room"};
    static const char *const traits[] = {"light", "sturdy", "easy to clean", "made of steel", "quiet", "compact", "repairable",
                                         "water-resistant", "well-balanced", "inexpensive", "hand-finished", "adjustable"};
    enum { N_TRAITS = sizeof traits / sizeof traits[0] };
    struct rng r = rng_start(seed, RNG_SHOP, UINT64_MAX - i);
    const uint64_t taste = i % TASTES, first = rng_below(&r, N_TRAITS), second = rng_below(&r, N_TRAITS);
    char id[16];
    name(id, 13, 1, i);
    fprintf(f, "{\"item_id\": \"%s\", \"title\": \"%s %s %.3s-%d\", \"price\": %.2f, \"description\": \"One %s %s that is %s, for %s.\"}\n",
            id, traits[first], kinds[taste % 8], id + 4, (int)rng_below(&r, 1000), exp(1 + 4 * rng_unit(&r)), traits[first],
            kinds[taste % 8], traits[second], audiences[taste / 8]);
}

static int write_records(const char *path, uint64_t seed, uint64_t n_items) {
    FILE *f = fopen(path, "w");
    for (uint64_t i = 0; f && i < n_items; i++) record(f, seed, i);
    if (f && !ferror(f) && fclose(f) == 0) return 0;
    perror(path);
    return 1;
}

int main(int argc, char **argv) {
    const uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    const uint64_t n_users = argc > 3 ? strtoull(argv[3], NULL, 10) : n / 8;
    const uint64_t n_items = argc > 4 ? strtoull(argv[4], NULL, 10) : n / 60;
    if (!n_users || !n_items) {
        fprintf(stderr, "generate_log N [SEED [USERS ITEMS [ITEMS.jsonl]]]: N from 60 on, or users and items from 1 on\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOFBF, BUFFER);
    printf("user_id\titem_id\ttimestamp\n");
    for (uint64_t i = 0; i < n; i++)
        line(seed, i, n_users, n_items);
    if (argc > 5 && write_records(argv[5], seed, n_items) != 0) return 1;
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
