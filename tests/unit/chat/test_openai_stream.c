/* The OpenAI dialect's streams, whole and broken, from services that differ, cut at every place. */
#include <jansson.h>

#include "chat/dialect/dialect.h"
#include "trial.h"

#define HEAD "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":["
#define FIRST                                                                                                          \
    HEAD "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"sp\xC3\xA4t "                                   \
         "\xF0\x9F\xA6\x8A\"},\"finish_reason\":null}]}"
#define MORE HEAD "{\"index\":0,\"delta\":{\"content\":\"x\"}}],  \"odd\" : 1.50 }"
#define LAST HEAD "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}"
#define USAGE                                                                                                          \
    HEAD "],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":13,"                               \
         "\"prompt_tokens_details\":{\"cached_tokens\":5},\"completion_tokens_details\":{\"reasoning_tokens\":2}}}"
#define DATA(json) "data: " json "\n\n"
#define DONE "data: [DONE]\n\n"

static const struct chat_call call = { .model = "m", .stream = true, .id = "chatcmpl-1", .created_s = 7 };

struct row {
    struct text bytes;
    const char *expected;
};

static void run(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        trial_stream(&openai_dialect, &call, rows[i].bytes, rows[i].expected);
    }
}

static void chunks_come_as_they_are(void **state) {
    (void)state;
    static const struct row rows[] = {
        { TEXT(DATA(FIRST) DATA(MORE) DATA(LAST) DATA(USAGE) DONE),
          "chunk " FIRST "\nchunk " MORE "\nchunk " LAST "\nusage 9 4 5 2\ndone\n" },
        /* comments and named events between them, CRLF, no space after the colon, nothing after [DONE] */
        { TEXT(": ping\r\n\r\ndata:" FIRST "\r\n\r\n: ping\r\n\r\nevent: ping\r\ndata:\r\n\r\ndata:" LAST
               "\r\n\r\ndata:[DONE]\r\n\r\n: bye\r\n\r\n" DATA("what is this")),
          "chunk " FIRST "\nchunk " LAST "\ndone\n" },
        { TEXT("\xEF\xBB\xBF" DATA(LAST) DONE), "chunk " LAST "\ndone\n" },
        /* blank lines first, and no empty line at the end */
        { TEXT("\n \r\n" DATA(FIRST) "data: " LAST), "chunk " FIRST "\nchunk " LAST "\ndone\n" },
        /* a finish_reason, then no [DONE] */
        { TEXT(DATA(FIRST) DATA(LAST)), "chunk " FIRST "\nchunk " LAST "\ndone\n" },
        { TEXT(DATA(FIRST) DATA(LAST) DATA(USAGE)), "chunk " FIRST "\nchunk " LAST "\nusage 9 4 5 2\ndone\n" },
        /* [DONE] without a finish_reason */
        { TEXT(DATA(FIRST) DONE), "chunk " FIRST "\ndone\n" },
        /* an object over several data lines is one with line ends in it */
        { TEXT("data: " HEAD "{\"index\":0,\ndata: \"finish_reason\":\"stop\"}]}\n\n"),
          "chunk " HEAD "{\"index\":0,\n\"finish_reason\":\"stop\"}]}\ndone\n" },
        /* what is no chunk is read over: other events, chunks of another shape */
        { TEXT(DATA("{\"type\":\"ping\"}") DATA("[1]") DATA(LAST) DONE), "chunk " LAST "\ndone\n" },
        /* Azure begins with a chunk without choices that is more than usage */
        { TEXT(DATA(HEAD "],\"prompt_filter_results\":[]}") DATA(LAST) DONE),
          "chunk " HEAD "],\"prompt_filter_results\":[]}\nchunk " LAST "\ndone\n" },
        /* what its readers need is put in where it is lacking */
        { TEXT(DATA("{\"error\":null,\"choices\":[{\"finish_reason\":\"stop\"}], \"id\":\"\"}")),
          "chunk {\"error\":null,\"choices\":[{\"finish_reason\":\"stop\"}],\"id\":\"\",\"object\":\"chat.completion.chunk\","
          "\"created\":7,\"model\":\"m\"}\ndone\n" },
    };
    run(rows, ARRAY_SIZE(rows));
}

#define MESSAGE(choice, usage)                                                                                         \
    "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\",\"choices\":[{\"index\":0" choice "}]" usage "}"
#define PIECE(choice) "chunk " HEAD "{\"index\":0" choice "}]}\n"
#define SAID ",\"message\":{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":[{\"id\":\"t\"}]}"

static void a_message_in_a_stream_is_said_once(void **state) {
    (void)state;
    static const struct row rows[] = {
        { TEXT(DATA(FIRST) DATA(MESSAGE(",\"finish_reason\":\"stop\"" SAID, ",\"usage\":{\"prompt_tokens\":1,"
                                        "\"completion_tokens\":2}")) DONE),
          "chunk " FIRST "\n" PIECE(",\"finish_reason\":\"stop\",\"delta\":{}") "usage 1 2 0 0\ndone\n" },
        { TEXT(DATA(MESSAGE(",\"delta\":{\"content\":\"b\"}" SAID ",\"finish_reason\":\"stop\"", ""))),
          PIECE(",\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"") "done\n" },
        { TEXT(DATA(MESSAGE(SAID ",\"finish_reason\":\"stop\"", ""))),
          PIECE(",\"finish_reason\":\"stop\",\"delta\":{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":["
                "{\"id\":\"t\",\"index\":0}]}") "done\n" },
    };
    run(rows, ARRAY_SIZE(rows));
}

#define COUNTED(n)                                                                                                     \
    HEAD "{\"index\":0,\"delta\":{}}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":" #n "}}"

static void usage_is_told_wherever_it_comes(void **state) {
    (void)state;
    static const struct row rows[] = {
        { TEXT(DATA(COUNTED(1)) DATA(COUNTED(2)) DONE),
          "chunk " COUNTED(1) "\nusage 9 1 0 0\nchunk " COUNTED(2) "\nusage 9 2 0 0\ndone\n" },
        /* what follows is not in it, if it says anything */
        { TEXT(DATA(COUNTED(1)) DATA(MORE) DATA(LAST) DONE),
          "chunk " COUNTED(1) "\nusage 9 1 0 0\nchunk " MORE "\nusage 9 1 0 0 estimated\nchunk " LAST "\ndone\n" },
        { TEXT(DATA(COUNTED(1)) DATA(MORE) DATA(MORE) DATA(COUNTED(2)) DATA(LAST) DONE),
          "chunk " COUNTED(1) "\nusage 9 1 0 0\nchunk " MORE "\nusage 9 1 0 0 estimated\nchunk " MORE "\nchunk " COUNTED(2)
          "\nusage 9 2 0 0\nchunk " LAST "\ndone\n" },
        { TEXT(DATA(LAST) DATA(HEAD "],\"usage\":null}") DONE),
          "chunk " LAST "\nchunk " HEAD "],\"usage\":null}\ndone\n" },
        { TEXT(DATA(LAST) DATA("{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}")),
          "chunk " LAST "\nusage 1 2 0 0\ndone\n" },
        { TEXT(DATA(LAST) DATA("{\"choices\":[],\"usage\":{\"prompt_tokens\":\"many\"}}")), "chunk " LAST "\ndone\n" },
    };
    run(rows, ARRAY_SIZE(rows));
}

#define SAYS(text) HEAD "{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}"

/* Services that count in UTF-16 cut between the halves of a pair; their clients join them. */
static void halves_of_characters_are_borne(void **state) {
    (void)state;
    static const struct row rows[] = {
        { TEXT(DATA(SAYS("\\ud83d")) DATA(SAYS("\\ude00")) DATA(LAST) DONE),
          "chunk " SAYS("\\ud83d") "\nchunk " SAYS("\\ude00") "\nchunk " LAST "\ndone\n" },
        { TEXT(DATA(SAYS("a\xC3")) DATA(SAYS("\xA4")) DATA(LAST) DONE),
          "chunk " SAYS("a\xEF\xBF\xBD") "\nchunk " SAYS("\xEF\xBF\xBD") "\nchunk " LAST "\ndone\n" },
    };
    run(rows, ARRAY_SIZE(rows));
}

#define TWO(index, reason) HEAD "{\"index\":" #index ",\"delta\":{},\"finish_reason\":" reason "}]}"

static void broken_streams_are_told(void **state) {
    (void)state;
    static const struct row rows[] = {
        /* "" is how some say null */
        { TEXT(DATA(TWO(0, "\"\""))),
          "chunk " TWO(0, "\"\"") "\nfailed service_error provider again The service's answer broke off.\n" },
        { TEXT(DATA(FIRST) DATA(MORE)),
          "chunk " FIRST "\nchunk " MORE "\nfailed service_error provider again The service's answer broke off.\n" },
        { TEXT(DATA(FIRST) "data: {\"choices\":[{\"ind"),
          "chunk " FIRST "\nfailed service_error provider again The service's answer cannot be read.\n" },
        { TEXT(DATA(FIRST) ": pi"),
          "chunk " FIRST "\nfailed service_error provider again The service's answer broke off.\n" },
        /* one of two choices has ended */
        { TEXT(DATA(TWO(0, "null")) DATA(TWO(1, "null")) DATA(TWO(0, "\"stop\""))),
          "chunk " TWO(0, "null") "\nchunk " TWO(1, "null") "\nchunk " TWO(
              0, "\"stop\"") "\nfailed service_error provider again The service's answer broke off.\n" },
        { TEXT(DATA(TWO(0, "\"stop\"")) DATA(TWO(1, "\"length\""))),
          "chunk " TWO(0, "\"stop\"") "\nchunk " TWO(1, "\"length\"") "\ndone\n" },
        { TEXT(""), "failed service_error provider again The service ended its answer before it said anything.\n" },
        { TEXT(" \n\n"),
          "failed service_error provider again The service ended its answer before it said anything.\n" },
        { TEXT(DONE), "failed service_error provider again The service ended its answer before it said anything.\n" },
        { TEXT(": ping\n\n" DATA(USAGE) DONE), "usage 9 4 5 2\nfailed service_error provider again The service ended "
                                               "its answer before it said anything.\n" },
        { TEXT(DATA(FIRST) DATA("oops") DATA(LAST)),
          "chunk " FIRST "\nfailed service_error provider again The service's answer cannot be read.\n" },
    };
    run(rows, ARRAY_SIZE(rows));
}

static void errors_in_the_middle_are_told(void **state) {
    (void)state;
    static const struct row rows[] = {
        { TEXT(DATA(FIRST)
                   DATA("{\"error\":{\"message\":\"It is too much\",\"type\":\"rate_limit_error\",\"code\":null}}")
                       DATA(LAST) DONE),
          "chunk " FIRST "\nfailed resource_exhausted capacity again It is too much\n" },
        { TEXT(DATA(FIRST) DATA("{\"error\":{\"message\":\"Down\",\"code\":503}}") DONE),
          "chunk " FIRST "\nfailed service_unavailable provider again Down\n" },
        { TEXT(DATA("{\"error\":{\"message\":\"Used up\",\"code\":\"insufficient_quota\"}}") DONE),
          "failed quota_exceeded account final Used up\n" },
        { TEXT(DATA("{\"error\":\"out of memory\"}")), "failed service_error provider again out of memory\n" },
        { TEXT("event: error\n" DATA("{\"message\":\"worker died\"}")),
          "failed service_error provider again worker died\n" },
        { TEXT("event: error\n" DATA("worker died")), "failed service_error provider again worker died\n" },
        { TEXT(DATA("{\"object\":\"error\",\"message\":\"too long\",\"type\":\"BadRequestError\",\"code\":400}")),
          "failed invalid_parameters request final too long\n" },
        { TEXT(DATA(FIRST) DATA("{\"id\":\"x\",\"choices\":[{\"finish_reason\":\"error\"}],\"error\":"
                                "{\"code\":502,\"message\":\"Provider disconnected\"}}") DONE),
          "chunk " FIRST "\nfailed service_error provider again Provider disconnected\n" },
    };
    run(rows, ARRAY_SIZE(rows));
}

static void pass(void *context, struct text json, const json_t *value) {
    (void)json;
    (void)value;
    ++*(unsigned *)context;
}

static void pass_usage(void *context, const struct token_usage *usage) {
    (void)context;
    (void)usage;
}

/* S3 */
static void streams_have_bounds(void **state) {
    (void)state;
    static char letters[65536];
    memset(letters, 'x', sizeof(letters));
    static const struct {
        struct text begin;
        size_t most;
    } rows[] = { { TEXT("data: \""), CHAT_CHUNK_MAX }, { TEXT("{\"a\":\""), CHAT_CHUNK_MAX } };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        unsigned chunks = 0;
        struct chat_failure failure = { 0 };
        const struct chat_sink sink = { .chunk = pass, .usage = pass_usage, .context = &chunks };
        struct chat_reader *reader = openai_dialect.open(&call, &sink);
        enum err err = openai_dialect.feed(reader, rows[i].begin, &failure);
        size_t fed = rows[i].begin.len;
        while (err == OK) {
            err = openai_dialect.feed(reader, (struct text){ letters, sizeof(letters) }, &failure);
            fed += err == OK ? sizeof(letters) : 0;
        }
        assert_int_equal(err, ERR_TOO_LONG);
        assert_in_range(fed, rows[i].most - sizeof(letters), rows[i].most);
        assert_int_equal(chunks, 0);
        openai_dialect.close(reader);
    }
    openai_dialect.close(NULL);
}

int test_openai_stream(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_come_as_they_are),         cmocka_unit_test(usage_is_told_wherever_it_comes),
        cmocka_unit_test(broken_streams_are_told),         cmocka_unit_test(errors_in_the_middle_are_told),
        cmocka_unit_test(streams_have_bounds),             cmocka_unit_test(halves_of_characters_are_borne),
        cmocka_unit_test(a_message_in_a_stream_is_said_once),
    };
    return cmocka_run_group_tests_name("openai streams", tests, NULL, NULL);
}
