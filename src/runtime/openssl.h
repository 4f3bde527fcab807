/* OpenSSL, loaded when a listener first asks for TLS and not with the program: it costs a server
 * without TLS neither start time nor memory.
 */
#ifndef CAIRN_RUNTIME_OPENSSL_H
#define CAIRN_RUNTIME_OPENSSL_H

#include "base/status.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/* Functions only: macros of its headers that call others are spelled out where they are needed. */
#define OPENSSL_FUNCTIONS(X)              \
    X(ASN1_STRING_to_UTF8)                \
    X(ASN1_STRING_type)                   \
    X(BIO_ctrl)                           \
    X(BIO_free)                           \
    X(BIO_new)                            \
    X(BIO_s_mem)                          \
    X(BIO_up_ref)                         \
    X(BIO_write)                          \
    X(CRYPTO_free)                        \
    X(ERR_clear_error)                    \
    X(ERR_peek_error)                     \
    X(ERR_reason_error_string)            \
    X(OBJ_obj2nid)                        \
    X(OBJ_obj2txt)                        \
    X(SSL_CTX_check_private_key)          \
    X(SSL_CTX_ctrl)                       \
    X(SSL_CTX_free)                       \
    X(SSL_CTX_load_verify_file)           \
    X(SSL_CTX_new)                        \
    X(SSL_CTX_set_client_CA_list)         \
    X(SSL_CTX_set_default_passwd_cb)      \
    X(SSL_CTX_set_num_tickets)            \
    X(SSL_CTX_set_options)                \
    X(SSL_CTX_set_verify)                 \
    X(SSL_CTX_use_PrivateKey_file)        \
    X(SSL_CTX_use_certificate_chain_file) \
    X(SSL_do_handshake)                   \
    X(SSL_free)                           \
    X(SSL_get1_peer_certificate)          \
    X(SSL_get_error)                      \
    X(SSL_load_client_CA_file)            \
    X(SSL_new)                            \
    X(SSL_read)                           \
    X(SSL_set0_wbio)                      \
    X(SSL_set_accept_state)               \
    X(SSL_set_bio)                        \
    X(SSL_shutdown)                       \
    X(SSL_write)                          \
    X(TLS_server_method)                  \
    X(X509_NAME_ENTRY_get_data)           \
    X(X509_NAME_ENTRY_get_object)         \
    X(X509_NAME_ENTRY_set)                \
    X(X509_NAME_entry_count)              \
    X(X509_NAME_get_entry)                \
    X(X509_free)                          \
    X(X509_get_subject_name)              \
    X(i2d_ASN1_TYPE)

struct openssl {
#define X(name) __typeof__(name) *name;
    OPENSSL_FUNCTIONS(X)
#undef X
};

/* CAIRN_NOT_FOUND: the library is not installed, or too old. It stays loaded. */
enum cairn_status openssl_load(struct openssl *openssl);

#endif
