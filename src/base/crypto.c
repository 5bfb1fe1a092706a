/* Hashes, MACs, encodings and random bytes: libsodium under our types, and nettle for SHA-256, for which it uses the
 * processor's own instructions. */
#include "base/crypto.h"

#include <assert.h>
#include <nettle/hmac.h>
#include <sodium.h>

static_assert(sizeof(struct sha256_ctx) <= sizeof(struct sha256_stream), "the state must fit");
static_assert(SHA256_SIZE == SHA256_DIGEST_SIZE, "one size of digests");
static_assert(SHORT_MAC_SIZE == crypto_shorthash_siphashx24_BYTES, "one size of short MACs");
static_assert(SHORT_MAC_KEY_SIZE == crypto_shorthash_siphashx24_KEYBYTES, "and of their keys");
static_assert(ED25519_KEY_SIZE == crypto_sign_PUBLICKEYBYTES, "one size of public keys");
static_assert(ED25519_SIGNATURE_SIZE == crypto_sign_BYTES, "and of signatures");

enum err crypto_init(void) {
    return sodium_init() < 0 ? ERR_INTERNAL : OK;
}

void crypto_random(void *bytes, size_t count) {
    randombytes_buf(bytes, count);
}

uint32_t crypto_random_below(uint32_t bound) {
    return randombytes_uniform(bound);
}

/* libsodium wants an address even for no bytes. */
static const uint8_t *bytes_of(struct text t) {
    return (const uint8_t *)(t.ptr != NULL ? t.ptr : "");
}

void crypto_sha256(struct text data, uint8_t ret[SHA256_SIZE]) {
    struct sha256_ctx state;
    sha256_init(&state);
    sha256_update(&state, data.len, bytes_of(data));
    sha256_digest(&state, SHA256_SIZE, ret);
}

uint64_t crypto_tag(struct text data) {
    static const uint8_t key[crypto_shorthash_siphash24_KEYBYTES] = "fennec body tag";
    uint8_t hash[crypto_shorthash_siphash24_BYTES];
    uint64_t tag = 0;
    crypto_shorthash_siphash24(hash, bytes_of(data), data.len, key);
    for (size_t i = 0; i < sizeof(hash); i++)
        tag = tag << 8 | hash[i];
    return tag;
}

void crypto_short_mac(const uint8_t key[SHORT_MAC_KEY_SIZE], struct text data, uint8_t ret[SHORT_MAC_SIZE]) {
    crypto_shorthash_siphashx24(ret, bytes_of(data), data.len, key);
}

static struct sha256_ctx *state_of(struct sha256_stream *stream) {
    return (struct sha256_ctx *)(void *)stream->opaque;
}

void sha256_begin(struct sha256_stream *stream) {
    sha256_init(state_of(stream));
}

void sha256_add(struct sha256_stream *stream, const void *bytes, size_t count) {
    if (count > 0) {
        sha256_update(state_of(stream), count, bytes);
    }
}

void sha256_end(struct sha256_stream *stream, uint8_t ret[SHA256_SIZE]) {
    sha256_digest(state_of(stream), SHA256_SIZE, ret);
}

void crypto_hmac_sha256(struct text key, struct text data, uint8_t ret[SHA256_SIZE]) {
    struct hmac_sha256_ctx state;
    hmac_sha256_set_key(&state, key.len, bytes_of(key));
    hmac_sha256_update(&state, data.len, bytes_of(data));
    hmac_sha256_digest(&state, SHA256_SIZE, ret);
    sodium_memzero(&state, sizeof(state));
}

bool crypto_ed25519_verify(const uint8_t key[ED25519_KEY_SIZE], struct text message,
                           const uint8_t signature[ED25519_SIGNATURE_SIZE]) {
    return crypto_sign_verify_detached(signature, bytes_of(message), message.len, key) == 0;
}

bool crypto_equal(const void *a, const void *b, size_t count) {
    return sodium_memcmp(a, b, count) == 0;
}

void hex_encode(const uint8_t *bytes, size_t count, char *ret) {
    sodium_bin2hex(ret, 2 * count + 1, bytes, count);
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

bool hex_decode(struct text hex, uint8_t *ret, size_t count) {
    if (hex.len % 2 != 0 || hex.len / 2 != count) {
        return false;
    }
    for (size_t i = 0; i < hex.len; i++) {
        if (hex_digit(hex.ptr[i]) < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        ret[i] = (uint8_t)(hex_digit(hex.ptr[2 * i]) * 16 + hex_digit(hex.ptr[2 * i + 1]));
    }
    return true;
}

/* Own decoder: libsodium's takes one alphabet at a time and is slow by design, and uploads are megabytes of base64. */
enum { BAD = 0, LETTER_LAST = 64, SPACE, PAD };

/* A letter's six bits plus one, so that whatever is not listed is BAD. */
static const uint8_t kinds[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,   ['D'] = 4,     ['E'] = 5,      ['F'] = 6,      ['G'] = 7,      ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11,  ['L'] = 12,    ['M'] = 13,     ['N'] = 14,     ['O'] = 15,     ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19,  ['T'] = 20,    ['U'] = 21,     ['V'] = 22,     ['W'] = 23,     ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27,  ['b'] = 28,    ['c'] = 29,     ['d'] = 30,     ['e'] = 31,     ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35,  ['j'] = 36,    ['k'] = 37,     ['l'] = 38,     ['m'] = 39,     ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43,  ['r'] = 44,    ['s'] = 45,     ['t'] = 46,     ['u'] = 47,     ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51,  ['z'] = 52,    ['0'] = 53,     ['1'] = 54,     ['2'] = 55,     ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59,  ['7'] = 60,    ['8'] = 61,     ['9'] = 62,     ['+'] = 63,     ['-'] = 63,
    ['/'] = 64, ['_'] = 64, ['='] = PAD, [' '] = SPACE, ['\t'] = SPACE, ['\r'] = SPACE, ['\n'] = SPACE,
};

size_t base64_decoded_max(size_t encoded_len) {
    return encoded_len / 4 * 3 + encoded_len % 4 * 3 / 4;
}

/* The end of the text: padding is absent or complete, and the last letter's spare bits are zero. */
static bool ends_well(unsigned letters, unsigned pads, uint32_t bits) {
    unsigned over = letters % 4;
    if (over == 1 || (pads > 0 && (over == 0 || over + pads != 4))) {
        return false;
    }
    return over == 0 || (bits & (over == 2 ? 0xF : 0x3)) == 0;
}

bool base64_decode(struct text encoded, uint8_t *ret, size_t ret_size, size_t *ret_len) {
    size_t len = 0;
    uint32_t bits = 0;
    unsigned letters = 0, pads = 0;
    for (size_t i = 0; i < encoded.len; i++) {
        uint8_t kind = kinds[(uint8_t)encoded.ptr[i]];
        if (kind == SPACE) {
            continue;
        }
        if (kind == PAD && pads < 2) {
            pads++;
            continue;
        }
        if (kind == BAD || kind > LETTER_LAST || pads > 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)(kind - 1);
        letters++;
        if (letters % 4 != 1) {
            if (len == ret_size) {
                return false;
            }
            ret[len++] = (uint8_t)(bits >> (4 - letters % 4) % 4 * 2);
        }
    }
    if (!ends_well(letters % 4, pads, bits)) {
        return false;
    }
    *ret_len = len;
    return true;
}

size_t base64_encoded_size(size_t count) {
    return (count + 2) / 3 * 4 + 1;
}

void base64_encode(const uint8_t *bytes, size_t count, char *ret) {
    sodium_bin2base64(ret, base64_encoded_size(count), bytes, count, sodium_base64_VARIANT_ORIGINAL);
}

void base64url_encode(const uint8_t *bytes, size_t count, char *ret) {
    size_t size = sodium_base64_encoded_len(count, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_bin2base64(ret, size, bytes, count, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}
