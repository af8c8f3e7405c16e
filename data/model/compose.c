/* SPDX-License-Identifier: Apache-2.0 */
#include "compose.h"

#include "base/rng.h"
#include "base/size.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What genair archetype cuts attributes to. */
enum { ATTRIBUTE_BYTES = 100, VALUE_BYTES = 256 };

enum slot {
    SLOT_BRAND, SLOT_CODE, SLOT_ATTRIBUTE, SLOT_ATTRIBUTE2, SLOT_KIND, SLOT_KINDS, SLOT_SIZE, SLOT_USE, SLOT_USE2,
    SLOT_FEATURE, SLOT_FEATURE2, SLOT_A, SLOT_B, SLOT_C, SLOT_D, SLOT_WANT_A, SLOT_WANT_B, SLOT_WANT_C, SLOT_NOUN, N_SLOTS
};

static const char *const slot_names[N_SLOTS] = {
    [SLOT_BRAND] = "brand", [SLOT_CODE] = "code", [SLOT_ATTRIBUTE] = "attribute", [SLOT_ATTRIBUTE2] = "attribute2",
    [SLOT_KIND] = "kind", [SLOT_KINDS] = "kinds", [SLOT_SIZE] = "size", [SLOT_USE] = "use", [SLOT_USE2] = "use2",
    [SLOT_FEATURE] = "feature", [SLOT_FEATURE2] = "feature2", [SLOT_A] = "A", [SLOT_B] = "B", [SLOT_C] = "C",
    [SLOT_D] = "D", [SLOT_WANT_A] = "wantA", [SLOT_WANT_B] = "wantB", [SLOT_WANT_C] = "wantC", [SLOT_NOUN] = "noun"};

struct item {
    const struct inventory *inventory;
    const struct kind *kind;
    struct rng rng;
    char slot[N_SLOTS][VALUE_BYTES];
    const struct audience *people[3];
    bool names_another; /* the description names people whom the kind does not list */
    double price;       /* 0: not told */
};

/* A text that grows up to its room; what does not fit is left out. */
struct builder {
    char *p;
    size_t n, room;
};

static void put(struct builder *b, const char *s, size_t n) {
    n = min_size(n, b->room - 1 - b->n);
    memcpy(b->p + b->n, s, n);
    b->n += n;
    b->p[b->n] = '\0';
}

static void put_string(struct builder *b, const char *s) {
    put(b, s, strlen(s));
}

static size_t below(struct item *it, size_t n) {
    return (size_t)rng_below(&it->rng, n);
}

static bool chance(struct item *it, double p) {
    return rng_unit(&it->rng) < p;
}

static struct text draw(struct item *it, struct list list) {
    return list.at[below(it, list.n)];
}

static void set(struct item *it, enum slot slot, struct text value) {
    snprintf(it->slot[slot], VALUE_BYTES, "%.*s", (int)value.n, value.p);
}

/* Two values, different where the list has two. */
static void set_two(struct item *it, enum slot first, enum slot second, struct list list) {
    const size_t i = below(it, list.n), j = list.n > 1 ? (i + 1 + below(it, list.n - 1)) % list.n : i;
    set(it, first, list.at[i]);
    set(it, second, list.at[j]);
}

/* ---- values ---- */

static void make_brand(struct item *it) {
    const struct list *p = it->inventory->phrases;
    const struct text a = draw(it, p[PHRASE_BRAND]), b = draw(it, p[PHRASE_BRAND_END]);
    const struct text tail = draw(it, p[PHRASE_BRAND_TAIL]);
    char *brand = it->slot[SLOT_BRAND];
    int n = snprintf(brand, VALUE_BYTES, "%.*s%.*s", (int)a.n, a.p, (int)b.n, b.p);
    if (chance(it, 0.2)) snprintf(brand + n, VALUE_BYTES - (size_t)n, " %.*s", (int)tail.n, tail.p);
    if (chance(it, 0.15))
        for (char *c = brand; *c; c++) *c = (char)toupper((unsigned char)*c);
}

static void make_code(struct item *it, struct builder *b) {
    const size_t n_letters = below(it, 4), n_digits = 2 + below(it, 4);
    for (size_t i = 0; i < n_letters; i++) put(b, &(char){(char)('A' + below(it, 26))}, 1);
    if (n_letters && chance(it, 0.4)) put(b, "-", 1);
    for (size_t i = 0; i < n_digits; i++) put(b, &(char){(char)('0' + below(it, 10))}, 1);
}

/* Numbers of a size: {n}, {f}, {d}, {k}. */
static void put_number(struct item *it, char what, struct builder *b) {
    static const int whole[] = {1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 24, 25, 30, 32, 36, 40, 48, 50, 60, 72, 75, 80,
                                100, 120, 144, 150, 200, 220, 250, 300, 400, 500, 600, 750, 1000};
    static const char *const fractions[] = {"1/8", "3/16", "1/4", "5/16", "3/8", "1/2", "5/8", "3/4", "7/8", "1-1/4",
                                            "1-1/2", "2-1/2", "1/16", "3/32", "11/16"};
    char text[32];
    if (what == 'k') {
        make_code(it, b);
        return;
    }
    if (what == 'f') {
        put_string(b, fractions[below(it, COUNT(fractions))]);
        return;
    }
    if (what == 'd')
        snprintf(text, sizeof text, "%.*f", chance(it, 0.5) ? 1 : 2, 0.05 + 5 * rng_unit(&it->rng) * rng_unit(&it->rng));
    else
        snprintf(text, sizeof text, "%d", whole[below(it, COUNT(whole))]);
    put_string(b, text);
}

static void make_size(struct item *it) {
    const struct text size = draw(it, it->kind->department->sizes);
    struct builder b = {it->slot[SLOT_SIZE], 0, VALUE_BYTES};
    for (size_t i = 0; i < size.n; i++) {
        if (size.p[i] == '{' && i + 2 < size.n) {
            put_number(it, size.p[i + 1], &b);
            i += 2;
        } else {
            put(&b, size.p + i, 1);
        }
    }
}

/* English plurals, as far as the inventory needs them. */
static void make_kind(struct item *it) {
    struct text name = draw(it, it->kind->names);
    const bool as_is = name.p[name.n - 1] == '~';
    if (as_is) name.n--;
    set(it, SLOT_KIND, name);
    set(it, SLOT_KINDS, name);
    if (as_is) return;
    char *s = it->slot[SLOT_KINDS];
    const size_t n = name.n;
    const char last = s[n - 1], before = s[n - 2];
    if (last == 'y' && !strchr("aeiou", before))
        snprintf(s + n - 1, VALUE_BYTES - n, "ies");
    else if (strchr("sxz", last) || (last == 'h' && (before == 's' || before == 'c')))
        snprintf(s + n, VALUE_BYTES - n, "es");
    else if (n > 5 && strcmp(s + n - 5, "knife") == 0)
        snprintf(s + n - 2, VALUE_BYTES - n, "ves");
    else
        snprintf(s + n, VALUE_BYTES - n, "s");
}

static bool lists(const struct kind *k, const struct audience *a) {
    for (size_t i = 0; i < k->n_audiences; i++)
        if (k->audiences[i] == a) return true;
    return false;
}

static void make_people(struct item *it) {
    static const enum slot who[] = {SLOT_A, SLOT_B, SLOT_C}, what[] = {SLOT_WANT_A, SLOT_WANT_B, SLOT_WANT_C};
    const struct kind *k = it->kind;
    const size_t turn = chance(it, 0.6) ? 0 : below(it, k->n_audiences);
    for (size_t i = 0; i < COUNT(who); i++) it->people[i] = k->audiences[(i + turn) % k->n_audiences];
    const struct audience *other;
    do
        other = &it->inventory->audiences[below(it, it->inventory->n_audiences)];
    while (lists(k, other));
    if (it->names_another) it->people[chance(it, 0.5) ? 0 : 2] = other;
    for (size_t i = 0; i < COUNT(who); i++) {
        const struct audience *a = it->people[i];
        set(it, who[i], chance(it, 0.6) ? a->name : draw(it, a->others));
        set(it, what[i], draw(it, a->wants));
        if (a == other) snprintf(it->slot[SLOT_D], VALUE_BYTES, "%s", it->slot[who[i]]);
    }
}

static void make_values(struct item *it) {
    static const char *const nouns[] = {"item", "item", "item", "item", "item", "item", "item", "item", "product", "business"};
    make_brand(it);
    struct builder code = {it->slot[SLOT_CODE], 0, VALUE_BYTES};
    make_code(it, &code);
    make_size(it);
    make_kind(it);
    set_two(it, SLOT_ATTRIBUTE, SLOT_ATTRIBUTE2, it->kind->attributes);
    if (chance(it, 0.25))
        set(it, chance(it, 0.5) ? SLOT_ATTRIBUTE : SLOT_ATTRIBUTE2, draw(it, it->inventory->phrases[PHRASE_ADJECTIVE]));
    set_two(it, SLOT_USE, SLOT_USE2, it->kind->uses);
    set_two(it, SLOT_FEATURE, SLOT_FEATURE2, it->kind->department->features);
    it->names_another = chance(it, 0.15);
    make_people(it);
    set(it, SLOT_NOUN, text_of(nouns[below(it, COUNT(nouns))]));
    if (chance(it, 0.65))
        it->price = it->kind->low * pow(it->kind->high / it->kind->low, rng_unit(&it->rng));
}

/* ---- wording ---- */

/* Puts the phrase with its slots filled; sizes inside a filled slot are drawn numbers already. */
static void fill(struct item *it, struct text phrase, struct builder *b) {
    for (size_t i = 0; i < phrase.n; i++) {
        if (phrase.p[i] != '{') {
            put(b, phrase.p + i, 1);
            continue;
        }
        const char *end = memchr(phrase.p + i, '}', phrase.n - i);
        assert(end);
        const size_t n = (size_t)(end - phrase.p) - i - 1;
        for (enum slot s = 0; s < N_SLOTS; s++)
            if (strlen(slot_names[s]) == n && memcmp(slot_names[s], phrase.p + i + 1, n) == 0)
                put_string(b, it->slot[s]);
        i += n + 1;
    }
}

static void capital_sentences(char *s) {
    bool begins = true;
    for (; *s; s++) {
        if (begins && isalpha((unsigned char)*s)) *s = (char)toupper((unsigned char)*s);
        if (!isspace((unsigned char)*s) && *s != '"') begins = false;
        if (*s == '.' && s[1] == ' ') begins = true;
    }
}

/* Capitals as titles have them: words of three letters and more, but for a few. */
static void capital_words(char *s) {
    static const char *const small[] = {"for", "and", "with", "the", "after", "from"};
    for (char *w = s; *w;) {
        const size_t n = strcspn(w, " /-(");
        bool is_small = n < 3;
        for (size_t i = 0; i < COUNT(small); i++) is_small |= strlen(small[i]) == n && strncmp(w, small[i], n) == 0;
        if (!is_small || w == s) *w = (char)toupper((unsigned char)*w);
        w += n + (w[n] != '\0');
    }
}

/* "The item name is …. " */
static void put_attribute(struct item *it, const char *name, char *value, struct builder *b) {
    if (strlen(value) > ATTRIBUTE_BYTES) value[ATTRIBUTE_BYTES] = '\0';
    put_string(b, "The ");
    put_string(b, it->slot[SLOT_NOUN]);
    put_string(b, " ");
    put_string(b, name);
    put_string(b, " is ");
    put_string(b, value);
    put_string(b, ". ");
}

static void put_phrase_attribute(struct item *it, const char *name, enum phrase_group group, struct builder *b) {
    char value[2048];
    struct builder v = {value, 0, sizeof value};
    fill(it, draw(it, it->inventory->phrases[group]), &v);
    if (group == PHRASE_NAME) {
        if (chance(it, 0.8)) capital_words(value);
        if (chance(it, 0.04))
            for (char *c = value; *c; c++) *c = (char)toupper((unsigned char)*c);
    } else {
        capital_sentences(value);
    }
    put_attribute(it, name, value, b);
}

static void put_categories(struct item *it, struct builder *b) {
    char value[512], kinds[VALUE_BYTES];
    struct builder v = {value, 0, sizeof value};
    const struct list categories = it->kind->department->categories;
    for (size_t i = 0; i < categories.n; i++) {
        put_string(&v, i ? ", " : "");
        put(&v, categories.at[i].p, categories.at[i].n);
    }
    snprintf(kinds, sizeof kinds, "%s", it->slot[SLOT_KINDS]);
    capital_words(kinds);
    if (chance(it, 0.6)) {
        put_string(&v, ", ");
        put_string(&v, kinds);
    }
    put_attribute(it, "categories", value, b);
}

static void put_numbers(struct item *it, bool price_not_date, struct builder *b) {
    char value[64];
    if (!price_not_date && chance(it, 0.15)) {
        snprintf(value, sizeof value, "%d-%02d-%02d", 2005 + (int)below(it, 20), 1 + (int)below(it, 12),
                 1 + (int)below(it, 28));
        if (chance(it, 0.5)) value[4] = '\0';
        put_attribute(it, "date", value, b);
    }
    if (price_not_date && it->price > 0) {
        snprintf(value, sizeof value, "%.2f", it->price);
        put_attribute(it, "price", value, b);
    }
    if (price_not_date && chance(it, 0.15)) {
        snprintf(value, sizeof value, "%.1f", 3 + 2 * rng_unit(&it->rng));
        put_attribute(it, "rating", value, b);
    }
}

static void write_prompt(struct item *it, struct example *e) {
    struct builder b = {e->prompt, 0, sizeof e->prompt};
    const char *noun = it->slot[SLOT_NOUN];
    put_string(&b, "You are a helpful recommendation expert. Based on the following attributes, identify the types of users "
                   "this ");
    put_string(&b, noun);
    put_string(&b, " would appeal to: ");
    e->n_fixed = b.n;
    put_phrase_attribute(it, "name", PHRASE_NAME, &b);
    if (chance(it, 0.7)) put_attribute(it, "brand", it->slot[SLOT_BRAND], &b);
    put_numbers(it, false, &b);
    if (chance(it, 0.3)) put_attribute(it, "feature", it->slot[SLOT_FEATURE], &b);
    put_numbers(it, true, &b);
    if (it->names_another || chance(it, 0.6))
        put_phrase_attribute(it, "description", it->names_another ? PHRASE_OTHER_AUDIENCE : PHRASE_DESCRIPTION, &b);
    if (chance(it, 0.5)) put_categories(it, &b);
    put_string(&b, "What potential users align best with this ");
    put_string(&b, noun);
    put_string(&b, "?");
}

static void put_sentence(struct item *it, struct text phrase, struct builder *b) {
    if (b->n) put_string(b, " ");
    fill(it, phrase, b);
}

static void write_answer(struct item *it, struct example *e) {
    const struct list *p = it->inventory->phrases;
    struct builder b = {e->answer, 0, sizeof e->answer};
    put_sentence(it, draw(it, p[PHRASE_OPENING]), &b);
    const size_t first = below(it, p[PHRASE_REASON].n);
    put_sentence(it, p[PHRASE_REASON].at[first], &b);
    if (chance(it, 0.5))
        put_sentence(it, p[PHRASE_REASON].at[(first + 1 + below(it, p[PHRASE_REASON].n - 1)) % p[PHRASE_REASON].n], &b);
    if (chance(it, 0.3)) put_sentence(it, draw(it, p[PHRASE_FEATURE]), &b);
    if (it->price > 0 && chance(it, 0.5))
        put_sentence(it, draw(it, p[it->price < 12 ? PHRASE_CHEAP : it->price < 60 ? PHRASE_FAIR : PHRASE_DEAR]), &b);
    capital_sentences(e->answer);
}

void compose(const struct inventory *inventory, uint64_t seed, uint64_t i, enum kept which, struct example *out) {
    struct item it = {.inventory = inventory, .rng = rng_start(seed, RNG_SHOP, i)};
    do
        it.kind = &inventory->kinds[below(&it, inventory->n_kinds)];
    while (kind_is_held_out(inventory, it.kind) != (which == HELD_OUT));
    make_values(&it);
    *out = (struct example){.kind = it.kind};
    write_prompt(&it, out);
    write_answer(&it, out);
}

/* As whole words: "men" is not in "women". */
static bool contains(const char *text, struct text part) {
    for (const char *s = text; *s; s++)
        if (strncasecmp(s, part.p, part.n) == 0 && (s == text || !isalpha((unsigned char)s[-1])) &&
            !isalpha((unsigned char)s[part.n]))
            return true;
    return false;
}

bool names_audience(const char *text, const struct kind *kind) {
    for (size_t i = 0; i < kind->n_audiences; i++) {
        const struct audience *a = kind->audiences[i];
        if (contains(text, a->name)) return true;
        for (size_t k = 0; k < a->others.n; k++)
            if (contains(text, a->others.at[k])) return true;
    }
    return false;
}
