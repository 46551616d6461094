/* SPDX-License-Identifier: Apache-2.0
 *
 * tls.h - TLS under an OpenFlow connection: who we are, who may come, and bytes in and out.
 *
 * Main thread: the server (certificate, key, CA) and a session for each accepted socket. From then
 * on a session belongs to one thread at a time: the greeter for the handshake (greeter.c), then the
 * worker of its connection. Reading and writing behave as recv() and send() on a non-blocking
 * socket do, so that connection.c has one branch more and no other code.
 */
#ifndef TRIVET_CONTROLLER_TLS_H
#define TRIVET_CONTROLLER_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CTL_SUBJECT_MAX 128 /* of the text of a certificate's subject */

struct ctl_tls;        /* one session */
struct ctl_tls_server; /* what all sessions share */

/* Names of files in PEM format. NULL: not given. */
struct ctl_tls_files {
    const char *certificate;    /* ours, and those between it and its CA */
    const char *private_key;    /* of our certificate */
    const char *ca_certificate; /* who signs the certificates of switches */
    const char *crl;            /* which of these are revoked; may be NULL */
};

/* Why a peer was not let in: for the counters. */
enum ctl_tls_refusal {
    CTL_TLS_NO_CERTIFICATE,
    CTL_TLS_BAD_CERTIFICATE, /* not signed by our CA, expired, not for clients */
    CTL_TLS_PLAINTEXT,       /* it does not speak TLS */
    CTL_TLS_GONE,            /* it closed, or the network did */
    CTL_TLS_OTHER,           /* no common version or cipher, garbage ... */
};

/* ---- the server: main thread ---------------------------------------------------------- */

/* Reads the files. NULL: message says which file is wrong, and what to do. */
struct ctl_tls_server *ctl_tls_server_new(const struct ctl_tls_files *files, char *message,
                                          size_t size);
/* Reads them again, for sessions that begin from now on. 0, or -1 with a message: then nothing has
 * changed. */
int ctl_tls_server_reload(struct ctl_tls_server *server, const struct ctl_tls_files *files,
                          char *message, size_t size);
/* After the last session has ended. NULLs; accepts NULL. */
void ctl_tls_server_free(struct ctl_tls_server **server);

/* ---- a session -------------------------------------------------------------------------- */

/* On a non-blocking socket, which stays the caller's. NULL: out of memory. */
struct ctl_tls *ctl_tls_new(struct ctl_tls_server *server, int fd);
/* Says goodbye (close_notify) if it can do so at once; before the socket is closed. NULLs; accepts
 * NULL. */
void ctl_tls_free(struct ctl_tls **tls);
/* One step: 1 done, 0 it goes on, -1 failed (ctl_tls_error(), ctl_tls_refusal()). */
int ctl_tls_handshake(struct ctl_tls *tls);
/* As recv() and send(): a number of bytes; 0 of read: the peer closed; -1 with errno EAGAIN, EPROTO
 * (ctl_tls_error() has the reason) or of the socket. A read returns all that is there, up to a
 * bound of about 64 KB of it; size is CTL_TLS_READ_MIN at least. A write may be repeated from
 * anywhere, with the same bytes and perhaps more. */
#define CTL_TLS_READ_MIN 32768
ssize_t ctl_tls_read(struct ctl_tls *tls, uint8_t *ret, size_t size);
ssize_t ctl_tls_write(struct ctl_tls *tls, const uint8_t *data, size_t size);
/* What must be waited for besides input: may the socket be written to before reading (or the
 * handshake) goes on; is writing stuck until something has been read? */
bool ctl_tls_waits_out(const struct ctl_tls *tls);
bool ctl_tls_waits_in(const struct ctl_tls *tls);
/* In words, for the log: what failed last; whose certificate the peer has shown ("" before the
 * handshake is done). */
const char *ctl_tls_error(const struct ctl_tls *tls);
const char *ctl_tls_subject(const struct ctl_tls *tls);
enum ctl_tls_refusal ctl_tls_refusal(const struct ctl_tls *tls);

#endif
