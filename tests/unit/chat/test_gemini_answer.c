/* The dialect of Google's generateContent: replies, streams and failures. */
#include <stdlib.h>

#include "base/memory.h"
#include "dialects.h"
#include "tests.h"

static const struct chat_dialect *const dialect = &gemini_dialect;

#define PIECE(candidates, more) "{'candidates':[" candidates "],'modelVersion':'gemini-3','responseId':'r1'" more "}"
#define CANDIDATE(parts, more) "{'content':{'role':'model','parts':[" parts "]}" more "}"
#define USED(candidates, total) ",'usageMetadata':{'promptTokenCount':20,'candidatesTokenCount':" candidates \
    ",'thoughtsTokenCount':5,'cachedContentTokenCount':8,'totalTokenCount':" total "}"
#define SAID(choices, more) "{'id':'r1','object':'chat.completion','created':7,'model':'gemini-3','choices':[" choices "]" more "}"
#define CHOICE(index, message, finish) "{'index':" index ",'message':{'role':'assistant'," message "},'logprobs':null," \
    "'finish_reason':'" finish "'}"

/* ---- whole replies ---- */

static void replies_become_completions(void **state) {
    (void)state;
    trial_completion(dialect,
                     PIECE(CANDIDATE("{'text':'hm','thought':true},{'text':'Hel'},{'inlineData':{}},{'text':'lo'}",
                                     ",'finishReason':'STOP','index':0"), USED("7", "32")),
                     SAID(CHOICE("0", "'content':'Hello','refusal':null,'reasoning_content':'hm'", "stop"),
                          ",'usage':{'prompt_tokens':20,'completion_tokens':12,'total_tokens':32,"
                          "'prompt_tokens_details':{'cached_tokens':8},'completion_tokens_details':{'reasoning_tokens':5}}"),
                     "20 12 8 5");
    trial_completion(dialect,
                     PIECE(CANDIDATE("{'functionCall':{'name':'w','args':{'c':1}},'thoughtSignature':'sig'},"
                                     "{'functionCall':{'id':'f2','name':'v'}}", ",'finishReason':'STOP'"), ""),
                     SAID(CHOICE("0", "'content':null,'refusal':null,'tool_calls':[{'id':'call_1_0_0','type':'function',"
                          "'function':{'name':'w','arguments':'{\\'c\\':1}'},'extra_content':{'google':"
                          "{'thought_signature':'sig'}}},{'id':'f2','type':'function','function':{'name':'v',"
                          "'arguments':'{}'}}]", "tool_calls"), ""),
                     "estimated");
    trial_completion(dialect,
                     PIECE(CANDIDATE("{'text':'a'}", ",'finishReason':'MAX_TOKENS'") ","
                           CANDIDATE("", ",'finishReason':'SAFETY','index':1"), ""),
                     SAID(CHOICE("0", "'content':'a','refusal':null", "length") ","
                          CHOICE("1", "'content':'','refusal':null", "content_filter"), ""),
                     "estimated");
    /* ended for a reason of the service's own, with something in it */
    trial_completion(dialect, PIECE(CANDIDATE("{'text':'a'}", ",'finishReason':'OTHER'"), ""),
                     SAID(CHOICE("0", "'content':'a','refusal':null", "stop"), ""), "estimated");
    /* the total says what the candidates do not; the prompt alone is not enough */
    trial_completion(dialect, PIECE(CANDIDATE("{'text':'a'}", ",'finishReason':'STOP'"),
                                    ",'usageMetadata':{'promptTokenCount':10,'totalTokenCount':110}"),
                     SAID(CHOICE("0", "'content':'a','refusal':null", "stop"),
                          ",'usage':{'prompt_tokens':10,'completion_tokens':100,'total_tokens':110}"),
                     "10 100 0 0");
    trial_completion(dialect,
                     PIECE(CANDIDATE("{'text':'a'}", ",'finishReason':'STOP'"), ",'usageMetadata':{'promptTokenCount':10}"),
                     SAID(CHOICE("0", "'content':'a','refusal':null", "stop"), ""), "estimated");
}

static void replies_that_are_failures(void **state) {
    (void)state;
    trial_completion_fails(dialect, "{'promptFeedback':{'blockReason':'PROHIBITED_CONTENT'},'usageMetadata':{}}",
                           "content_policy_violation request final /content_filter/: The prompt was blocked: PROHIBITED_CONTENT.");
    trial_completion_fails(dialect, PIECE("{'finishReason':'MALFORMED_FUNCTION_CALL','finishMessage':'Bad call.'}", ""),
                           "generation_failed request again /MALFORMED_FUNCTION_CALL/: Bad call.");
    trial_completion_fails(dialect, "{}", "service_error provider again //: The service's reply has no answer.");
    trial_completion_fails(dialect, "oops", "service_error provider again //: The service's reply is no JSON.");
    trial_completion_fails(dialect, "{'error':{'code':503,'message':'busy','status':'UNAVAILABLE'}}",
                           "service_unavailable provider again UNAVAILABLE/503/: busy");
}

/* ---- failures ---- */

#define ERROR(code, status, message, more) "{'error':{'code':" code ",'message':'" message "','status':'" status "'" more "}}"

static void failures_say_whose_they_are(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *reply, *expected;
    } rows[] = {
        { 400, ERROR("400", "INVALID_ARGUMENT", "bad field", ""),
          "invalid_parameters request final INVALID_ARGUMENT/400/: bad field" },
        { 400, ERROR("400", "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", ""),
          "service_error key final INVALID_ARGUMENT/400/: API key not valid. Please pass a valid API key." },
        { 400, ERROR("400", "INVALID_ARGUMENT", "no", ",'details':[{'@type':'type.googleapis.com/google.rpc.ErrorInfo',"
                                                      "'reason':'API_KEY_INVALID'}]"),
          "service_error key final INVALID_ARGUMENT/400/: no" },
        { 400, ERROR("400", "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens (8).", ""),
          "invalid_parameters request final INVALID_ARGUMENT/context_length_exceeded/: The input token count (9) exceeds the "
          "maximum number of tokens (8)." },
        { 400, ERROR("400", "FAILED_PRECONDITION", "User location is not supported for the API use.", ""),
          "service_error account final FAILED_PRECONDITION/400/: User location is not supported for the API use." },
        { 403, ERROR("403", "PERMISSION_DENIED", "no", ""), "service_error key final PERMISSION_DENIED/403/: no" },
        { 429, "[" ERROR("429", "RESOURCE_EXHAUSTED", "slow", ",'details':[{'@type':'type.googleapis.com/google.rpc.RetryInfo',"
                                                              "'retryDelay':'34.5s'}]") "]",
          "resource_exhausted capacity again 34500ms RESOURCE_EXHAUSTED/429/: slow" },
        { 429, ERROR("429", "RESOURCE_EXHAUSTED", "day", ",'details':[{'violations':[{'quotaId':"
                                                         "'GenerateRequestsPerDayPerProjectPerModel-FreeTier'}]}]"),
          "quota_exceeded account final RESOURCE_EXHAUSTED/429/: day" },
        { 500, ERROR("500", "INTERNAL", "oops", ""), "service_error provider again INTERNAL/500/: oops" },
        { 503, ERROR("503", "UNAVAILABLE", "The model is overloaded.", ""),
          "service_unavailable provider again UNAVAILABLE/503/: The model is overloaded." },
        { 504, "", "service_error provider again //: " },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        trial_failure(dialect, rows[i].status, "", rows[i].reply, rows[i].expected);
    }
}

/* ---- streams ---- */

#define DATA(piece) "data: " piece "\r\n\r\n"
#define FIRST PIECE(CANDIDATE("{'text':'Hel\xC3\xA4'}", ",'index':0"), USED("1", "26"))
#define LAST PIECE(CANDIDATE("{'text':'l{o'}", ",'finishReason':'STOP','index':0"), USED("7", "32"))
#define SAY(delta, finish) CHUNK("r1", "gemini-3", "0", delta, finish)
#define ROLE "'role':'assistant',"
#define WHOLE "usage 20 6 8 5\n" SAY(ROLE "'content':'Hel\xC3\xA4'", "null") "usage 20 12 8 5\n" \
    SAY("'content':'l{o'", "null") SAY("", "'stop'") "done\n"

static void streams_become_chunks(void **state) {
    (void)state;
    trial_answer(dialect, DATA(FIRST) ": hi\r\n\r\n" DATA(LAST), WHOLE);
    trial_answer(dialect, DATA(FIRST) DATA(LAST) DATA("[DONE]"), WHOLE);
    trial_answer(dialect, "[" FIRST "\n,\r\n" LAST "\n]\n", WHOLE); /* alt=sse was not heeded */
    /* usage may follow the end, and so may what nobody knows */
    trial_answer(dialect, DATA(LAST) DATA("{'usageMetadata':{'promptTokenCount':20,'candidatesTokenCount':9}}")
                 DATA("{'weather':'fine'}"),
                 "usage 20 12 8 5\n" SAY(ROLE "'content':'l{o'", "null") SAY("", "'stop'") "usage 20 14 8 5\ndone\n");
}

static void thoughts_and_calls_stream(void **state) {
    (void)state;
    trial_answer(dialect, DATA(PIECE(CANDIDATE("{'text':'hm','thought':true}", ""), ""))
                 DATA(PIECE(CANDIDATE("{'functionCall':{'name':'w','args':{'c':'}\\\"'}},'thoughtSignature':'s'}", ""), ""))
                 DATA(PIECE(CANDIDATE("{'functionCall':{'id':'f2','name':'v'}}", ",'finishReason':'STOP'"), "")),
                 SAY(ROLE "'reasoning_content':'hm'", "null")
                 SAY("'tool_calls':[{'index':0,'id':'call_1_0_0','type':'function','function':{'name':'w','arguments':"
                     "'{\\'c\\':\\'}\\\\\\'\\'}'},'extra_content':{'google':{'thought_signature':'s'}}}]", "null")
                 SAY("'tool_calls':[{'index':1,'id':'f2','type':'function','function':{'name':'v','arguments':'{}'}}]", "null")
                 SAY("", "'tool_calls'") "done\n");
}

static void candidates_stream_side_by_side(void **state) {
    (void)state;
    trial_answer(dialect, DATA(PIECE(CANDIDATE("{'text':'a'}", ",'index':0") "," CANDIDATE("{'text':'b'}", ",'index':1"), ""))
                 DATA(PIECE(CANDIDATE("", ",'index':1,'finishReason':'MAX_TOKENS'"), ""))
                 DATA(PIECE(CANDIDATE("", ",'index':0,'finishReason':'RECITATION'"), "")),
                 SAY(ROLE "'content':'a'", "null") CHUNK("r1", "gemini-3", "1", "'content':'b'", "null")
                 CHUNK("r1", "gemini-3", "1", "", "'length'") SAY("", "'content_filter'") "done\n");
    /* one of them is missing its end */
    trial_answer(dialect, DATA(PIECE(CANDIDATE("{'text':'a'}", ",'index':0") "," CANDIDATE("{'text':'b'}", ",'index':1"), ""))
                 DATA(PIECE(CANDIDATE("", ",'index':1,'finishReason':'STOP'"), "")),
                 SAY(ROLE "'content':'a'", "null") CHUNK("r1", "gemini-3", "1", "'content':'b'", "null")
                 CHUNK("r1", "gemini-3", "1", "", "'stop'")
                 "failed service_error provider again The service's answer broke off.\n");
}

static void streams_fail(void **state) {
    (void)state;
    static const char broken[] = "failed service_error provider again The service's answer broke off.\n";
    char expected[2048];
    snprintf(expected, sizeof expected, "%s%s", "usage 20 6 8 5\n" SAY(ROLE "'content':'Hel\xC3\xA4'", "null"), broken);
    trial_answer(dialect, DATA(FIRST), expected);
    trial_answer(dialect, "[" FIRST ",\n", expected);
    trial_answer(dialect, "", broken);
    trial_answer(dialect, DATA("{'promptFeedback':{'blockReason':'SAFETY','blockReasonMessage':'Bad words.'}}"),
                 "failed content_policy_violation request final Bad words.\n");
    trial_answer(dialect, DATA(FIRST) DATA("{'error':{'code':429,'message':'slow','status':'RESOURCE_EXHAUSTED'}}"),
                 "usage 20 6 8 5\n" SAY(ROLE "'content':'Hel\xC3\xA4'", "null")
                 "failed resource_exhausted capacity again slow\n");
    trial_answer(dialect, "[{'error':{'code':400,'message':'bad','status':'INVALID_ARGUMENT'}}]",
                 "failed invalid_parameters request final bad\n");
    trial_answer(dialect, DATA(PIECE("{'finishReason':'MALFORMED_FUNCTION_CALL'}", "")),
                 "failed generation_failed request again The model ended its answer without content: "
                 "MALFORMED_FUNCTION_CALL.\n");
    trial_answer(dialect, DATA("{oops}"),
                 "failed service_error provider again The service sent a piece of an answer that is no JSON.\n");
    trial_answer(dialect, "[{}, oops]", "failed service_error provider again The service sent an answer that is no JSON.\n");
}

static void no_chunk(void *context, struct text json, const struct json_t *value) {
    (void)context, (void)json, (void)value;
    fail();
}

/* An object that never ends is given up on. */
static void a_piece_has_a_bound(void **state) {
    (void)state;
    static const struct chat_call call = { .model = "m", .id = "chatcmpl-1" };
    const struct chat_sink sink = { .chunk = no_chunk };
    struct chat_failure failure;
    char *bytes = mem_new(1 << 20);
    memset(bytes, 'x', 1 << 20);
    for (int events = 0; events <= 1; events++) {
        struct chat_reader *reader = dialect->open(&call, &sink);
        enum err err = dialect->feed(reader, events ? TEXT("data: ") : TEXT("[{\"a\":\""), &failure);
        size_t fed = 0;
        while (err == OK && fed <= 2 * CHAT_CHUNK_MAX) {
            err = dialect->feed(reader, (struct text){ bytes, 1 << 20 }, &failure);
            fed += 1 << 20;
        }
        assert_int_equal(err, ERR_TOO_LONG);
        assert_true(fed >= CHAT_CHUNK_MAX);
        dialect->close(reader);
    }
    free(bytes);
}

int test_gemini_answer(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_become_completions),
        cmocka_unit_test(replies_that_are_failures),
        cmocka_unit_test(failures_say_whose_they_are),
        cmocka_unit_test(streams_become_chunks),
        cmocka_unit_test(thoughts_and_calls_stream),
        cmocka_unit_test(candidates_stream_side_by_side),
        cmocka_unit_test(streams_fail),
        cmocka_unit_test(a_piece_has_a_bound),
    };
    return cmocka_run_group_tests_name("gemini, answers", tests, NULL, NULL);
}
