/* Keys as text: "sk-live-", "sk-test-" or "sk-admin-" and 43 characters of base64url, which carry 256 random bits.
 *
 * A key is shown once, when it is made; what is kept is its hash and its first characters. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/text.h"

#define API_KEY_SIZE 53        /* of the longest, with the NUL */
#define API_KEY_PREFIX_SIZE 17 /* the mode and 7 or 8 characters, with the NUL */
#define API_KEY_HASH_SIZE 32

/* Whom it lets in: an account, to its live or its test mode, or an operator. */
enum api_key_kind { API_KEY_LIVE, API_KEY_TEST, API_KEY_ADMIN };

/* A fresh key, terminated. */
void api_key_new(char ret[API_KEY_SIZE], enum api_key_kind kind);
/* As what kind of key the text gives itself out, by its start and its length; *ret untouched on failure. Pure. */
bool api_key_claims(struct text key, enum api_key_kind *ret) must_check;
/* Whether the text has the form of a key, and if so of which kind; *ret untouched on failure. Pure. */
bool api_key_parse(struct text key, enum api_key_kind *ret) must_check;
/* What is stored and looked up instead of the key. Pure. */
void api_key_hash(struct text key, uint8_t ret[API_KEY_HASH_SIZE]);
/* The start of a well-formed key, for people to tell keys apart; terminated. Pure. */
void api_key_prefix(const char *key, char ret[API_KEY_PREFIX_SIZE]);
