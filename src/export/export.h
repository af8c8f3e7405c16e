/* SPDX-License-Identifier: Apache-2.0 */
/* This module writes what a workspace holds in the forms of other programs. */
#ifndef GENAIR_EXPORT_EXPORT_H
#define GENAIR_EXPORT_EXPORT_H

#include "workspace/catalogue.h"

/* DIR/NAME.inter and DIR/NAME.item, NAME being the directory's last part, as RecBole wants them: every
 * interaction in order of user and time; id, name, brand, categories and description of every item. Adds the
 * paths to files. */
CHECKED genair_code export_recbole(const char *workspace, const char *directory, json_t *files, genair_status *st);

#endif
