/* SPDX-License-Identifier: Apache-2.0 */
/* The page for people. It loads nothing from elsewhere and its files hold no inline script or style, so that all other
 * script can be forbidden: whatever an item is called stays text. */
#include "serve/answers.h"
#include "serve/page_files.h"

#include <stdlib.h>
#include <string.h>

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

void answer_page(struct service *s, const struct request *r, struct response *out) {
    (void)s;
    for (size_t i = 0; i < n_page_files; i++) {
        const struct page_file *f = &page_files[i];
        if (!text_equal(r->path, f->path)) continue;
        char *copy = malloc(f->size);
        if (copy) memcpy(copy, f->data, f->size);
        *out = (struct response){.status = copy ? 200 : 503, .body = copy, .size = copy ? f->size : 0, .type = f->type,
                                 .policy = policy, .retry_after = !copy};
        return;
    }
    response_error(out, 404, "no such file of the page");
}
