/* SPDX-License-Identifier: Apache-2.0 */
/* A request, "METHOD PATH?PARAMETERS", a line's end and a body, put to a service of a small shop: whatever it is, there is an
 * answer, and no answer is the server's fault. */
#include "fuzz.h"

#include "support/small_shop.h"
#include "support/spoken.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct service *service;
static char store[128], added[128];

static void finish(void) {
    service_close(service);
    small_shop_remove();
}

static void start(void) {
    genair_status st = {0};
    const char *workspace = small_shop_create(NULL);
    snprintf(store, sizeof store, "sqlite:%s/events.sqlite", workspace);
    snprintf(added, sizeof added, "%s/added.sqlite", workspace);
    const struct service_setting setting = {.workspace = workspace, .run = "one", .store = store};
    must(service_open(&setting, &service, &st) == GENAIR_OK);
    must(atexit(finish) == 0);
}

/* An answer is JSON that says what is wrong, unless it is a file or the counters. */
static void check(const struct response *out) {
    must(out->status >= 200 && out->status < 500 && out->status != 409 && out->type && out->body);
    if (strcmp(out->type, "application/json") != 0) return;
    json_t *o = json_loadb(out->body, out->size, 0, NULL);
    const json_t *error = json_object_get(o, "error");
    must(json_is_object(o) && (out->status == 200) == (error == NULL));
    must(!error || (json_integer_value(json_object_get(error, "status")) == out->status &&
                    json_string_length(json_object_get(error, "message")) > 0));
    json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct response out;
    if (!service) start();
    if (!spoken_answer(service, (const char *)data, size, &out)) return 0;
    check(&out);
    free(out.body);
    if (out.status == 200 && size > 4 && memcmp(data, "POST", 4) == 0) remove(added); /* else each item makes the next slower */
    return 0;
}
