#include "runtime/runtime_tls_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HANDSHAKE_NS 10000000000ull

/* ---- what is wrong ---- */

static enum cairn_status complain(const struct openssl *openssl, const char *what, const char *path,
                                  char *error, size_t error_size) {
    const char *reason = openssl->ERR_reason_error_string(openssl->ERR_peek_error());
    snprintf(error, error_size, "%s %s can't be used: %s", what, path,
             reason != NULL ? reason : "unknown reason");
    return CAIRN_INVALID;
}

/* OpenSSL does not say why a file can't be opened. */
static bool is_readable(const char *what, const char *path, char *error, size_t error_size) {
    FILE *file = fopen(path, "r");
    if (file == NULL)
        snprintf(error, error_size, "%s %s can't be read: %s", what, path, strerror(errno));
    else
        fclose(file);
    return file != NULL;
}

/* ---- contexts ---- */

static int no_pass_phrase(char *room, int size, int writing, void *context) {
    return -1; /* else OpenSSL asks the terminal */
}

static void set_rules(const struct openssl *openssl, SSL_CTX *context) {
    openssl->SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
    openssl->SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
    openssl->SSL_CTX_ctrl(context, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, NULL);
    openssl->SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    openssl->SSL_CTX_set_num_tickets(context, 0);
    openssl->SSL_CTX_set_default_passwd_cb(context, no_pass_phrase);
}

static enum cairn_status use_own(const struct env_tls *tls, SSL_CTX *context, char *error,
                                 size_t error_size) {
    const struct openssl *openssl = &tls->openssl;
    if (!is_readable("the certificate", tls->certificate, error, error_size) ||
        !is_readable("the key", tls->key, error, error_size))
        return CAIRN_INVALID;
    if (openssl->SSL_CTX_use_certificate_chain_file(context, tls->certificate) != 1)
        return complain(openssl, "the certificate", tls->certificate, error, error_size);
    if (openssl->SSL_CTX_use_PrivateKey_file(context, tls->key, SSL_FILETYPE_PEM) != 1 ||
        openssl->SSL_CTX_check_private_key(context) != 1)
        return complain(openssl, "the key", tls->key, error, error_size);
    return CAIRN_OK;
}

static enum cairn_status use_authorities(const struct env_tls *tls, SSL_CTX *context, char *error,
                                         size_t error_size) {
    const struct openssl *openssl = &tls->openssl;
    int mode = SSL_VERIFY_PEER;
    if (tls->clients == RUNTIME_TLS_NONE)
        return CAIRN_OK;
    if (!is_readable("the list of authorities", tls->authorities, error, error_size))
        return CAIRN_INVALID;
    STACK_OF(X509_NAME) *names = openssl->SSL_load_client_CA_file(tls->authorities);
    if (names == NULL || openssl->SSL_CTX_load_verify_file(context, tls->authorities) != 1)
        return complain(openssl, "the list of authorities", tls->authorities, error, error_size);
    openssl->SSL_CTX_set_client_CA_list(context, names);
    if (tls->clients == RUNTIME_TLS_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    openssl->SSL_CTX_set_verify(context, mode, NULL);
    return CAIRN_OK;
}

enum cairn_status runtime_tls_reload(struct env_tls *tls, char *error, size_t error_size) {
    const struct openssl *openssl = &tls->openssl;
    openssl->ERR_clear_error();
    SSL_CTX *context = openssl->SSL_CTX_new(openssl->TLS_server_method());
    if (context == NULL)
        return complain(openssl, "TLS with", tls->certificate, error, error_size);
    set_rules(openssl, context);
    enum cairn_status status = use_own(tls, context, error, error_size);
    if (status == CAIRN_OK)
        status = use_authorities(tls, context, error, error_size);
    openssl->ERR_clear_error();
    if (status != CAIRN_OK) {
        openssl->SSL_CTX_free(context);
        return status;
    }
    openssl->SSL_CTX_free(tls->context); /* sessions that use it hold it */
    tls->context = context;
    return CAIRN_OK;
}

enum cairn_status runtime_tls_new(const struct runtime_tls_options *options, struct env_tls **out,
                                  char *error, size_t error_size) {
    struct openssl openssl;
    *out = NULL;
    if (openssl_load(&openssl) != CAIRN_OK) {
        snprintf(error, error_size, "TLS needs libssl.so.3 (OpenSSL 3), which is not installed");
        return CAIRN_NOT_FOUND;
    }
    struct env_tls *tls = cairn_alloc_zero(sizeof *tls);
    tls->openssl = openssl;
    tls->certificate = cairn_strdup(options->certificate);
    tls->key = cairn_strdup(options->key);
    tls->authorities = cairn_strdup(options->authorities);
    tls->clients = options->clients;
    tls->handshake_ns = options->handshake_ns != 0 ? options->handshake_ns : HANDSHAKE_NS;
    tls->in = openssl.BIO_new(openssl.BIO_s_mem());
    cairn_assert(tls->in != NULL);
    openssl.BIO_ctrl(tls->in, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, NULL); /* more may come */
    enum cairn_status status = runtime_tls_reload(tls, error, error_size);
    if (status == CAIRN_OK)
        *out = tls;
    else
        runtime_tls_free(tls);
    return status;
}

void runtime_tls_free(struct env_tls *tls) {
    if (tls == NULL)
        return;
    tls->openssl.SSL_CTX_free(tls->context);
    tls->openssl.BIO_free(tls->in);
    cairn_free(tls->certificate);
    cairn_free(tls->key);
    cairn_free(tls->authorities);
    cairn_free(tls);
}
