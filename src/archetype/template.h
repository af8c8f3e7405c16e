/* SPDX-License-Identifier: Apache-2.0 */
/* This module turns an item's attributes into a prompt by a template of plain text.
 *
 * <item_NAME> stands for the attribute NAME, <noun> for what the items are called. A sentence that
 * names an attribute which the item lacks is left out. A sentence with <attribute> and <value> is
 * repeated for every attribute that no other sentence names. A sentence ends at . ! or ? before
 * white space, at : before a space and a capital letter, and at the end of a line. */
#ifndef GENAIR_ARCHETYPE_TEMPLATE_H
#define GENAIR_ARCHETYPE_TEMPLATE_H

#include "base/status.h"
#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct template;

/* The paper's Table 1. */
extern const char template_builtin[];

/* source is copied; path is for messages. Errors: GENAIR_FORMAT with the line: text that is no
 * UTF-8, a placeholder without end or name; a template without any attribute. */
CHECKED genair_code template_parse(struct text source, const char *path, struct template **out,
                                   genair_status *st);
/* The template in a file, or the built-in one where path is NULL. hash: of its bytes; set as soon as they are read, also where they
 * are no template. Errors: as file_read and template_parse. The template is the caller's, to be freed. */
CHECKED genair_code template_open(const char *path, char hash[33], struct template **out, genair_status *st);
void template_free(struct template *t); /* NULL is fine */

/* The attributes that it names, *n of them, in the order of their first appearance; borrowed. */
const struct text *template_attributes(const struct template *t, size_t *n);
/* Whether it also takes the attributes that it does not name. */
bool template_takes_others(const struct template *t);

struct prompt_style {
    const char *noun;
    size_t characters; /* of an attribute's text at most; the rest is cut off */
};

/* A prompt, reused from item to item; starts with {0}. */
struct prompt {
    char *text;
    size_t n, capacity;
    /* text[0 .. n_system) is the template's first sentence, the system message of formats that have
     * one; text[user_at .. n) is the rest. Both 0 where that sentence names an attribute, or is all
     * there is. */
    size_t n_system, user_at;
    size_t n_attributes; /* of the item that went in: places filled */
};
void prompt_deinit(struct prompt *p);
/* record: the item's attributes, texts by name ("item_id" is none). */
CHECKED genair_code template_render(const struct template *t, json_t *record,
                                    const struct prompt_style *style, struct prompt *out,
                                    genair_status *st);

#endif
