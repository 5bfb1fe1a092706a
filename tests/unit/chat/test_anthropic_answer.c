/* The dialect of Anthropic's Messages API: replies, streams and failures. */
#include "dialects.h"
#include "tests.h"

static const struct chat_dialect *const dialect = &anthropic_dialect;

/* ---- whole replies ---- */

#define REPLY(content, more) "{'id':'msg_1','type':'message','role':'assistant','model':'claude','content':[" content "]" more "}"
#define SAID(message, finish, more) "{'id':'msg_1','object':'chat.completion','created':7,'model':'claude','choices':[" \
    "{'index':0,'message':{'role':'assistant'," message "},'logprobs':null,'finish_reason':'" finish "'}]" more "}"

static void replies_become_completions(void **state) {
    (void)state;
    trial_completion(dialect,
                     REPLY("{'type':'text','text':'Hel'},{'type':'hologram'},{'type':'text','text':'lo'}",
                           ",'stop_reason':'end_turn','stop_sequence':null,'usage':{'input_tokens':10,"
                           "'cache_creation_input_tokens':200,'cache_read_input_tokens':3000,'output_tokens':4}"),
                     SAID("'content':'Hello','refusal':null", "stop",
                          ",'usage':{'prompt_tokens':3210,'completion_tokens':4,'total_tokens':3214,"
                          "'prompt_tokens_details':{'cached_tokens':3000}}"),
                     "3210 4 3000 0");
    trial_completion(dialect,
                     REPLY("{'type':'thinking','thinking':'hm','signature':'s'},{'type':'redacted_thinking','data':'x'},"
                           "{'type':'tool_use','id':'toolu_1','name':'w','input':{'c':'B','d':[1.5]}},"
                           "{'type':'tool_use','id':'toolu_2','name':'v','input':{}}",
                           ",'stop_reason':'tool_use','usage':{'input_tokens':1,'output_tokens':9,"
                           "'output_tokens_details':{'thinking_tokens':5}}"),
                     SAID("'content':null,'refusal':null,'reasoning_content':'hm','tool_calls':[{'id':'toolu_1',"
                          "'type':'function','function':{'name':'w','arguments':'{\\'c\\':\\'B\\',\\'d\\':[1.5]}'}},"
                          "{'id':'toolu_2','type':'function','function':{'name':'v','arguments':'{}'}}]",
                          "tool_calls",
                          ",'usage':{'prompt_tokens':1,'completion_tokens':9,'total_tokens':10,"
                          "'completion_tokens_details':{'reasoning_tokens':5}}"),
                     "1 9 0 5");
    trial_completion(dialect, REPLY("", ",'stop_reason':'refusal','stop_details':{'type':'refusal','explanation':'No.'}"),
                     SAID("'content':null,'refusal':'No.'", "content_filter", ""), "estimated");
    /* counts that nobody can have are none */
    trial_completion(dialect, REPLY("{'type':'text','text':'a'}", ",'usage':{'input_tokens':9223372036854775807,"
                                    "'cache_read_input_tokens':9223372036854775807,'output_tokens':9223372036854775807}"),
                     SAID("'content':'a','refusal':null", "stop", ""), "estimated");
    /* half of them are not enough */
    trial_completion(dialect, REPLY("{'type':'text','text':'a'}", ",'usage':{'input_tokens':25}"),
                     SAID("'content':'a','refusal':null", "stop", ""), "estimated");
    trial_completion(dialect, REPLY("{'type':'text','text':'a'}", ",'usage':{'output_tokens':1}"),
                     SAID("'content':'a','refusal':null", "stop", ""), "estimated");
}

static void stop_reasons_are_finish_reasons(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        { "end_turn", "stop" }, { "stop_sequence", "stop" }, { "max_tokens", "length" }, { "pause_turn", "stop" },
        { "model_context_window_exceeded", "length" }, { "something_new", "stop" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char reply[256], said[512];
        snprintf(reply, sizeof reply, REPLY("{'type':'text','text':'a'}", ",'stop_reason':'%s'"), rows[i][0]);
        snprintf(said, sizeof said, SAID("'content':'a','refusal':null", "%s", ""), rows[i][1]);
        trial_completion(dialect, reply, said, "estimated");
    }
}

static void replies_that_are_failures(void **state) {
    (void)state;
    trial_completion_fails(dialect, "<html>", "service_error provider again //: The service's reply is no JSON.");
    trial_completion_fails(dialect, "{'id':'x'}", "service_error provider again //: The service's reply is no message.");
    trial_completion_fails(dialect, "{'type':'error','error':{'type':'overloaded_error','message':'Overloaded'}}",
                           "resource_exhausted capacity again overloaded_error//: Overloaded");
}

/* ---- failures ---- */

#define ERROR(type, message) "{'type':'error','error':{'type':'" type "','message':'" message "'},'request_id':'req_1'}"

static void failures_say_whose_they_are(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *headers, *reply, *expected;
    } rows[] = {
        { 400, "", ERROR("invalid_request_error", "messages: bad"),
          "invalid_parameters request final invalid_request_error//: messages: bad" },
        { 400, "", ERROR("invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum"),
          "invalid_parameters request final invalid_request_error/context_length_exceeded/: prompt is too long: 250000 "
          "tokens > 200000 maximum" },
        { 400, "", ERROR("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
          "quota_exceeded account final invalid_request_error//: Your credit balance is too low to access the Anthropic API." },
        { 401, "", ERROR("authentication_error", "invalid x-api-key"),
          "service_error key final authentication_error//: invalid x-api-key" },
        { 402, "", ERROR("billing_error", "pay"), "quota_exceeded account final billing_error//: pay" },
        { 403, "", ERROR("permission_error", "no"), "service_error key final permission_error//: no" },
        { 404, "", ERROR("not_found_error", "model: x"),
          "resource_not_found request final not_found_error//: model: x" },
        { 413, "", ERROR("request_too_large", "big"), "invalid_parameters request final request_too_large//: big" },
        { 429, "retry-after: 7\r\n", ERROR("rate_limit_error", "slow"),
          "resource_exhausted capacity again 7000ms rate_limit_error//: slow" },
        { 500, "", ERROR("api_error", "oops"), "service_error provider again api_error//: oops" },
        { 529, "", ERROR("overloaded_error", "Overloaded"),
          "resource_exhausted capacity again overloaded_error//: Overloaded" },
        { 529, "", "", "service_unavailable provider again //: " },
        { 502, "", "<html><title>Bad Gateway</title>", "service_error provider again //: Bad Gateway" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        trial_failure(dialect, rows[i].status, rows[i].headers, rows[i].reply, rows[i].expected);
    }
}

/* ---- streams ---- */

#define EVENT(name, data) "event: " name "\ndata: {'type':'" name "'" data "}\n\n"
#define START EVENT("message_start", ",'message':{'id':'msg_1','type':'message','role':'assistant','model':'claude'," \
    "'content':[],'stop_reason':null,'usage':{'input_tokens':25,'cache_read_input_tokens':75,'output_tokens':1}}")
#define BLOCK(index, block) EVENT("content_block_start", ",'index':" index ",'content_block':{" block "}")
#define DELTA(index, delta) EVENT("content_block_delta", ",'index':" index ",'delta':{" delta "}")
#define STOP(index) EVENT("content_block_stop", ",'index':" index)
#define TEXT_0 BLOCK("0", "'type':'text','text':''")
#define END(reason) EVENT("message_delta", ",'delta':{'stop_reason':'" reason "','stop_sequence':null}," \
    "'usage':{'output_tokens':15}")
#define OVER EVENT("message_stop", "")
#define PING EVENT("ping", "")
#define SAY(delta, finish) CHUNK("msg_1", "claude", "0", delta, finish)
#define ROLE "'role':'assistant',"
#define HELLO "'type':'text_delta','text':'Hel\xC3\xA4'"

static void streams_become_chunks(void **state) {
    (void)state;
    trial_answer(dialect, START TEXT_0 PING DELTA("0", HELLO) DELTA("0", "'type':'text_delta','text':'lo'") STOP("0")
                 END("end_turn") OVER,
                 "usage 100 1 75 0 estimated\n" SAY(ROLE "'content':'Hel\xC3\xA4'", "null") SAY("'content':'lo'", "null")
                 "usage 100 15 75 0\n" SAY("", "'stop'") "done\n");
    /* what is new is read over, and so is what follows the end */
    trial_answer(dialect, ": hi\n\n" START EVENT("weather", ",'x':1") BLOCK("0", "'type':'hologram'")
                 DELTA("0", "'type':'light_delta','x':1") STOP("0") TEXT_0 DELTA("1", HELLO)
                 DELTA("1", "'type':'citations_delta','citation':{}") END("max_tokens") OVER "data: what?\n\n",
                 "usage 100 1 75 0 estimated\n" SAY(ROLE "'content':'Hel\xC3\xA4'", "null") "usage 100 15 75 0\n"
                 SAY("", "'length'") "done\n");
    /* no message_stop, and no names of events */
    trial_answer(dialect, "data: {'type':'content_block_delta','index':0,'delta':{" HELLO "}}\n\n"
                 "data: {'type':'message_delta','delta':{'stop_reason':'end_turn'}}\n\n",
                 CHUNK("chatcmpl-1", "m", "0", ROLE "'content':'Hel\xC3\xA4'", "null")
                 CHUNK("chatcmpl-1", "m", "0", "", "'stop'") "done\n");
    /* no stop_reason, but the end is said */
    trial_answer(dialect, START TEXT_0 DELTA("0", HELLO) OVER,
                 "usage 100 1 75 0 estimated\n" SAY(ROLE "'content':'Hel\xC3\xA4'", "null") SAY("", "'stop'") "done\n");
}

/* message_start knows nothing of an output that is still to come. */
static void usage_is_exact_when_all_was_said(void **state) {
    (void)state;
    trial_answer(dialect, START TEXT_0 DELTA("0", HELLO) EVENT("message_delta", ",'delta':{'stop_reason':'end_turn'}") OVER,
                 "usage 100 1 75 0 estimated\n" SAY(ROLE "'content':'Hel\xC3\xA4'", "null") "usage 100 1 75 0 estimated\n"
                 SAY("", "'stop'") "done\n");
    trial_answer(dialect, TEXT_0 DELTA("0", HELLO) END("end_turn") OVER,
                 CHUNK("chatcmpl-1", "m", "0", ROLE "'content':'Hel\xC3\xA4'", "null") "usage 0 15 0 0 estimated\n"
                 CHUNK("chatcmpl-1", "m", "0", "", "'stop'") "done\n");
}

static void thoughts_and_tools_stream(void **state) {
    (void)state;
    trial_answer(dialect, START BLOCK("0", "'type':'thinking','thinking':''")
                 DELTA("0", "'type':'thinking_delta','thinking':'hm'") DELTA("0", "'type':'signature_delta','signature':'s'")
                 STOP("0") BLOCK("1", "'type':'server_tool_use','id':'s1','name':'web','input':{}")
                 DELTA("1", "'type':'input_json_delta','partial_json':'{}'") STOP("1")
                 BLOCK("2", "'type':'tool_use','id':'t1','name':'w','input':{}")
                 DELTA("2", "'type':'input_json_delta','partial_json':''")
                 DELTA("2", "'type':'input_json_delta','partial_json':'{\\'c\\''")
                 DELTA("2", "'type':'input_json_delta','partial_json':':1}'") STOP("2")
                 BLOCK("3", "'type':'tool_use','id':'t2','name':'v','input':{}") STOP("3") END("tool_use") OVER,
                 "usage 100 1 75 0 estimated\n" SAY(ROLE "'reasoning_content':'hm'", "null")
                 SAY("'tool_calls':[{'index':0,'id':'t1','type':'function','function':{'name':'w','arguments':''}}]", "null")
                 SAY("'tool_calls':[{'index':0,'function':{'arguments':'{\\'c\\''}}]", "null")
                 SAY("'tool_calls':[{'index':0,'function':{'arguments':':1}'}}]", "null")
                 SAY("'tool_calls':[{'index':1,'id':'t2','type':'function','function':{'name':'v','arguments':''}}]", "null")
                 SAY("'tool_calls':[{'index':1,'function':{'arguments':'{}'}}]", "null")
                 "usage 100 15 75 0\n" SAY("", "'tool_calls'") "done\n");
    trial_answer(dialect, START EVENT("message_delta", ",'delta':{'stop_reason':'refusal','stop_details':{'type':'refusal',"
                 "'explanation':'No.'}},'usage':{'output_tokens':2}") OVER,
                 "usage 100 1 75 0 estimated\nusage 100 2 75 0\n" SAY(ROLE "'refusal':'No.'", "null") SAY("", "'content_filter'")
                 "done\n");
}

#define PIECE_OF(index, json) DELTA(index, "'type':'input_json_delta','partial_json':'" json "'")
#define TOOL(index, id, input) BLOCK(index, "'type':'tool_use','id':'" id "','name':'w','input':{" input "}")
#define CALL(index, id, arguments) SAY("'tool_calls':[{'index':" index ",'id':'" id "','type':'function'," \
    "'function':{'name':'w','arguments':'" arguments "'}}]", "null")
#define ARGUMENTS(index, json) SAY("'tool_calls':[{'index':" index ",'function':{'arguments':'" json "'}}]", "null")

static void calls_stream_side_by_side(void **state) {
    (void)state;
    trial_answer(dialect, START TEXT_0 DELTA("0", HELLO) STOP("0") TOOL("1", "t1", "") TOOL("2", "t2", "") PIECE_OF("1", "[")
                 PIECE_OF("2", "{}") TOOL("3", "t3", "") PIECE_OF("1", "1]") STOP("2") STOP("1") STOP("3") END("tool_use") OVER,
                 "usage 100 1 75 0 estimated\n" SAY(ROLE "'content':'Hel\xC3\xA4'", "null") CALL("0", "t1", "")
                 CALL("1", "t2", "") ARGUMENTS("0", "[") ARGUMENTS("1", "{}") CALL("2", "t3", "") ARGUMENTS("0", "1]")
                 ARGUMENTS("2", "{}") "usage 100 15 75 0\n" SAY("", "'tool_calls'") "done\n");
    /* no stops and no indexes; and what is there at the beginning is all */
    trial_answer(dialect, START TOOL("0", "t1", "") PIECE_OF("0", "[]") TOOL("0", "t2", "") TOOL("0", "t3", "'a':1")
                 PIECE_OF("0", "[]") STOP("0") TOOL("1", "t4", "") END("tool_use"),
                 "usage 100 1 75 0 estimated\n" SAY(ROLE "'tool_calls':[{'index':0,'id':'t1','type':'function','function':"
                 "{'name':'w','arguments':''}}]", "null") ARGUMENTS("0", "[]") CALL("1", "t2", "") ARGUMENTS("1", "{}")
                 CALL("2", "t3", "{\\'a\\':1}") CALL("3", "t4", "") "usage 100 15 75 0\n" ARGUMENTS("3", "{}")
                 SAY("", "'tool_calls'") "done\n");
}

static void count_chunk(void *context, struct text json, const struct json_t *value) {
    (void)json, (void)value;
    ++*(unsigned *)context;
}

/* More than are kept at a time: the first of them ends. */
static void open_calls_are_bounded(void **state) {
    (void)state;
    static const struct chat_call call = { .model = "m", .id = "chatcmpl-1" };
    unsigned chunks = 0;
    const struct chat_sink sink = { .chunk = count_chunk, .usage = NULL, .context = &chunks };
    struct chat_failure failure;
    struct chat_reader *reader = dialect->open(&call, &sink);
    for (unsigned i = 0; i < 200; i++) {
        char event[256];
        snprintf(event, sizeof event, "data: {\"type\":\"content_block_start\",\"index\":%u,\"content_block\":"
                                      "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"w\"}}\n\n", i);
        assert_int_equal(dialect->feed(reader, text_of(event), &failure), OK);
    }
    assert_in_range(chunks, 201, 399);
    assert_int_equal(dialect->feed(reader, TEXT("data: {\"type\":\"message_stop\"}\n\n"), &failure), OK);
    assert_int_equal(chunks, 200 + 200 + 1); /* each begins and has its {}; the finish */
    dialect->close(reader);
}

static void streams_fail(void **state) {
    (void)state;
    trial_answer(dialect, START TEXT_0 DELTA("0", HELLO)
                 EVENT("error", ",'error':{'type':'overloaded_error','message':'Overloaded'}"),
                 "usage 100 1 75 0 estimated\n" SAY(ROLE "'content':'Hel\xC3\xA4'", "null")
                 "failed resource_exhausted capacity again Overloaded\n");
    trial_answer(dialect, START TEXT_0 DELTA("0", HELLO) STOP("0"),
                 "usage 100 1 75 0 estimated\n" SAY(ROLE "'content':'Hel\xC3\xA4'", "null")
                 "failed service_error provider again The service's answer broke off.\n");
    trial_answer(dialect, START "data: {oops\n\n",
                 "usage 100 1 75 0 estimated\nfailed service_error provider again The service sent an event that is no JSON.\n");
    trial_answer(dialect, "", "failed service_error provider again The service's answer broke off.\n");
    trial_answer(dialect, "{'type':'error'}", "failed service_error provider again The service's answer broke off.\n");
}

int test_anthropic_answer(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_become_completions),
        cmocka_unit_test(stop_reasons_are_finish_reasons),
        cmocka_unit_test(replies_that_are_failures),
        cmocka_unit_test(failures_say_whose_they_are),
        cmocka_unit_test(streams_become_chunks),
        cmocka_unit_test(usage_is_exact_when_all_was_said),
        cmocka_unit_test(thoughts_and_tools_stream),
        cmocka_unit_test(calls_stream_side_by_side),
        cmocka_unit_test(open_calls_are_bounded),
        cmocka_unit_test(streams_fail),
    };
    return cmocka_run_group_tests_name("anthropic, answers", tests, NULL, NULL);
}
