/* SPDX-License-Identifier: Apache-2.0 */
/* This module shows what the store holds of one item. */
#ifndef GENAIR_ARCHETYPE_SHOW_H
#define GENAIR_ARCHETYPE_SHOW_H

#include "base/options.h"

#include <jansson.h>

/* --show ITEM: prompt, text, counts. Also while archetypes are being made. */
CHECKED genair_code archetype_show(const genair_options *o, json_t **result, genair_status *st);

#endif
