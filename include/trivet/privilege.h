/* SPDX-License-Identifier: Apache-2.0
 *
 * privilege.h - what a service keeps of root.
 */
#ifndef TRIVET_PRIVILEGE_H
#define TRIVET_PRIVILEGE_H

#include <sys/types.h>

/* The owner `owner` of the bus, started by root, becomes `user` (NULL: who owns the instance's
 * runtime directory, and where there is none yet, "trivet" if that user exists; "root" stays) and
 * keeps the capabilities keep[0] to keep[n - 1] (CAP_...) and no other. Makes the runtime directory
 * first, gives it to that user, and with it the lock, key and segment that this owner left when it
 * ran as root; a dead segment of a stranger in its place is removed. Who is not started by root
 * stays who it is.
 *
 * Call once, after the configuration is read and what needs root is open (low ports, sockets in
 * others' directories), before the bus is opened and before any thread is started: it changes the
 * process's ids, capabilities and $TRIVET_RUNTIME_DIR, and sets no_new_privs. The strings are read
 * during the call only. 0, or -1: logged; then do not go on. */
int sb_privilege_drop(const char *instance, const char *owner, const char *user, const int *keep,
                      unsigned n);

#endif
