/* The dialect of Ollama's /api/chat: requests, replies, streams and failures. */
#include "dialects.h"
#include "tests.h"

#define HI "'messages':[{'role':'user','content':'hi'}]"
#define SAID(more) "{'model':'qwen3'," HI more "}"

static const struct chat_dialect *const dialect = &ollama_dialect;

/* ---- requests ---- */

static void messages_are_texts_and_pictures(void **state) {
    (void)state;
    assert_true(dialect->needs_inline_media);
    trial_messages(dialect, "qwen3",
                   "[{'role':'developer','content':'s'},{'role':'user','content':[{'type':'text','text':'a'},"
                   "{'type':'image_url','image_url':{'url':'data:image/png;base64,AAAA'}},{'type':'text','text':'b'},"
                   "{'type':'image_url','image_url':'data:image/svg+xml,%3Csvg'}]},"
                   "{'role':'assistant','content':null,'tool_calls':[{'id':'t1','type':'function','function':{'name':'w',"
                   "'arguments':'{\\\"c\\\":1}'}}]},{'role':'tool','tool_call_id':'t1','content':'rain'}]",
                   "messages",
                   "[{'role':'system','content':'s'},{'role':'user','content':'a\\nb','images':['AAAA','PHN2Zw==']},"
                   "{'role':'assistant','content':'','tool_calls':[{'id':'t1','function':{'name':'w','arguments':{'c':1}}}]},"
                   "{'role':'tool','content':'rain','tool_name':'w','tool_call_id':'t1'}]");
}

#define TOOLS "'tools':[{'type':'function','function':{'name':'w','description':'d','strict':true,'parameters':{'type':'object'}}}," \
    "{'type':'function','function':{'name':'v'}}]"
#define TOOLS_SAID "'tools':[{'type':'function','function':{'name':'w','description':'d','parameters':{'type':'object'}}}," \
    "{'type':'function','function':{'name':'v','description':'','parameters':{'type':'object','properties':{}}}}]"

static void parameters_are_said(void **state) {
    (void)state;
    static const struct request_row rows[] = {
        { "{" HI ",'user':'u','n':1,'logprobs':true,'unheard_of':1}", SAID(",'stream':false") },
        { "{" HI ",'max_tokens':5,'temperature':1.5,'top_p':0.5,'top_k':3,'seed':4,'presence_penalty':0.1,"
          "'frequency_penalty':0.2,'stop':'a'}",
          SAID(",'stream':true,'options':{'num_predict':5,'temperature':1.5,'top_p':0.5,'top_k':3,'seed':4,"
               "'presence_penalty':0.1,'frequency_penalty':0.2,'stop':['a']}"), .stream = true },
        { "{" HI ",'response_format':{'type':'json_object'}}", SAID(",'stream':false,'format':'json'") },
        { "{" HI ",'response_format':{'type':'json_schema','json_schema':{'schema':{'type':'object'}}}}",
          SAID(",'stream':false,'format':{'type':'object'}") },
        { "{" HI "," TOOLS ",'tool_choice':'auto'}", SAID(",'stream':false," TOOLS_SAID) },
        { "{" HI "," TOOLS ",'tool_choice':'none','parallel_tool_calls':false}", SAID(",'stream':false") },
        { "{" HI "}", SAID(",'stream':false,'think':true"), .reasoning = true },
        { "{" HI ",'reasoning_effort':'low'}", SAID(",'stream':false,'think':'low'") },
        { "{" HI ",'reasoning_effort':'none'}", SAID(",'stream':false,'think':false") },
        { "{" HI ",'reasoning_effort':'low'}", SAID(",'stream':false"), "{'reasoning':false}" },
        { "{" HI "}", SAID(",'stream':false,'think':'high'"), "{'reasoning':{'think':'high'}}", .reasoning = true },
        { "{" HI ",'temperature':1,'max_tokens':5}",
          SAID(",'stream':false,'keep_alive':'5m','options':{'num_predict':5,'num_ctx':8192}"),
          "{'options':{'request':{'keep_alive':'5m','options':{'num_ctx':8192,'temperature':null}}}}" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        trial_request(dialect, "qwen3", &rows[i]);
    }
    trial_path(dialect, "qwen3", true, "/api/chat");
}

static void what_cannot_be_said_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *body;
        enum err err;
        const char *param;
    } rows[] = {
        { "{" HI ",'n':2}", ERR_MODEL_RULE, "n" },
        { "{" HI "," TOOLS ",'tool_choice':'required'}", ERR_MODEL_RULE, "tool_choice" },
        { "{" HI "," TOOLS ",'tool_choice':{'type':'function','function':{'name':'w'}}}", ERR_MODEL_RULE, "tool_choice" },
        { "{" HI "," TOOLS ",'parallel_tool_calls':false}", ERR_MODEL_RULE, "parallel_tool_calls" },
        { "{'messages':[{'role':'robot','content':'x'}]}", ERR_MODEL_RULE, "messages[0].role" },
        { "{'messages':[{'role':'user','content':[{'type':'audio_url','audio_url':'data:audio/wav;base64,AAAA'}]}]}",
          ERR_PART_TYPE, "messages[0].content[0].audio_url" },
        { "{'messages':[{'role':'user','content':[{'type':'file','file':{'file_data':'data:text/plain;base64,AAAA'}}]}]}",
          ERR_PART_TYPE, "messages[0].content[0].file.file_data" },
        { "{'messages':[{'role':'assistant','tool_calls':[{'function':{'arguments':'{}'}}]}]}", ERR_MODEL_RULE,
          "messages[0].tool_calls[0].function.name" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        trial_refused(dialect, rows[i].body, rows[i].err, rows[i].param);
    }
    trial_link_refused(dialect,
                       "{'messages':[{'role':'user','content':[{'type':'image_url','image_url':{'url':'https://h/a.png'}}]}]}",
                       "messages[0].content[0].image_url.url");
}

/* ---- replies ---- */

#define REPLY(message, more) "{'model':'qwen3','created_at':'2026-01-01T00:00:00.1Z','message':{'role':'assistant'," message "}," more "}"
#define COMPLETION(message, finish, more) "{'id':'chatcmpl-1','object':'chat.completion','created':7,'model':'qwen3','choices':[" \
    "{'index':0,'message':{'role':'assistant'," message "},'logprobs':null,'finish_reason':'" finish "'}]" more "}"

static void replies_become_completions(void **state) {
    (void)state;
    trial_completion(dialect,
                     REPLY("'content':'Hello','thinking':'hm'",
                           "'done':true,'done_reason':'stop','total_duration':5191566416,'prompt_eval_count':26,'eval_count':298"),
                     COMPLETION("'content':'Hello','refusal':null,'reasoning_content':'hm'", "stop",
                                ",'usage':{'prompt_tokens':26,'completion_tokens':298,'total_tokens':324}"),
                     "26 298 0 0");
    /* a prompt that is remembered whole is not counted */
    trial_completion(dialect,
                     REPLY("'content':'','tool_calls':[{'function':{'name':'w','arguments':{'c':'B'}}},"
                           "{'id':'x','function':{'name':'v','arguments':{}}}]", "'done':true,'done_reason':'stop','eval_count':3"),
                     COMPLETION("'content':null,'refusal':null,'tool_calls':[{'id':'call_1_0_0','type':'function','function':"
                                "{'name':'w','arguments':'{\\'c\\':\\'B\\'}'}},{'id':'x','type':'function','function':"
                                "{'name':'v','arguments':'{}'}}]", "tool_calls", ""),
                     "estimated");
    trial_completion(dialect, REPLY("'content':'a'", "'done':true,'done_reason':'length','prompt_eval_count':"
                                    "9223372036854775807,'eval_count':9223372036854775807"),
                     COMPLETION("'content':'a','refusal':null", "length", ""), "estimated");
    trial_completion(dialect, REPLY("'content':'a'", "'done':true,'done_reason':'length'"),
                     COMPLETION("'content':'a','refusal':null", "length", ""), "estimated");
    trial_completion(dialect, REPLY("'content':''", "'done':true,'done_reason':'load'"),
                     COMPLETION("'content':'','refusal':null", "stop", ""), "estimated");
    trial_completion_fails(dialect, "{'error':'llama runner process has terminated'}",
                           "service_error provider again //: llama runner process has terminated");
    trial_completion_fails(dialect, "{'models':[]}", "service_error provider again //: The service's reply has no message.");
    trial_completion_fails(dialect, "", "service_error provider again //: The service's reply is no JSON.");
}

static void failures_say_whose_they_are(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *reply, *expected;
    } rows[] = {
        { 404, "{'error':'model \\'x\\' not found'}",
          "resource_not_found route final /model_not_found/: model 'x' not found" },
        { 400, "{'error':'\\'x\\' does not support thinking'}",
          "invalid_parameters request final //: 'x' does not support thinking" },
        { 500, "{'error':'\\'x\\' does not support tools'}",
          "invalid_parameters request final //: 'x' does not support tools" },
        { 503, "{'error':'server busy, please try again. maximum pending requests exceeded'}",
          "resource_exhausted capacity again //: server busy, please try again. maximum pending requests exceeded" },
        { 500, "{'error':'model requires more system memory'}",
          "service_error provider again //: model requires more system memory" },
        { 401, "{'error':'unauthorized'}", "service_error key final //: unauthorized" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        trial_failure(dialect, rows[i].status, "", rows[i].reply, rows[i].expected);
    }
}

/* ---- streams ---- */

#define LINE(message, more) REPLY(message, more) "\n"
#define SAY(delta, finish) CHUNK("chatcmpl-1", "qwen3", "0", delta, finish)
#define ROLE "'role':'assistant',"
#define FIRST LINE("'content':'Hel\xC3\xA4'", "'done':false")
#define FIRST_SAID SAY(ROLE "'content':'Hel\xC3\xA4'", "null")

static void streams_become_chunks(void **state) {
    (void)state;
    trial_answer(dialect, FIRST LINE("'content':'lo'", "'done':false")
                 LINE("'content':''", "'done':true,'done_reason':'stop','prompt_eval_count':26,'eval_count':2"),
                 FIRST_SAID SAY("'content':'lo'", "null") "usage 26 2 0 0\n" SAY("", "'stop'") "done\n");
    trial_answer(dialect, LINE("'content':'','thinking':'hm'", "'done':false") "\r\n"
                 LINE("'content':'','tool_calls':[{'function':{'name':'w','arguments':{'c':1}}},{'id':'x','function':"
                      "{'name':'v','arguments':{}}}]", "'done':false")
                 REPLY("'content':'a'", "'done':true,'done_reason':'stop'"), /* without its LF */
                 SAY(ROLE "'reasoning_content':'hm'", "null")
                 SAY("'tool_calls':[{'index':0,'id':'call_1_0_0','type':'function','function':{'name':'w','arguments':"
                     "'{\\'c\\':1}'}}]", "null")
                 SAY("'tool_calls':[{'index':1,'id':'x','type':'function','function':{'name':'v','arguments':'{}'}}]", "null")
                 SAY("'content':'a'", "null") SAY("", "'tool_calls'") "done\n");
    trial_answer(dialect, FIRST LINE("'content':''", "'done':true,'done_reason':'length'") "what?\n",
                 FIRST_SAID SAY("", "'length'") "done\n");
}

static void streams_fail(void **state) {
    (void)state;
    trial_answer(dialect, FIRST, FIRST_SAID "failed service_error provider again The service's answer broke off.\n");
    trial_answer(dialect, "", "failed service_error provider again The service's answer broke off.\n");
    trial_answer(dialect, FIRST "{'error':'an error was encountered while running the model: EOF'}\n",
                 FIRST_SAID "failed service_error provider again an error was encountered while running the model: EOF\n");
    trial_answer(dialect, FIRST "<html>\n",
                 FIRST_SAID "failed service_error provider again The service sent a line that is no JSON.\n");
}

int test_ollama(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_texts_and_pictures),
        cmocka_unit_test(parameters_are_said),
        cmocka_unit_test(what_cannot_be_said_is_refused),
        cmocka_unit_test(replies_become_completions),
        cmocka_unit_test(failures_say_whose_they_are),
        cmocka_unit_test(streams_become_chunks),
        cmocka_unit_test(streams_fail),
    };
    return cmocka_run_group_tests_name("ollama", tests, NULL, NULL);
}
