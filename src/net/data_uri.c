/* Reads data URIs and bare base64, bounded by the decoded size before any memory is taken. */
#include "net/data_uri.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/crypto.h"

static struct text skip(struct text t, size_t count) {
    return (struct text){ t.ptr + count, t.len - count };
}

static enum err too_large(size_t max_bytes, struct fault *fault) {
    return fault_set(fault, ERR_FILE_TOO_LARGE, "The inline file is larger than %zu bytes.", max_bytes);
}

/* Decoding skips white space, so the bound on the encoded length is generous; the exact one comes after. */
static enum err decode_base64(struct text encoded, size_t max_bytes, struct data_uri *uri, struct fault *fault) {
    encoded = text_trim(encoded);
    if (encoded.len / 8 > max_bytes / 3 + 1) {
        return too_large(max_bytes, fault);
    }
    size_t size = base64_decoded_max(encoded.len) + 1, len;
    char *bytes = malloc(size);
    if (bytes == NULL) {
        return fault_set(fault, ERR_NO_MEMORY, "No memory for %zu bytes.", size);
    }
    if (!base64_decode(encoded, (uint8_t *)bytes, size - 1, &len)) {
        free(bytes);
        return fault_set(fault, ERR_INVALID_URL, "The inline file is not valid base64.");
    }
    if (len > max_bytes) {
        free(bytes);
        return too_large(max_bytes, fault);
    }
    bytes[len] = '\0';
    uri->bytes = bytes;
    uri->len = len;
    return OK;
}

/* Percent-encoding taken away. A '%' that is not followed by two hex digits is an error. */
static enum err decode_percent(struct text encoded, size_t max_bytes, struct data_uri *uri, struct fault *fault) {
    struct buffer buf scoped(buffer_fini);
    buffer_init(&buf, max_bytes);
    buffer_put(&buf, TEXT("")); /* an empty file is a terminated empty string too */
    while (encoded.len > 0 && buffer_ok(&buf)) {
        uint8_t byte;
        size_t plain = text_find(encoded, '%');
        buffer_put(&buf, (struct text){ encoded.ptr, plain });
        encoded = skip(encoded, plain);
        if (encoded.len == 0) {
            break;
        }
        if (encoded.len < 3 || !hex_decode((struct text){ encoded.ptr + 1, 2 }, &byte, 1)) {
            return fault_set(fault, ERR_INVALID_URL,
                "The data URI has a '%%' that is not followed by two hex digits.");
        }
        buffer_put_char(&buf, (char)byte);
        encoded = skip(encoded, 3);
    }
    if (!buffer_ok(&buf)) {
        return too_large(max_bytes, fault);
    }
    uri->len = buf.len;
    uri->bytes = buffer_take(&buf);
    return OK;
}

static bool is_media_type(struct text t) {
    size_t slash = text_find(t, '/');
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || (c == '/' && i != slash)) {
            return false;
        }
    }
    return t.len <= 127 && slash > 0 && slash + 1 < t.len;
}

enum err data_uri_decode(struct text uri, size_t max_bytes, struct data_uri *ret, struct fault *fault) {
    struct data_uri_parts parts;
    if (!data_uri_split(uri, &parts)) {
        return fault_set(fault, ERR_INVALID_URL, "The data URI must have the form data:<media type>;base64,<data>.");
    }
    struct data_uri decoded = { .media_type = parts.media_type };
    if (decoded.media_type.len == 0) {
        decoded.media_type = TEXT("text/plain");
    } else if (!is_media_type(decoded.media_type)) {
        return fault_set(fault, ERR_INVALID_URL, "The data URI's media type is not valid.");
    }
    enum err err = parts.base64 ? decode_base64(parts.data, max_bytes, &decoded, fault)
                                : decode_percent(parts.data, max_bytes, &decoded, fault);
    if (err == OK) {
        *ret = decoded;
    }
    return err;
}

void data_uri_fini(struct data_uri *uri) {
    free(uri->bytes);
    *uri = (struct data_uri){ 0 };
}

enum err base64_decode_bare(struct text t, size_t max_bytes, struct data_uri *ret, struct fault *fault) {
    struct data_uri decoded = { .media_type = TEXT("") };
    enum err err = decode_base64(t, max_bytes, &decoded, fault);
    if (err == OK) {
        *ret = decoded;
    }
    return err;
}
