/* SPDX-License-Identifier: Apache-2.0 */
/* This module is the page for people: the files of page/, put into the program by tools/embed.sh. */
#ifndef GENAIR_SERVE_PAGE_FILES_H
#define GENAIR_SERVE_PAGE_FILES_H

#include <stddef.h>

struct page_file {
    const char *path, *type; /* "/page.css"; index.html is "/" */
    const unsigned char *data;
    size_t size;
};
extern const struct page_file page_files[];
extern const size_t n_page_files;

#endif
