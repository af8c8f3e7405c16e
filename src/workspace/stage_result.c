/* SPDX-License-Identifier: Apache-2.0 */
#include "workspace/stage_result.h"

#include "base/alloc.h"
#include "base/context.h"
#include "base/json_text.h"

#include <stdlib.h>
#include <string.h>

genair_code stage_result(const json_t *result, double seconds, char **json, genair_status *st) {
    if (!json) return GENAIR_OK;
    json_t *all = json_deep_copy(result);
    char *text = NULL, *copy = NULL;
    if (json_object_set_new(all, "seconds", json_real(seconds)) == 0 &&
        json_object_set_new(all, "peak_rss_mb", json_real(context_peak_rss_mb())) == 0)
        text = json_text(all, JSON_COMPACT);
    if (text) copy = mem_text(text, strlen(text));
    free(text); /* jansson's */
    json_decref(all);
    if (!copy) return fail_memory(st);
    *json = copy;
    return GENAIR_OK;
}
