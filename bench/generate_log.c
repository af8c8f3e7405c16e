/* SPDX-License-Identifier: Apache-2.0 */
/* generate_log N [SEED]: a made-up click log of N lines on standard output, for measuring
 * `prepare`.
 *
 * N / 8 users and N / 60 items. The rank of a line's user is U x^1.9 and of its item I y^2.2 for
 * uniform x and y, so activity and popularity fall as powers of the rank, with a few users of
 * thousands of clicks and most of a few, as in public review logs. Seven of ten clicks stay among
 * the 1/64 of the items that are the user's taste. Lines are in no order; times spread over ten
 * years, later ones being denser. */
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

int main(int argc, char **argv) {
    const uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    if (n < 60) {
        fprintf(stderr, "generate_log: a number of lines from 60 on, then a seed\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOFBF, BUFFER);
    printf("user_id\titem_id\ttimestamp\n");
    for (uint64_t i = 0; i < n; i++)
        line(seed, i, n / 8, n / 60);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
