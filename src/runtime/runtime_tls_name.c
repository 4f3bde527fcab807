#include "runtime/runtime_tls_internal.h"

#include <string.h>

#define OBJECT_TEXT_MAX 128
#define ESCAPED ",=+<>#;\"\\"

static const struct {
    int nid;
    const char *word;
} words[] = {{NID_commonName, "CN"},
             {NID_countryName, "C"},
             {NID_localityName, "L"},
             {NID_stateOrProvinceName, "ST"},
             {NID_organizationName, "O"},
             {NID_organizationalUnitName, "OU"},
             {NID_streetAddress, "STREET"},
             {NID_domainComponent, "DC"},
             {NID_userId, "UID"}};

static const char *word_of(int nid) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].nid == nid)
            return words[i].word;
    return NULL;
}

static void put_text(const uint8_t *text, size_t len, struct buf *out) {
    size_t first = 0, end = len;
    while (first < len && text[first] == ' ')
        first++;
    while (end > first && text[end - 1] == ' ')
        end--;
    for (size_t i = 0; i < len; i++) {
        bool outer = i < first || i >= end;
        if (text[i] == 0) {
            buf_printf(out, "\\00");
            continue;
        }
        if (outer || strchr(ESCAPED, text[i]) != NULL)
            buf_u8(out, '\\');
        buf_u8(out, text[i]);
    }
}

static void put_encoded(const struct openssl *openssl, ASN1_STRING *value, struct buf *out) {
    ASN1_TYPE any = {.type = openssl->ASN1_STRING_type(value), .value.asn1_string = value};
    uint8_t *der = NULL;
    int len = openssl->i2d_ASN1_TYPE(&any, &der);
    buf_u8(out, '#');
    for (int i = 0; i < len; i++)
        buf_printf(out, "%02x", der[i]);
    openssl->CRYPTO_free(der, __FILE__, __LINE__);
}

static void put_attribute(const struct openssl *openssl, const X509_NAME_ENTRY *entry,
                          struct buf *out) {
    ASN1_OBJECT *object = openssl->X509_NAME_ENTRY_get_object(entry);
    ASN1_STRING *value = openssl->X509_NAME_ENTRY_get_data(entry);
    const char *word = word_of(openssl->OBJ_obj2nid(object));
    uint8_t *text = NULL;
    int len = word != NULL ? openssl->ASN1_STRING_to_UTF8(&text, value) : -1;
    char number[OBJECT_TEXT_MAX] = "";
    if (word == NULL)
        openssl->OBJ_obj2txt(number, sizeof number, object, 1);
    buf_printf(out, "%s=", word != NULL ? word : number);
    if (len >= 0)
        put_text(text, (size_t)len, out);
    else
        put_encoded(openssl, value, out);
    openssl->CRYPTO_free(text, __FILE__, __LINE__);
}

/* The last attribute first; those of one set keep their order. */
void tls_name(const struct openssl *openssl, X509 *certificate, struct buf *out) {
    const X509_NAME *name = openssl->X509_get_subject_name(certificate);
    int end = openssl->X509_NAME_entry_count(name);
    while (end > 0) {
        int first = end - 1;
        int set = openssl->X509_NAME_ENTRY_set(openssl->X509_NAME_get_entry(name, first));
        while (first > 0 &&
               openssl->X509_NAME_ENTRY_set(openssl->X509_NAME_get_entry(name, first - 1)) == set)
            first--;
        if (out->len > 0)
            buf_u8(out, ',');
        for (int i = first; i < end; i++) {
            if (i > first)
                buf_u8(out, '+');
            put_attribute(openssl, openssl->X509_NAME_get_entry(name, i), out);
        }
        end = first;
    }
}
