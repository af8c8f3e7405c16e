/* SPDX-License-Identifier: Apache-2.0 */
/* This module says which file it was when one that is mapped into memory could not be read on. */
#ifndef GENAIR_CLI_LOST_FILE_H
#define GENAIR_CLI_LOST_FILE_H

/* From now on a SIGBUS of a page whose file became shorter, or whose disk failed, ends the process with one line and
 * exit status 1; any other does what it always does. */
void lost_file_watch(void);

#endif
