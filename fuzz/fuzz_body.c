/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a request. */
#include "fuzz.h"

#include "serve/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_t *o = NULL;
    genair_status st = {0};
    const struct text body = {(const char *)data, size};
    const genair_code code = body_object(body, "user|item|time|id|history|k", &o, &st);
    must((code == GENAIR_OK) == (o != NULL));
    must(code == GENAIR_OK || st.message[0]);
    if (!o) return 0;
    struct text name;
    must(json_is_object(o) && json_object_size(o) <= 6);
    if (body_name(o, "user", &name, NULL) == GENAIR_OK)
        must(text_is_name(name, MAX_NAME));
    json_decref(o);
    return 0;
}
