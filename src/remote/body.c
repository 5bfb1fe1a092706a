/* Rendering bodies. */
#include "remote/body.h"

#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/json.h"
#include "provider/adapter.h"
#include "provider/driver.h"

#define READ_SIZE 65536
#define BOUNDARY_BYTES 16
#define OCTETS "application/octet-stream"

/* Texts as they are, everything else as JSON writes it. */
static void put_plain(struct buffer *buf, const json_t *value) {
    if (json_is_string(value)) {
        buffer_put(buf, (struct text){ json_string_value(value), json_string_length(value) });
    } else {
        json_render_to(buf, value);
    }
}

/* ---- forms ---- */

static void put_pair(struct buffer *form, const char *name, const json_t *value) {
    struct buffer scoped(buffer_fini) plain;
    buffer_init(&plain, form->max);
    put_plain(&plain, value);
    if (form->len > 0) {
        buffer_put_char(form, '&');
    }
    adapter_put_encoded(form, name);
    buffer_put_char(form, '=');
    if (plain.len > 0) {
        adapter_put_encoded(form, plain.data);
    }
}

/* A list is its name several times; null is left out. */
static void put_form(struct buffer *buf, const json_t *body) {
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)(uintptr_t)body, name, value) {
        if (json_is_array(value)) {
            for (size_t i = 0; i < json_array_size(value); i++) {
                put_pair(buf, name, json_array_get(value, i));
            }
        } else if (!json_is_null(value)) {
            put_pair(buf, name, value);
        }
    }
}

/* ---- parts ---- */

/* In a quoted parameter of a header (RFC 7578 section 4.2, as browsers do it). */
static void put_quoted(struct buffer *buf, const char *name, const char *value) {
    buffer_printf(buf, "; %s=\"", name);
    for (; *value; value++) {
        if (*value == '"') {
            buffer_put(buf, TEXT("%22"));
        } else if ((unsigned char)*value >= ' ') {
            buffer_put_char(buf, *value);
        }
    }
    buffer_put_char(buf, '"');
}

static const struct attempt_file *find_file(const struct attempt *attempt, const char *param) {
    for (unsigned i = 0; attempt && i < attempt->file_count; i++) {
        if (strcmp(attempt->files[i].param, param) == 0) {
            return &attempt->files[i];
        }
    }
    return NULL;
}

static enum err put_file(struct buffer *buf, const char *path, struct fault *fault) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = -1;
    while (fd >= 0 && buffer_reserve(buf, READ_SIZE) && (count = read(fd, buf->data + buf->len, READ_SIZE)) > 0) {
        buf->len += (size_t)count;
        buf->data[buf->len] = '\0';
    }
    if (fd >= 0) {
        close(fd);
    }
    return count == 0 || !buffer_ok(buf) ? OK : fault_set(fault, ERR_IO, "an input file cannot be read");
}

static const char *text_member(const json_t *part, const char *name, const char *fallback) {
    const char *value = json_string_value(json_object_get(part, name));
    return value ? value : fallback;
}

static enum err put_part(struct buffer *buf, const json_t *part, const struct attempt *attempt, struct fault *fault) {
    const char *param = text_member(part, "file", NULL), *value = text_member(part, "value", "");
    const struct attempt_file *file = param ? find_file(attempt, param) : NULL;
    if (param && file == NULL) {
        return fault_set(fault, ERR_SCRIPT, "a part's file is no input file of this task: %.*s",
                         TEXT_ARG(text_clip(text_of(param), 200)));
    }
    buffer_put(buf, TEXT("Content-Disposition: form-data"));
    put_quoted(buf, "name", text_member(part, "name", ""));
    if (file) {
        const char *base = strrchr(file->path, '/') ? strrchr(file->path, '/') + 1 : file->path;
        const char *type = text_member(part, "content_type", file->media_type ? file->media_type : OCTETS);
        put_quoted(buf, "filename", text_member(part, "filename", base));
        buffer_printf(buf, "\r\nContent-Type: %.*s", (int)strcspn(type, "\r\n"), type);
    }
    buffer_put(buf, TEXT("\r\n\r\n"));
    if (file) {
        return put_file(buf, file->path, fault);
    }
    buffer_put(buf, text_of(value));
    return OK;
}

static enum err put_parts(struct buffer *buf, const json_t *parts, const struct attempt *attempt,
                          char ret_type[BODY_TYPE_SIZE], struct fault *fault) {
    uint8_t random[BOUNDARY_BYTES];
    char boundary[2 * BOUNDARY_BYTES + 1];
    crypto_random(random, sizeof(random));
    hex_encode(random, sizeof(random), boundary);
    for (size_t i = 0; i < json_array_size(parts); i++) {
        buffer_printf(buf, "--%s\r\n", boundary);
        enum err err = put_part(buf, json_array_get(parts, i), attempt, fault);
        if (err != OK) {
            return err;
        }
        buffer_put(buf, TEXT("\r\n"));
    }
    buffer_printf(buf, "--%s--\r\n", boundary);
    snprintf(ret_type, BODY_TYPE_SIZE, "multipart/form-data; boundary=%s", boundary);
    return OK;
}

enum err body_render(const struct adapter_request *request, const struct attempt *attempt, struct buffer *buf,
                     char ret_type[BODY_TYPE_SIZE], struct fault *fault) {
    enum err err = OK;
    const char *kind = request->body_kind;
    if (strcmp(kind, "multipart") == 0) {
        err = put_parts(buf, request->body, attempt, ret_type, fault);
    } else if (strcmp(kind, "form") == 0) {
        put_form(buf, request->body);
        snprintf(ret_type, BODY_TYPE_SIZE, "application/x-www-form-urlencoded");
    } else if (strcmp(kind, "text") == 0) {
        put_plain(buf, request->body);
        snprintf(ret_type, BODY_TYPE_SIZE, "text/plain; charset=utf-8");
    } else {
        json_render_to(buf, request->body);
        snprintf(ret_type, BODY_TYPE_SIZE, "application/json");
    }
    if (err == OK && !buffer_ok(buf)) {
        err = buffer_error(buf, ERR_REQUEST_TOO_LARGE);
        return fault_set(fault, err, err == ERR_NO_MEMORY ? "there is no memory for the request to the service"
                                                          : "the request to the service would be too large");
    }
    return err;
}
