/* Hashes and MACs against published vectors, encodings against RFC 4648, and what must be refused. */
#include "base/crypto.h"

#include <stdlib.h>

#include "tests.h"

static void assert_hex(const uint8_t *bytes, size_t count, const char *expected) {
    char hex[129];
    assert_true(2 * count < sizeof(hex));
    hex_encode(bytes, count, hex);
    assert_string_equal(hex, expected);
}

/* FIPS 180-2, appendix B; the last is a million times "a". */
static const struct {
    const char *piece;
    size_t times;
    const char *digest;
} hashes[] = {
    { "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 25000,
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
};

static void sha256_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
        struct sha256_stream stream;
        uint8_t digest[SHA256_SIZE];
        sha256_begin(&stream);
        for (size_t n = 0; n < hashes[i].times; n++) {
            sha256_add(&stream, hashes[i].piece, strlen(hashes[i].piece));
            sha256_add(&stream, NULL, 0);
        }
        sha256_end(&stream, digest);
        assert_hex(digest, sizeof(digest), hashes[i].digest);
        if (hashes[i].times == 1) {
            crypto_sha256(text_of(hashes[i].piece), digest);
            assert_hex(digest, sizeof(digest), hashes[i].digest);
        }
    }
    uint8_t digest[SHA256_SIZE];
    crypto_sha256(TEXT_NONE, digest);
    assert_hex(digest, sizeof(digest), hashes[0].digest);
}

/* RFC 4231, test cases 1 to 4, 6 and 7. */
/* The reference implementation's vectors: the key is 00 01 ... 0f. */
static void short_mac_vectors(void **state) {
    uint8_t key[SHORT_MAC_KEY_SIZE], mac[SHORT_MAC_SIZE];
    (void)state;

    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    crypto_short_mac(key, TEXT(""), mac);
    assert_hex(mac, sizeof mac, "a3817f04ba25a8e66df67214c7550293");
    crypto_short_mac(key, TEXT("\0"), mac);
    assert_hex(mac, sizeof mac, "da87c1d86b99af44347659119b22fc45");
}

static void short_macs_differ_in_any_bit(void **state) {
    uint8_t mac[SHORT_MAC_SIZE] = { 1, 2, 3 }, other[SHORT_MAC_SIZE] = { 1, 2, 3 };
    (void)state;

    assert_true(crypto_short_mac_equal(mac, other));
    for (size_t bit = 0; bit < 8 * sizeof mac; bit++) {
        other[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(crypto_short_mac_equal(mac, other));
        other[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void hmac_vectors(void **state) {
    (void)state;
    static const struct {
        const char *key, *data, *mac; /* key and data in hex */
    } cases[] = {
        { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
          "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
        { "0102030405060708090a0b0c0d0e0f10111213141516171819",
          "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
          "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t key[64], data[64], mac[SHA256_SIZE];
        size_t key_len = strlen(cases[i].key) / 2, data_len = strlen(cases[i].data) / 2;
        assert_true(hex_decode(text_of(cases[i].key), key, key_len));
        assert_true(hex_decode(text_of(cases[i].data), data, data_len));
        crypto_hmac_sha256((struct text){ (char *)key, key_len }, (struct text){ (char *)data, data_len }, mac);
        assert_hex(mac, sizeof(mac), cases[i].mac);
    }
    /* Cases 6 and 7: a key of 131 bytes, longer than a block. */
    char long_key[131];
    memset(long_key, 0xaa, sizeof(long_key));
    uint8_t mac[SHA256_SIZE];
    crypto_hmac_sha256((struct text){ long_key, sizeof(long_key) },
                       TEXT("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    assert_hex(mac, sizeof(mac), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    crypto_hmac_sha256((struct text){ long_key, sizeof(long_key) },
                       TEXT("This is a test using a larger than block-size key and a larger than block-size data. "
                            "The key needs to be hashed before being used by the HMAC algorithm."),
                       mac);
    assert_hex(mac, sizeof(mac), "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
    crypto_hmac_sha256(TEXT_NONE, TEXT_NONE, mac);
    assert_hex(mac, sizeof(mac), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 8032 section 7.1, tests 1 to 3; each with every bit flipped. */
static void ed25519_vectors(void **state) {
    (void)state;
    static const struct {
        const char *key;
        struct text message;
        const char *signature;
    } cases[] = {
        { "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", { NULL, 0 },
          "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
          "d25bf5f0595bbe24655141438e7a100b" },
        { "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", { "\x72", 1 },
          "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
          "387b2eaeb4302aeeb00d291612bb0c00" },
        { "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", { "\xaf\x82", 2 },
          "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
          "4a7c15e9716ed28dc027beceea1ec40a" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t key[ED25519_KEY_SIZE], signature[ED25519_SIGNATURE_SIZE];
        assert_true(hex_decode(text_of(cases[i].key), key, sizeof(key)));
        assert_true(hex_decode(text_of(cases[i].signature), signature, sizeof(signature)));
        assert_true(crypto_ed25519_verify(key, cases[i].message, signature));
        assert_false(crypto_ed25519_verify(key, TEXT("another"), signature));
        for (size_t bit = 0; bit < 8 * sizeof(signature); bit++) {
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(crypto_ed25519_verify(key, cases[i].message, signature));
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t bit = 0; bit < 8 * sizeof(key); bit++) {
            key[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(crypto_ed25519_verify(key, cases[i].message, signature));
            key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    /* The neutral element as key and as half of a signature would fit every message. */
    uint8_t neutral[ED25519_KEY_SIZE] = { 1 }, forged[ED25519_SIGNATURE_SIZE] = { 1 };
    assert_false(crypto_ed25519_verify(neutral, TEXT("anything"), forged));
}

static void comparing(void **state) {
    (void)state;
    assert_true(crypto_equal("abc", "abc", 3));
    assert_true(crypto_equal("abc", "abd", 2));
    assert_false(crypto_equal("abc", "abd", 3));
    assert_false(crypto_equal("xbc", "abc", 3));
    assert_true(crypto_equal("a", "b", 0));
}

static void random_bytes_differ_and_stay_below(void **state) {
    (void)state;
    uint8_t one[16], two[16];
    crypto_random(one, sizeof(one));
    crypto_random(two, sizeof(two));
    assert_memory_not_equal(one, two, sizeof(one));
    bool seen[3] = { false };
    for (int i = 0; i < 1000; i++) {
        uint32_t drawn = crypto_random_below(3);
        assert_true(drawn < 3);
        seen[drawn] = true;
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    assert_int_equal(crypto_random_below(1), 0);
}

static void hex(void **state) {
    (void)state;
    uint8_t bytes[4] = { 0 };
    assert_true(hex_decode(TEXT("00fFa9Bc"), bytes, 4));
    assert_hex(bytes, 4, "00ffa9bc");
    assert_hex(bytes, 0, "");
    static const char *const bad[] = { "",         "0",        "00ffa9b",  "00ffa9bcc", "00ffa9bcdd",
                                       "00ffa9bg", "00ffa9b ", "0x00ffa9", "00ffa9b/",  "00ffa9b:",
                                       "00ffa9b@", "00ffa9b`", "@@@@@@@@" };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(hex_decode(text_of(bad[i]), bytes, 4));
    }
    assert_hex(bytes, 4, "00ffa9bc");
    assert_true(hex_decode(TEXT_NONE, bytes, 0));
}

static void base64_vectors(void **state) {
    (void)state;
    static const struct {
        const char *plain, *encoded, *url;
    } cases[] = {
        { "", "", "" },
        { "f", "Zg==", "Zg" },
        { "fo", "Zm8=", "Zm8" },
        { "foo", "Zm9v", "Zm9v" },
        { "foob", "Zm9vYg==", "Zm9vYg" },
        { "fooba", "Zm9vYmE=", "Zm9vYmE" },
        { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
        { "\xfb\xff\xfe", "+//+", "-__-" },
        { "\xff", "/w==", "_w" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char encoded[32];
        size_t plain_len = strlen(cases[i].plain);
        assert_int_equal(base64_encoded_size(plain_len), strlen(cases[i].encoded) + 1);
        base64_encode((const uint8_t *)cases[i].plain, plain_len, encoded);
        assert_string_equal(encoded, cases[i].encoded);
        base64url_encode((const uint8_t *)cases[i].plain, plain_len, encoded);
        assert_string_equal(encoded, cases[i].url);
        const char *const both[] = { cases[i].encoded, cases[i].url };
        for (size_t form = 0; form < ARRAY_SIZE(both); form++) {
            uint8_t decoded[16];
            size_t len = 77;
            assert_true(base64_decode(text_of(both[form]), decoded, sizeof(decoded), &len));
            assert_int_equal(len, plain_len);
            assert_memory_equal(decoded, cases[i].plain, plain_len);
            assert_true(base64_decoded_max(strlen(both[form])) >= plain_len);
        }
    }
}

static void base64_tolerates_space_and_mixed_alphabets(void **state) {
    (void)state;
    static const char *const forms[] = { " Zm9v\r\nYmE=\n", "Z m 9 v Y m E", "Zm9vYmE =", "\tZm9vYmE=\t", "Zm9vYm\nE" };
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        uint8_t decoded[16];
        size_t len;
        assert_true(base64_decode(text_of(forms[i]), decoded, sizeof(decoded), &len));
        assert_int_equal(len, 5);
        assert_memory_equal(decoded, "fooba", 5);
    }
    uint8_t decoded[3];
    size_t len;
    assert_true(base64_decode(TEXT("+_/-"), decoded, sizeof(decoded), &len));
    assert_hex(decoded, 3, "fbfffe");
}

static void base64_refuses_the_rest(void **state) {
    (void)state;
    static const char *const bad[] = {
        "Z",    "Zm9vY", "=",    "==",   "Zg=",  "Zg===", "Zm8==", "Zm9v=",    "Zm9v====", "Zg==Zg==",           "Zm=8",
        "Z===", "Zh==",  "Zo==", "Zm+=", "Zm9=", "Zm9v!", "Zm9v.", "Zm9v\x80", "Zm9v,",    "data:x;base64,Zm9v", "Zg=A",
    };
    size_t len = 77;
    uint8_t decoded[64];
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(base64_decode(text_of(bad[i]), decoded, sizeof(decoded), &len));
    }
    assert_false(base64_decode(TEXT("Zm9v\0"), decoded, sizeof(decoded), &len));
    assert_false(base64_decode(TEXT("Zm9v"), decoded, 2, &len)); /* no room */
    assert_int_equal(len, 77);
    assert_true(base64_decode(TEXT("Zm9v"), decoded, 3, &len));
    assert_true(base64_decode(TEXT_NONE, decoded, 0, &len));
    assert_int_equal(len, 0);
}

/* Every length, into exactly the room that base64_decoded_max() asks for. */
static void base64_there_and_back(void **state) {
    (void)state;
    for (size_t count = 0; count < 200; count++) {
        uint8_t bytes[200];
        crypto_random(bytes, sizeof(bytes));
        char *encoded = malloc(base64_encoded_size(count));
        for (int url = 0; url <= 1; url++) {
            (url ? base64url_encode : base64_encode)(bytes, count, encoded);
            size_t room = base64_decoded_max(strlen(encoded)), len;
            uint8_t *decoded = malloc(room + 1);
            assert_true(base64_decode(text_of(encoded), decoded, room, &len));
            assert_int_equal(len, count);
            assert_memory_equal(decoded, bytes, count);
            free(decoded);
        }
        free(encoded);
    }
}

int test_crypto(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_vectors),
        cmocka_unit_test(short_mac_vectors),
        cmocka_unit_test(short_macs_differ_in_any_bit),
        cmocka_unit_test(hmac_vectors),
        cmocka_unit_test(ed25519_vectors),
        cmocka_unit_test(comparing),
        cmocka_unit_test(random_bytes_differ_and_stay_below),
        cmocka_unit_test(hex),
        cmocka_unit_test(base64_vectors),
        cmocka_unit_test(base64_tolerates_space_and_mixed_alphabets),
        cmocka_unit_test(base64_refuses_the_rest),
        cmocka_unit_test(base64_there_and_back),
    };
    return cmocka_run_group_tests_name("base/crypto", tests, NULL, NULL);
}
