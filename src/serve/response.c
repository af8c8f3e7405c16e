/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/response.h"

#include "base/json_text.h"

#include <string.h>

void response_json(struct response *out, int status, json_t *value) {
    char *text = json_text(value, JSON_COMPACT);
    json_decref(value);
    *out = (struct response){.status = status, .body = text, .size = text ? strlen(text) : 0, .type = "application/json"};
    if (!text) *out = (struct response){.status = 503, .type = "application/json", .retry_after = 1};
}

void response_error(struct response *out, int status, const char *message) {
    response_json(out, status, json_pack("{s:{s:i, s:s}}", "error", "status", status, "message", message));
}

/* What the client did wrong is 400; what is out of memory, on a sick disk or at its end may be better in a moment. */
static int status_of(genair_code code) {
    if (code == GENAIR_USAGE) return 400;
    return code == GENAIR_MEMORY || code == GENAIR_IO || code == GENAIR_INTERRUPTED ? 503 : 500;
}

void response_failure(struct response *out, const genair_status *st) {
    const int status = status_of(st->code);
    response_error(out, status, st->message);
    if (status == 503) out->retry_after = 1;
}

void response_result(struct response *out, genair_code code, json_t *value, const genair_status *st) {
    if (code == GENAIR_OK) {
        response_json(out, 200, value);
        return;
    }
    json_decref(value);
    response_failure(out, st);
}
