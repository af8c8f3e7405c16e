/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads which items a request wants to see: "where", "allow", "deny", "repeat", "viewed", and "k", "explain". */
#ifndef GENAIR_SERVE_FILTERS_H
#define GENAIR_SERVE_FILTERS_H

#include "recommend/recommender.h"
#include "serve/id_list.h"
#include "serve/request.h"

struct served;

struct filters {
    struct id_list allow, deny, viewed; /* what the wish points into */
};

/* Both fill the wish, but for its history. GENAIR_USAGE for what is wrong, values that no item has included. Released with
 * filters_free, also after a failure. */
CHECKED genair_code filters_of_parameters(struct served *v, const struct request *r, struct wish *w, struct filters *f,
                                          genair_status *st);
CHECKED genair_code filters_of_body(struct served *v, const json_t *body, struct wish *w, struct filters *f,
                                    genair_status *st);
void filters_free(struct filters *f);

#endif
