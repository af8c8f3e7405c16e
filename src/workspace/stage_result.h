/* SPDX-License-Identifier: Apache-2.0 */
/* This module hands a stage's result to its caller. */
#ifndef GENAIR_WORKSPACE_STAGE_RESULT_H
#define GENAIR_WORKSPACE_STAGE_RESULT_H

#include "base/status.h"

#include <jansson.h>

/* The text of result with "seconds" and "peak_rss_mb" added (the time differs from run to run, so
 * the manifest does not hold it). result is borrowed and unchanged; *json is for
 * genair_string_free, json may be NULL. */
CHECKED genair_code stage_result(const json_t *result, double seconds, char **json,
                                 genair_status *st);

#endif
