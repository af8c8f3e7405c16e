/* SPDX-License-Identifier: Apache-2.0 */
/* This module lets one process at a time write in a workspace, or several that share a task. */
#ifndef GENAIR_WORKSPACE_LOCK_H
#define GENAIR_WORKSPACE_LOCK_H

#include "base/status.h"

/* Takes the lock of the directory or says who holds it. It is the kernel's (flock on DIR/.lock), so
 * a killed process holds nothing. *fd is given back with lock_release. */
CHECKED genair_code lock_take(const char *directory, const char *command, int *fd,
                              genair_status *st);
/* The same for one of several processes that write files of their own: they keep out who takes it alone, not each other. */
CHECKED genair_code lock_share(const char *directory, const char *command, int *fd, genair_status *st);
void lock_release(int fd); /* -1 is fine */
/* Removes what writers, spills and stages of a killed process left (NAME.<n>.partial, STAGE.partial, runs/NAME.partial), in
 * all folders below. Under the lock. */
CHECKED genair_code lock_remove_partials(const char *directory, genair_status *st);

#endif
