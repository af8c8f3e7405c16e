/* SPDX-License-Identifier: Apache-2.0 */
#include "ranking/index.h"

#include "ranking/lists.h"

#include <string.h>

genair_code index_asked(const genair_options *o, struct index_setting *out, genair_status *st) {
    *out = (struct index_setting){.approximate = strcmp(option_text(o, "index"), "approximate") == 0,
                                  .probe = (size_t)option_int(o, "probe"),
                                  .seed = (uint64_t)option_int(o, "seed")};
    return out->approximate ? lists_require(st) : GENAIR_OK;
}

genair_code index_create(const struct scorer *s, const struct index_setting *setting, struct parallel *parallel,
                         struct index *out, genair_status *st) {
    *out = (struct index){0};
    genair_code code = GENAIR_OK;
    if (setting->approximate && screen_is_worthwhile(s)) code = partition_create(s, setting->seed, parallel, &out->partition, st);
    if (code == GENAIR_OK) code = screen_create(s, out->partition, &out->screen, st);
    if (out->partition && out->screen) out->probe = setting->probe;
    if (code != GENAIR_OK) index_free(out);
    return code;
}

void index_free(struct index *i) {
    screen_free(i->screen);
    partition_free(i->partition);
    *i = (struct index){0};
}
