/* SPDX-License-Identifier: Apache-2.0 */
/* This module reads points in time: seconds, milliseconds, dates. */
#ifndef GENAIR_PREPARE_TIMES_H
#define GENAIR_PREPARE_TIMES_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum time_unit {
    TIME_BY_MAGNITUDE, /* 10^11 and more is milliseconds: year 5138 in seconds, 1973 in milliseconds
                        */
    TIME_DATES,        /* the same, but 20210601 is meant as a date */
    TIME_MILLISECONDS
};

enum time_result { TIME_OK, TIME_UNREADABLE, TIME_OUT_OF_RANGE, TIME_WITHOUT_DASHES };

/* Milliseconds since 1970-01-01 UTC, years 1 to 9999. t: a whole or decimal number (seconds are
 * rounded to milliseconds), or "YYYY-MM-DD" with optional " " or "T", "HH:MM", ":SS", ".fraction",
 * "Z", "UTC", "+HH:MM" or "+HH"; a date without zone is UTC. White space around it is ignored. *out is untouched
 * on failure. */
enum time_result time_parse(struct text t, enum time_unit unit, int64_t *out);
bool time_is_in_range(int64_t ms); /* of those years */

#endif
