/* Hashes, MACs, encodings and random bytes, over libsodium and nettle. Any thread after crypto_init(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/errors.h"
#include "base/text.h"

#define SHA256_SIZE 32
#define SHA256_HEX_SIZE 65 /* with the NUL */

/* Must succeed before anything else here; once, at the start of main. */
enum err crypto_init(void) must_check;

void crypto_random(void *bytes, size_t count);
/* Uniform in [0, bound). */
uint32_t crypto_random_below(uint32_t bound);

void crypto_sha256(struct text data, uint8_t ret[SHA256_SIZE]);

/* Tells versions of one text from each other: the same for the same bytes, in every process. No secret and no signature:
 * whoever chooses both texts can make two that agree. */
uint64_t crypto_tag(struct text data);

#define SHORT_MAC_SIZE 16
#define SHORT_MAC_KEY_SIZE 16
/* SipHash-2-4 with 128 bits: a tenth of what SHA-256 costs for a line of text. Who does not know the key can neither tell the
 * MAC of a text nor find a text with a given one; for what stays in this process. */
void crypto_short_mac(const uint8_t key[SHORT_MAC_KEY_SIZE], struct text data, uint8_t ret[SHORT_MAC_SIZE]);

/* Takes the same time whatever the bytes are. */
static inline bool crypto_short_mac_equal(const uint8_t a[SHORT_MAC_SIZE], const uint8_t b[SHORT_MAC_SIZE]) {
    uint64_t of_a[2], of_b[2];
    _Static_assert(sizeof of_a == SHORT_MAC_SIZE, "all of it is compared");
    memcpy(of_a, a, sizeof of_a);
    memcpy(of_b, b, sizeof of_b);
    return ((of_a[0] ^ of_b[0]) | (of_a[1] ^ of_b[1])) == 0;
}

/* SHA-256 over pieces, for streams. */
struct sha256_stream { _Alignas(16) uint8_t opaque[128]; };
void sha256_begin(struct sha256_stream *stream);
void sha256_add(struct sha256_stream *stream, const void *bytes, size_t count);
void sha256_end(struct sha256_stream *stream, uint8_t ret[SHA256_SIZE]);

/* RFC 2104 with SHA-256; any key length. */
void crypto_hmac_sha256(struct text key, struct text data, uint8_t ret[SHA256_SIZE]);

#define ED25519_KEY_SIZE 32
#define ED25519_SIGNATURE_SIZE 64
/* RFC 8032, with a public key. False also for keys and signatures that nobody could have made honestly: points of small
 * order, numbers out of range. */
bool crypto_ed25519_verify(const uint8_t key[ED25519_KEY_SIZE], struct text message,
                           const uint8_t signature[ED25519_SIGNATURE_SIZE]) must_check;

/* Takes the same time whatever the bytes are. */
bool crypto_equal(const void *a, const void *b, size_t count) must_check;

/* Lower-case hex; ret holds 2 * count + 1 bytes. */
void hex_encode(const uint8_t *bytes, size_t count, char *ret);
/* Exactly 2 * count hex digits, either case. */
bool hex_decode(struct text hex, uint8_t *ret, size_t count) must_check;

/* Base64 (RFC 4648 section 4). Decoding accepts the standard and the URL alphabet, with or without
 * padding, and skips white space; anything else is false. ret holds at least base64_decoded_max(len) bytes. */
size_t base64_decoded_max(size_t encoded_len);
bool base64_decode(struct text encoded, uint8_t *ret, size_t ret_size, size_t *ret_len) must_check;
/* ret holds base64_encoded_size(count) bytes, NUL included. */
size_t base64_encoded_size(size_t count);
void base64_encode(const uint8_t *bytes, size_t count, char *ret);
/* RFC 4648 section 5, no padding. */
void base64url_encode(const uint8_t *bytes, size_t count, char *ret);
