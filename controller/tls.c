/* SPDX-License-Identifier: Apache-2.0
 *
 * tls.c - see tls.h: OpenSSL 1.1.1 or later, server side, non-blocking. TLS 1.2 (RFC 5246) and 1.3
 * (RFC 8446).
 *
 * Both sides show certificates. There is no resumption (no tickets, no cache) and no renegotiation:
 * a switch connects once in a long while, and what is not there cannot be abused.
 *
 * OpenSSL reads the socket through a BIO of ours with a budget: whatever the peer sends (data, key
 * updates, alerts), one call takes no more bytes than that from the socket, and epoll, which is
 * level-triggered, brings us back for the rest. A read goes on until OpenSSL says that it wants
 * more, so nothing complete is ever left in its buffers, where epoll would not see it.
 */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <trivet/log.h>

#define BUDGET 49152     /* bytes from the socket in one call */
#define RECORD_MAX 17408 /* a TLS record, at most; OpenSSL keeps less than one between calls */
#define CHAIN_MAX 32768  /* bytes of certificates that a peer may send */
#define CHAIN_DEPTH 8    /* certificates between its own and the CA's */

_Static_assert(CTL_TLS_READ_MIN > RECORD_MAX, "a read has room for what may be left");

struct ctl_tls_server {
    BIO_METHOD *method; /* owned: of all sessions, also those of earlier contexts */
    SSL_CTX *context;   /* owned: of sessions to come; each session holds its own reference */
};

struct ctl_tls {
    SSL *ssl;      /* owned, with its BIO */
    int fd;        /* borrowed */
    size_t budget; /* bytes that may still be read from fd in this call */
    bool eof;      /* fd has ended */
    int broken;    /* failed for good: the errno; nothing more may be sent, not even a goodbye */
    bool read_waits_out, write_waits_in;
    bool established;
    uint8_t first[3]; /* what the peer began with, if n_first is 3: a plain OpenFlow peer is known
                         by it */
    uint8_t n_first;
    enum ctl_tls_refusal refusal;
    char error[160];
    char subject[CTL_SUBJECT_MAX];
};

/* ---- the BIO ---------------------------------------------------------------------------- */

static int
bio_read(BIO *bio, char *ret, int size)
{
    struct ctl_tls *tls = BIO_get_data(bio);
    size_t want = (size_t)size < tls->budget ? (size_t)size : tls->budget;
    ssize_t n = -1;

    BIO_clear_retry_flags(bio);
    errno = EAGAIN; /* no budget: as if nothing were there */
    if (want > 0)
        n = recv(tls->fd, ret, want, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    if (n > 0)
        tls->budget -= (size_t)n;
    for (ssize_t i = 0; i < n && tls->n_first < sizeof(tls->first); i++)
        tls->first[tls->n_first++] = (uint8_t)ret[i];
    tls->eof |= n == 0;
    return (int)n;
}

static int
bio_write(BIO *bio, const char *data, int size)
{
    struct ctl_tls *tls = BIO_get_data(bio);
    ssize_t n = send(tls->fd, data, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);

    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)n;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
    const struct ctl_tls *tls = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return tls->eof;
    default:
        return 0;
    }
}

/* ---- the server ---------------------------------------------------------------------------- */

/* The first error says what, later ones where. */
static const char *
reason(void)
{
    unsigned long code = ERR_peek_error();
    const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;

    return text != NULL ? text : "unknown error";
}

/* OpenSSL would ask at the terminal. */
static int
no_passphrase(char *ret, int size, int writing, void *user)
{
    (void)ret;
    (void)size;
    (void)writing;
    (void)user;
    return 0;
}

/* Can it be read? OpenSSL's own words for "no" are hard to understand. */
static bool
readable(const char *key, const char *path, char *message, size_t size)
{
    const struct passwd *user = getpwuid(geteuid());
    FILE *file;
    int error;

    if (path == NULL) {
        snprintf(message, size,
                 "TLS: no %s: ssl: addresses need --certificate, --private-key and "
                 "--ca-certificate (or controller.tls in the configuration)",
                 key);
        return false;
    }
    file = fopen(path, "re");
    if (file != NULL) {
        fclose(file);
        return true;
    }
    error = errno;
    if (error == EACCES)
        snprintf(message, size, "TLS: %s %s: %s; user %s must be able to read it", key, path,
                 strerror(error), user != NULL ? user->pw_name : "of this process");
    else
        snprintf(message, size, "TLS: %s %s: %s", key, path, strerror(error));
    return false;
}

static void
warn_about(SSL_CTX *context, const struct ctl_tls_files *files)
{
    const X509 *own = SSL_CTX_get0_certificate(context);
    struct stat st;

    if (stat(files->private_key, &st) == 0 && (st.st_mode & S_IROTH))
        sb_warning("TLS: private key %s can be read by everybody: chmod 0600", files->private_key);
    if (own != NULL && X509_cmp_current_time(X509_get0_notAfter(own)) < 0)
        sb_warning("TLS: certificate %s has expired: switches that look will refuse it",
                   files->certificate);
    if (own != NULL && X509_cmp_current_time(X509_get0_notBefore(own)) > 0)
        sb_warning("TLS: certificate %s is not valid yet: is the clock right?", files->certificate);
}

static void
restrict_context(SSL_CTX *context)
{
    static const unsigned char id[] = "trivet-controller";

    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
#ifdef SSL_OP_IGNORE_UNEXPECTED_EOF
    /* A switch that dies says no goodbye. OpenFlow messages have lengths: what is cut off shows. */
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
#endif
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context, id, sizeof(id) - 1);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_max_cert_list(context, CHAIN_MAX);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_verify_depth(context, CHAIN_DEPTH);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
}

/* Lists of revoked certificates, one of each CA of a chain. */
static bool
load_crl(SSL_CTX *context, const char *path, char *message, size_t size)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    X509_LOOKUP *file;

    if (path == NULL)
        return true;
    if (!readable("crl", path, message, size))
        return false;
    file = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (file != NULL && X509_load_crl_file(file, path, X509_FILETYPE_PEM) > 0 &&
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1)
        return true;
    snprintf(
        message, size,
        "TLS: crl %s: %s; give the list of revoked certificates, in PEM format, of the CA that "
        "signs those of the switches",
        path, reason());
    return false;
}

static SSL_CTX *
make_context(const struct ctl_tls_files *files, char *message, size_t size)
{
    STACK_OF(X509_NAME) * names; /* given to the context */
    SSL_CTX *context = NULL;

    ERR_clear_error();
    if (!readable("certificate", files->certificate, message, size) ||
        !readable("private-key", files->private_key, message, size) ||
        !readable("ca-certificate", files->ca_certificate, message, size))
        return NULL;
    context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        snprintf(message, size, "TLS: %s", reason());
        return NULL;
    }
    restrict_context(context);
    if (SSL_CTX_use_certificate_chain_file(context, files->certificate) != 1) {
        snprintf(message, size, "TLS: certificate %s: %s; give a certificate in PEM format",
                 files->certificate, reason());
    } else if (SSL_CTX_use_PrivateKey_file(context, files->private_key, SSL_FILETYPE_PEM) != 1) {
        /* the key is compared with the certificate when it is loaded */
        if (ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509)
            snprintf(message, size, "TLS: private-key %s does not belong to certificate %s (%s)",
                     files->private_key, files->certificate, reason());
        else
            snprintf(message, size,
                     "TLS: private-key %s: %s; give a key in PEM format, without a passphrase",
                     files->private_key, reason());
    } else if (SSL_CTX_check_private_key(context) != 1) {
        snprintf(message, size, "TLS: private-key %s does not belong to certificate %s (%s)",
                 files->private_key, files->certificate, reason());
    } else if (SSL_CTX_load_verify_locations(context, files->ca_certificate, NULL) != 1 ||
               (names = SSL_load_client_CA_file(files->ca_certificate)) == NULL) {
        snprintf(message, size,
                 "TLS: ca-certificate %s: %s; give the certificate, in PEM format, of the CA that "
                 "signs those of the switches",
                 files->ca_certificate, reason());
    } else {
        SSL_CTX_set_client_CA_list(context, names);
        if (load_crl(context, files->crl, message, size)) {
            warn_about(context, files);
            ERR_clear_error();
            return context;
        }
    }
    SSL_CTX_free(context);
    ERR_clear_error();
    return NULL;
}

struct ctl_tls_server *
ctl_tls_server_new(const struct ctl_tls_files *files, char *message, size_t size)
{
    struct ctl_tls_server *server = calloc(1, sizeof(*server));

    if (server != NULL)
        server->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "switch");
    if (server == NULL || server->method == NULL ||
        BIO_meth_set_read(server->method, bio_read) != 1 ||
        BIO_meth_set_write(server->method, bio_write) != 1 ||
        BIO_meth_set_ctrl(server->method, bio_control) != 1) {
        snprintf(message, size, "TLS: out of memory");
        goto fail;
    }
    server->context = make_context(files, message, size);
    if (server->context != NULL)
        return server;
fail:
    ctl_tls_server_free(&server);
    return NULL;
}

int
ctl_tls_server_reload(struct ctl_tls_server *server, const struct ctl_tls_files *files,
                      char *message, size_t size)
{
    SSL_CTX *context = make_context(files, message, size);

    if (context == NULL)
        return -1;
    SSL_CTX_free(server->context);
    server->context = context;
    return 0;
}

void
ctl_tls_server_free(struct ctl_tls_server **server)
{
    if (*server == NULL)
        return;
    SSL_CTX_free((*server)->context);
    BIO_meth_free((*server)->method);
    free(*server);
    *server = NULL;
}

/* ---- a session ----------------------------------------------------------------------------- */

struct ctl_tls *
ctl_tls_new(struct ctl_tls_server *server, int fd)
{
    struct ctl_tls *tls = calloc(1, sizeof(*tls));
    BIO *bio = NULL;

    if (tls == NULL)
        return NULL;
    tls->fd = fd;
    tls->refusal = CTL_TLS_OTHER;
    tls->ssl = SSL_new(server->context);
    bio = BIO_new(server->method);
    if (tls->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        SSL_free(tls->ssl);
        free(tls);
        return NULL;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_accept_state(tls->ssl);
    return tls;
}

void
ctl_tls_free(struct ctl_tls **tls)
{
    if (*tls == NULL)
        return;
    if ((*tls)->established && (*tls)->broken == 0) {
        ERR_clear_error();
        SSL_shutdown((*tls)->ssl);
    }
    SSL_free((*tls)->ssl);
    ERR_clear_error();
    free(*tls);
    *tls = NULL;
}

static void
keep_subject(struct ctl_tls *tls)
{
    X509 *peer = SSL_get_peer_certificate(tls->ssl);
    BIO *text = BIO_new(BIO_s_mem());
    int n = -1;

    if (peer != NULL && text != NULL &&
        X509_NAME_print_ex(text, X509_get_subject_name(peer), 0, XN_FLAG_ONELINE) >= 0)
        n = BIO_read(text, tls->subject, sizeof(tls->subject) - 1);
    tls->subject[n > 0 ? n : 0] = '\0';
    BIO_free(text);
    X509_free(peer);
}

/* Why the handshake failed, in words that help. */
static void
explain(struct ctl_tls *tls)
{
    long verified = SSL_get_verify_result(tls->ssl);
    unsigned long code = ERR_peek_error();
    int why = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;

    if (why == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        tls->refusal = CTL_TLS_NO_CERTIFICATE;
        snprintf(tls->error, sizeof(tls->error), "it shows no certificate");
    } else if (why == SSL_R_CERTIFICATE_VERIFY_FAILED || verified != X509_V_OK) {
        tls->refusal = CTL_TLS_BAD_CERTIFICATE;
        snprintf(tls->error, sizeof(tls->error), "its certificate is not accepted: %s",
                 X509_verify_cert_error_string(verified));
    } else if (tls->n_first > 0 && tls->first[0] != SSL3_RT_HANDSHAKE) {
        tls->refusal = CTL_TLS_PLAINTEXT;
        snprintf(tls->error, sizeof(tls->error), "it does not speak TLS%s",
                 tls->n_first > 1 && tls->first[0] <= 6 && tls->first[1] == 0
                     ? " but plain OpenFlow: this address is for ssl:"
                     : "");
    } else {
        snprintf(tls->error, sizeof(tls->error), "%s", reason());
    }
}

/* What OpenSSL's result means as errno. What failed for good is found again by the next read, so
 * the socket is made to wake whoever waits for it. */
static ssize_t
failed(struct ctl_tls *tls, int result, bool writing)
{
    int saved = errno, error = SSL_get_error(tls->ssl, result);

    switch (error) {
    case SSL_ERROR_WANT_READ:
        if (writing)
            tls->write_waits_in = true;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_WANT_WRITE:
        if (!writing)
            tls->read_waits_out = true;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        break;
    }
    shutdown(tls->fd, SHUT_RD);
    if (tls->broken == 0 && error == SSL_ERROR_SYSCALL) {
        tls->broken = saved != 0 && saved != EAGAIN ? saved : ECONNRESET;
        tls->refusal = CTL_TLS_GONE;
        snprintf(tls->error, sizeof(tls->error), "%s",
                 tls->eof ? "the peer closed" : strerror(tls->broken));
    } else if (tls->broken == 0) {
        tls->broken = EPROTO;
        explain(tls);
    }
    errno = tls->broken; /* with the words of the first time */
    return -1;
}

int
ctl_tls_handshake(struct ctl_tls *tls)
{
    int result;

    ERR_clear_error();
    tls->budget = BUDGET;
    tls->read_waits_out = false;
    errno = 0;
    result = SSL_do_handshake(tls->ssl);
    if (result == 1) {
        tls->established = true;
        keep_subject(tls);
        return 1;
    }
    if (failed(tls, result, false) == 0) { /* a goodbye in the middle of the handshake */
        tls->refusal = CTL_TLS_GONE;
        snprintf(tls->error, sizeof(tls->error), "the peer closed");
        return -1;
    }
    return errno == EAGAIN ? 0 : -1;
}

ssize_t
ctl_tls_read(struct ctl_tls *tls, uint8_t *ret, size_t size)
{
    size_t n = 0, some;
    ssize_t end = -1;

    ERR_clear_error();
    tls->budget = size - RECORD_MAX < BUDGET ? size - RECORD_MAX : BUDGET;
    tls->read_waits_out = tls->write_waits_in = false;
    errno = 0;
    while (n < size) {
        int result = SSL_read_ex(tls->ssl, ret + n, size - n, &some);

        if (result != 1) {
            end = failed(tls, result, false);
            break;
        }
        n += some;
    }
    return n > 0 ? (ssize_t)n : end;
}

ssize_t
ctl_tls_write(struct ctl_tls *tls, const uint8_t *data, size_t size)
{
    size_t n;
    int result;

    if (tls->broken != 0) {
        errno = tls->broken;
        return -1;
    }
    ERR_clear_error();
    tls->write_waits_in = false;
    errno = 0;
    result = SSL_write_ex(tls->ssl, data, size, &n);
    if (result == 1)
        return (ssize_t)n;
    if (failed(tls, result, true) == 0)
        errno = EPIPE; /* the peer has said goodbye */
    return -1;
}

bool
ctl_tls_waits_out(const struct ctl_tls *tls)
{
    return tls->read_waits_out;
}

bool
ctl_tls_waits_in(const struct ctl_tls *tls)
{
    return tls->write_waits_in;
}

const char *
ctl_tls_error(const struct ctl_tls *tls)
{
    return tls->error;
}

const char *
ctl_tls_subject(const struct ctl_tls *tls)
{
    return tls->subject;
}

enum ctl_tls_refusal
ctl_tls_refusal(const struct ctl_tls *tls)
{
    return tls->refusal;
}
