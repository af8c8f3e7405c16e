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
    TIME_DATES,        /* the same, but 202106, 20210601, 202106011230 and 20210601123000 are meant as dates */
    TIME_MILLISECONDS
};

enum { TIME_SECONDS_MET = 1, TIME_MILLISECONDS_MET = 2 };

enum time_result {
    TIME_OK,
    TIME_UNREADABLE,
    TIME_OUT_OF_RANGE,
    TIME_MICROSECONDS, /* out of range, but of the years 2001 to 2096 in these units */
    TIME_NANOSECONDS,
    TIME_WITHOUT_DASHES
};

/* Milliseconds since 1970-01-01 UTC, years 1 to 9999. t: a whole or decimal number (seconds are
 * rounded to milliseconds), or "YYYY-MM-DD" with optional " " or "T", "HH:MM", ":SS", ".fraction",
 * "Z", "UTC", "+HH:MM" or "+HH"; a date without zone is UTC. White space around it is ignored. *magnitudes: what numbers
 * were taken for by their magnitude, added to what it holds. Both are untouched on failure. */
enum time_result time_parse(struct text t, enum time_unit unit, unsigned *magnitudes, int64_t *out);
bool time_is_in_range(int64_t ms); /* of those years */
/* "2021-06-01T12:30:00Z", of a time in range, rounded down. */
enum { TIME_TEXT = 80 }; /* room for what the compiler takes for possible */
void time_text(int64_t ms, char out[TIME_TEXT]);

#endif
