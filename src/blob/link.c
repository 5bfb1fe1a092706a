/* Makes and checks signed result URLs.
 *
 * The signature is compared as the characters that arrived, never decoded: a base64url text has spare bits, and two
 * spellings of one signature would be two URLs. */
#include "blob/link.h"

#define SIGNATURE_LENGTH 43 /* base64url of 32 bytes, no padding */
#define HASH_LENGTH (SHA256_HEX_SIZE - 1)
#define NAME_MAX_LENGTH (sizeof((struct link *)0)->name - 1)
/* prefix, hash, '/', name, '\n', expiry */
#define SIGNED_MAX (sizeof(LINK_PATH_PREFIX) + HASH_LENGTH + NAME_MAX_LENGTH + 24)
#define OWNER_SIZE 8    /* bytes of an account's number */
#define OWNER_LENGTH 11 /* their base64url */

static bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

static void sign(struct text path, struct text expires, const uint8_t secret[32], char ret[SIGNATURE_LENGTH + 1]) {
    struct buffer covered;
    uint8_t mac[SHA256_SIZE];

    buffer_init(&covered, SIGNED_MAX);
    buffer_put(&covered, path);
    buffer_put_char(&covered, '\n');
    buffer_put(&covered, expires);
    crypto_hmac_sha256((struct text){ (const char *)secret, 32 }, buffer_text(&covered), mac);
    base64url_encode(mac, sizeof mac, ret);
    buffer_fini(&covered);
}

/* Harmless in a path, a header and a file system: no separators, no leading dot; the end is kept, for the extension. */
static void put_name(struct buffer *buf, struct text name) {
    if (name.len == 0) {
        name = TEXT("file");
    }
    if (name.len > NAME_MAX_LENGTH) {
        name = (struct text){ name.ptr + name.len - NAME_MAX_LENGTH, NAME_MAX_LENGTH };
    }
    for (size_t i = 0; i < name.len; i++) {
        bool kept = is_name_character(name.ptr[i]) && !(i == 0 && name.ptr[i] == '.');
        buffer_put_char(buf, kept ? name.ptr[i] : '_');
    }
}

int64_t link_ends_s(int64_t now_ms, int64_t ttl_s) {
    return (now_ms + 999) / 1000 + ttl_s;
}

void link_put(struct buffer *buf, const uint8_t secret[32], const char *hash, struct text name, int64_t expires_s) {
    char signature[SIGNATURE_LENGTH + 1], expires[24];
    struct buffer path;

    snprintf(expires, sizeof expires, "%lld", (long long)expires_s);
    buffer_init(&path, SIGNED_MAX);
    buffer_put(&path, TEXT(LINK_PATH_PREFIX));
    buffer_put(&path, text_of(hash));
    buffer_put_char(&path, '/');
    put_name(&path, name);
    sign(buffer_text(&path), text_of(expires), secret, signature);
    buffer_put(buf, buffer_text(&path));
    buffer_printf(buf, "?expires=%s&signature=%s", expires, signature);
    buffer_fini(&path);
}

/* Takes `prefix` off the start of *t. */
static bool take(struct text *t, struct text prefix) {
    if (!text_starts(*t, prefix)) {
        return false;
    }
    *t = (struct text){ t->ptr + prefix.len, t->len - prefix.len };
    return true;
}

static bool is_hash(struct text t) {
    for (size_t i = 0; i < t.len; i++) {
        if (!((t.ptr[i] >= '0' && t.ptr[i] <= '9') || (t.ptr[i] >= 'a' && t.ptr[i] <= 'f'))) {
            return false;
        }
    }
    return t.len == HASH_LENGTH;
}

static bool is_name(struct text t) {
    for (size_t i = 0; i < t.len; i++) {
        if (!is_name_character(t.ptr[i])) {
            return false;
        }
    }
    return t.len > 0 && t.len <= NAME_MAX_LENGTH;
}

static bool parse_path(struct text path, struct link *link) {
    if (!take(&path, TEXT(LINK_PATH_PREFIX))) {
        return false;
    }
    struct text name = path;
    struct text hash = text_cut(&name, '/');
    if (!is_hash(hash) || !is_name(name)) {
        return false;
    }
    memcpy(link->hash, hash.ptr, hash.len);
    memcpy(link->name, name.ptr, name.len);
    return true;
}

/* Exactly "expires=N&signature=S". */
static bool parse_query(struct text query, struct text *ret_expires, struct text *ret_signature) {
    struct text rest = query;
    if (!take(&rest, TEXT("expires="))) {
        return false;
    }
    struct text expires = text_cut(&rest, '&');
    if (!take(&rest, TEXT("signature=")) || rest.len != SIGNATURE_LENGTH || expires.len > 20) {
        return false;
    }
    *ret_expires = expires;
    *ret_signature = rest;
    return true;
}

enum err link_check(struct text path, struct text query, const uint8_t secret[32], int64_t now_s, struct link *ret) {
    struct link link = { 0 };
    struct text expires, signature;
    char expected[SIGNATURE_LENGTH + 1];

    if (!parse_path(path, &link) || !parse_query(query, &expires, &signature) ||
        !text_to_i64(expires, &link.expires_s)) {
        return ERR_FILE_NOT_FOUND;
    }
    sign(path, expires, secret, expected);
    if (!crypto_equal(expected, signature.ptr, SIGNATURE_LENGTH)) {
        return ERR_FILE_NOT_FOUND;
    }
    *ret = link;
    return now_s >= link.expires_s ? ERR_RESULT_EXPIRED : OK;
}

/* Host and port, of letters, digits and their punctuation; no user, no query in its place. */
static bool is_host(struct text t) {
    for (size_t i = 0; i < t.len; i++) {
        if (!is_name_character(t.ptr[i]) && t.ptr[i] != ':' && t.ptr[i] != '[' && t.ptr[i] != ']') {
            return false;
        }
    }
    return t.len > 0;
}

/* Path and query of a whole URL; false: it is none. */
static bool split_url(struct text url, struct text *ret_path, struct text *ret_query) {
    struct text rest = url;
    if (!take(&rest, TEXT("https://")) && !take(&rest, TEXT("http://"))) {
        return false;
    }
    size_t host_length = text_find(rest, '/');
    if (!is_host((struct text){ rest.ptr, host_length })) {
        return false;
    }
    struct text query = { rest.ptr + host_length, rest.len - host_length };
    *ret_path = text_cut(&query, '?');
    *ret_query = query;
    return true;
}

enum err link_check_url(struct text url, const uint8_t secret[32], int64_t now_s, struct link *ret) {
    struct text path, query;
    return split_url(url, &path, &query) ? link_check(path, query, secret, now_s, ret) : ERR_FILE_NOT_FOUND;
}

/* ---- uploaded files ---- */

/* A mask of its own for each file; covering it twice gives the number back. */
static void mask_owner(uint8_t bytes[OWNER_SIZE], const struct file_id *id, const uint8_t secret[32]) {
    struct buffer covered;
    uint8_t mac[SHA256_SIZE];

    buffer_init(&covered, SIGNED_MAX);
    buffer_put(&covered, TEXT("owner\n"));
    buffer_put(&covered, file_id_text(id));
    crypto_hmac_sha256((struct text){ (const char *)secret, 32 }, buffer_text(&covered), mac);
    for (size_t i = 0; i < OWNER_SIZE; i++) {
        bytes[i] ^= mac[i];
    }
    buffer_fini(&covered);
}

static void put_owner(int64_t account, const struct file_id *id, const uint8_t secret[32], char ret[OWNER_LENGTH + 1]) {
    uint8_t bytes[OWNER_SIZE];
    for (size_t i = 0; i < OWNER_SIZE; i++) {
        bytes[i] = (uint8_t)((uint64_t)account >> 8 * i);
    }
    mask_owner(bytes, id, secret);
    base64url_encode(bytes, sizeof bytes, ret);
}

static bool read_owner(struct text owner, const struct file_id *id, const uint8_t secret[32], int64_t *ret) {
    uint8_t bytes[16];
    size_t count = 0;
    uint64_t account = 0;
    if (!base64_decode(owner, bytes, sizeof bytes, &count) || count != OWNER_SIZE) {
        return false;
    }
    mask_owner(bytes, id, secret);
    for (size_t i = 0; i < OWNER_SIZE; i++) {
        account |= (uint64_t)bytes[i] << 8 * i;
    }
    *ret = (int64_t)account;
    return true;
}

/* What the signature covers beside the path. */
static void put_claims(struct buffer *buf, const char *owner, int64_t expires_s) {
    buffer_printf(buf, "owner=%s&expires=%lld", owner, (long long)expires_s);
}

void file_link_put(struct buffer *buf, const uint8_t secret[32], int64_t account, const struct file_id *id,
                   struct text name, int64_t expires_s) {
    char owner[OWNER_LENGTH + 1], signature[SIGNATURE_LENGTH + 1];
    struct buffer path, claims;

    buffer_init(&path, SIGNED_MAX);
    buffer_init(&claims, SIGNED_MAX);
    buffer_printf(&path, FILE_PATH_PREFIX "%s" FILE_PATH_CONTENT, id->string);
    put_name(&path, name);
    put_owner(account, id, secret, owner);
    put_claims(&claims, owner, expires_s);
    sign(buffer_text(&path), buffer_text(&claims), secret, signature);
    buffer_printf(buf, "%s?%s&signature=%s", path.data, claims.data, signature);
    buffer_fini(&path);
    buffer_fini(&claims);
}

/* "/v1/files/ID/content/NAME" */
static bool parse_file_path(struct text path, struct file_id *ret) {
    if (!take(&path, TEXT(FILE_PATH_PREFIX))) {
        return false;
    }
    struct text rest = path;
    struct text id = text_cut(&rest, '/');
    rest = (struct text){ path.ptr + id.len, path.len - id.len };
    return file_id_parse(id, ret) && take(&rest, TEXT(FILE_PATH_CONTENT)) && is_name(rest);
}

enum err file_link_check(struct text path, struct text query, const uint8_t secret[32], int64_t now_s,
                         struct file_link *ret) {
    struct file_link link = { 0 };
    char expected[SIGNATURE_LENGTH + 1];
    struct text mark = TEXT("&signature=");

    if (!parse_file_path(path, &link.id) || query.len <= mark.len + SIGNATURE_LENGTH || query.len > SIGNED_MAX) {
        return ERR_FILE_NOT_FOUND;
    }
    struct text claims = { query.ptr, query.len - mark.len - SIGNATURE_LENGTH };
    struct text signature = { query.ptr + claims.len, query.len - claims.len };
    if (!take(&signature, mark)) {
        return ERR_FILE_NOT_FOUND;
    }
    sign(path, claims, secret, expected);
    if (!crypto_equal(expected, signature.ptr, SIGNATURE_LENGTH)) {
        return ERR_FILE_NOT_FOUND;
    }
    struct text rest = claims; /* what we wrote ourselves */
    if (!take(&rest, TEXT("owner=")) || !read_owner(text_cut(&rest, '&'), &link.id, secret, &link.account) ||
        !take(&rest, TEXT("expires=")) || !text_to_i64(rest, &link.expires_s)) {
        return ERR_FILE_NOT_FOUND;
    }
    *ret = link;
    return now_s >= link.expires_s ? ERR_RESULT_EXPIRED : OK;
}

enum err file_link_check_url(struct text url, const uint8_t secret[32], int64_t now_s, struct file_link *ret) {
    struct text path, query;
    return split_url(url, &path, &query) ? file_link_check(path, query, secret, now_s, ret) : ERR_FILE_NOT_FOUND;
}
