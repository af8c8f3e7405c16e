/* SPDX-License-Identifier: Apache-2.0 */
/* This module makes a workspace of a dozen items with a run of method genair, in a directory of its own: for tests and fuzz targets
 * that need something to serve. Ends the program with a message when it cannot. */
#ifndef GENAIR_TESTS_SUPPORT_SMALL_SHOP_H
#define GENAIR_TESTS_SUPPORT_SMALL_SHOP_H

enum { SMALL_SHOP_ITEMS = 12, SMALL_SHOP_WIDTH = 4 };

/* The workspace's path; items i0 .. i11, users u0 .. u29, run "one". model: a language model that the vectors come from, or NULL:
 * vectors of SMALL_SHOP_WIDTH columns. */
const char *small_shop_create(const char *model);
void small_shop_remove(void);

#endif
