/* Reads boundaries, and what a part's Content-Disposition says.
 *
 * Names are quoted in three ways: browsers write %22 for a quotation mark (and %0D, %0A for line ends), older programs a
 * backslash before it, and some give a name that is not ASCII as RFC 8187 says. */
#include "http/multipart_header.h"

#define NAME_MAX_BYTES 256

static enum err malformed(struct fault *fault, const char *words) {
    return fault_set(fault, ERR_INVALID_REQUEST, "The form is malformed: %s.", words);
}

/* ---- pieces of a header's value ---- */

static void skip(struct text *rest, size_t count) {
    *rest = (struct text){ rest->ptr + count, rest->len - count };
}

static void skip_blanks(struct text *rest) {
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t'))
        skip(rest, 1);
}

static struct text take_token(struct text *rest) {
    size_t count = text_token_run(*rest);
    struct text token = { rest->ptr, count };
    skip(rest, count);
    return token;
}

/* A backslash stands before what would end the string, or before itself; any other is meant, as in "C:\\x.png". */
static bool take_quoted(struct text *rest, struct buffer *value) {
    skip(rest, 1);
    while (rest->len > 0 && rest->ptr[0] != '"') {
        bool escaped = rest->ptr[0] == '\\' && rest->len > 1 && (rest->ptr[1] == '"' || rest->ptr[1] == '\\');
        if (escaped)
            skip(rest, 1);
        buffer_put_char(value, rest->ptr[0]);
        skip(rest, 1);
    }
    if (rest->len == 0)
        return false;
    skip(rest, 1);
    return true;
}

/* ";name=value" or ";name=\"value\"", the value into an empty buffer; false: malformed. */
static bool take_parameter(struct text *rest, struct text *ret_name, struct buffer *value) {
    buffer_clear(value);
    skip(rest, 1);
    skip_blanks(rest);
    *ret_name = take_token(rest);
    if (ret_name->len == 0 || rest->len == 0 || rest->ptr[0] != '=')
        return false;
    skip(rest, 1);
    if (rest->len > 0 && rest->ptr[0] == '"') {
        if (!take_quoted(rest, value))
            return false;
    } else {
        struct text token = take_token(rest);
        if (token.len == 0)
            return false;
        buffer_put(value, token);
    }
    skip_blanks(rest);
    return buffer_ok(value);
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* ---- the boundary ---- */

static bool is_boundary(struct text t) {
    for (size_t i = 0; i < t.len; i++) {
        char c = t.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!plain && (c == '\0' || strchr("'()+_,-./:=? ", c) == NULL))
            return false;
    }
    return t.len >= 1 && t.len <= MULTIPART_BOUNDARY_MAX && t.ptr[t.len - 1] != ' ';
}

enum err multipart_read_boundary(struct text content_type, struct buffer *boundary, struct fault *fault) {
    struct text type = TEXT("multipart/form-data"), name, rest = text_trim(content_type);
    struct buffer value;
    bool well = rest.len >= type.len && text_equal_nocase((struct text){ rest.ptr, type.len }, type), found = false;

    buffer_init(&value, MULTIPART_HEADERS_MAX);
    if (well) {
        skip(&rest, type.len);
        skip_blanks(&rest);
    }
    while (well && rest.len > 0) {
        well = rest.ptr[0] == ';' && take_parameter(&rest, &name, &value);
        if (well && text_equal_nocase(name, TEXT("boundary"))) {
            well = !found && is_boundary(buffer_text(&value));
            buffer_put(boundary, well ? buffer_text(&value) : TEXT(""));
            found = true;
        }
    }
    buffer_fini(&value);
    if (well && found)
        return OK;
    return fault_set(fault, ERR_INVALID_CONTENT_TYPE,
                     "Send the request's body as Content-Type: multipart/form-data with a boundary.");
}

/* ---- a part's lines ---- */

void multipart_header_init(struct multipart_header *header) {
    *header = (struct multipart_header){ .named = false };
    buffer_init(&header->name, NAME_MAX_BYTES);
    buffer_init(&header->file_name, MULTIPART_FILE_NAME_MAX);
}

void multipart_header_fini(struct multipart_header *header) {
    buffer_fini(&header->name);
    buffer_fini(&header->file_name);
}

/* As browsers write what a quoted string cannot hold; any other percent sign is meant. */
static void put_name(struct buffer *buf, struct text value) {
    for (size_t i = 0; i < value.len; i++) {
        struct text three = { value.ptr + i, value.len - i < 3 ? value.len - i : 3 };
        if (text_equal(three, TEXT("%22")) || text_equal_nocase(three, TEXT("%0d")) ||
            text_equal_nocase(three, TEXT("%0a"))) {
            buffer_put_char(buf, three.ptr[1] == '2' ? '"' : ' ');
            i += 2;
        } else {
            buffer_put_char(buf, value.ptr[i]);
        }
    }
}

/* RFC 8187: UTF-8'language'percent-encoded. False: malformed, or another character set. */
static bool put_extended(struct buffer *buf, struct text value) {
    if (!text_equal_nocase(text_cut(&value, '\''), TEXT("utf-8")))
        return false;
    text_cut(&value, '\'');
    for (size_t i = 0; i < value.len; i++) {
        int high = 0, low = 0;
        if (value.ptr[i] != '%') {
            buffer_put_char(buf, value.ptr[i]);
            continue;
        }
        if (value.len - i < 3 || (high = hex_digit(value.ptr[i + 1])) < 0 || (low = hex_digit(value.ptr[i + 2])) < 0)
            return false;
        buffer_put_char(buf, (char)(high * 16 + low));
        i += 2;
    }
    return value.len > 0;
}

static bool is_name(const struct buffer *buf) {
    struct text name = buffer_text(buf);
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
            return false;
    return buffer_ok(buf) && text_is_utf8(name);
}

/* The extended form, wherever it stands, is better than the plain one. */
static bool take_disposition(struct multipart_header *header, struct text name, struct text value, bool *extended) {
    if (text_equal_nocase(name, TEXT("name"))) {
        if (header->named)
            return false;
        header->named = true;
        put_name(&header->name, value);
    } else if (text_equal_nocase(name, TEXT("filename*"))) {
        if (*extended)
            return false;
        *extended = header->is_file = true;
        buffer_clear(&header->file_name);
        return put_extended(&header->file_name, value);
    } else if (text_equal_nocase(name, TEXT("filename")) && !*extended) {
        if (header->is_file)
            return false;
        header->is_file = true;
        put_name(&header->file_name, value);
    }
    return true;
}

static enum err read_disposition(struct multipart_header *header, struct text rest, struct fault *fault) {
    struct text name;
    struct buffer value;
    bool extended = false;

    if (header->named)
        return malformed(fault, "a part has two Content-Disposition headers");
    bool well = text_equal_nocase(take_token(&rest), TEXT("form-data"));
    buffer_init(&value, MULTIPART_HEADERS_MAX);
    skip_blanks(&rest);
    while (well && rest.len > 0)
        well = rest.ptr[0] == ';' && take_parameter(&rest, &name, &value) &&
               take_disposition(header, name, buffer_text(&value), &extended);
    buffer_fini(&value);
    if (!well || !header->named || header->name.len == 0)
        return malformed(fault, "a part's Content-Disposition is not form-data with a name");
    if (!is_name(&header->name) || !is_name(&header->file_name))
        return malformed(fault, "a part's name is too long, has a control character, or is not UTF-8");
    return OK;
}

enum err multipart_read_line(struct multipart_header *header, struct text line, struct fault *fault) {
    struct text value = line;
    struct text name = text_cut(&value, ':');
    struct text token = name;

    if (take_token(&token).len != name.len || name.len == 0 || name.len == line.len)
        return malformed(fault, "a part's header line has no name");
    value = text_trim(value);
    if (text_has_control(value))
        return malformed(fault, "a part's header line has a control character");
    if (text_equal_nocase(name, TEXT("content-disposition")))
        return read_disposition(header, value, fault);
    if (text_equal_nocase(name, TEXT("content-transfer-encoding")) && !text_equal_nocase(value, TEXT("binary")) &&
        !text_equal_nocase(value, TEXT("8bit")) && !text_equal_nocase(value, TEXT("7bit")))
        return malformed(fault, "a part has a Content-Transfer-Encoding");
    return OK;
}
