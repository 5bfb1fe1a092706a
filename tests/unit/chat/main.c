/* Unit tests of src/chat. */
#include "base/compiler.h"
#include "base/crypto.h"
#include "base/log.h"
#include "tests.h"

int main(void) {
    int (*const groups[])(void) = {
        test_anthropic,
        test_anthropic_answer,
        test_chunk,
        test_collect,
        test_failure,
        test_gemini,
        test_gemini_answer,
        test_lines,
        test_ollama,
        test_openai,
        test_openai_stream,
        test_protocol,
        test_stream,
        test_tokens,
    };
    if (crypto_init() != OK) {
        return 1;
    }
    log_setup(LOG_ERROR, LOG_TEXT);
    int failed = 0;
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        failed += groups[i]();
    }
    return failed > 0;
}
