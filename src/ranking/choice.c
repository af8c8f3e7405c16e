/* SPDX-License-Identifier: Apache-2.0 */
#include "ranking/choice.h"

#include "base/sort.h"

#include <math.h>

bool choice_admits(const struct choice *c, uint32_t id) {
    return !sorted_u32_holds(c->excluded, c->n_excluded, id) &&
           (!c->only_allowed || sorted_u32_holds(c->allowed, c->n_allowed, id));
}

void choice_apply(const struct choice *c, float *row, size_t n_items) {
    for (size_t i = 0; i < c->n_excluded; i++)
        row[c->excluded[i]] = -INFINITY;
    size_t next = 0;
    for (size_t id = 1; c->only_allowed && id <= n_items; id++) {
        if (next < c->n_allowed && c->allowed[next] == id)
            next++;
        else
            row[id] = -INFINITY;
    }
}
