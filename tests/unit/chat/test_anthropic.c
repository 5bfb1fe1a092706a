/* The dialect of Anthropic's Messages API: requests, replies, streams and failures. */
#include <jansson.h>
#include <stdlib.h>

#include "base/memory.h"
#include "dialects.h"
#include "tests.h"

#define MODEL "claude-opus-4-6"
#define USER "'messages':[{'role':'user','content':[{'type':'text','text':'hi'}]}]"
#define HI "'messages':[{'role':'user','content':'hi'}]"

static const struct chat_dialect *const dialect = &anthropic_dialect;

/* ---- requests ---- */

static void messages(const char *given, const char *expected) {
    trial_messages(dialect, MODEL, given, "messages", expected);
}

static void turns_alternate(void **state) {
    (void)state;
    messages("[{'role':'user','content':'a'}]", "[{'role':'user','content':[{'type':'text','text':'a'}]}]");
    messages("[{'role':'user','content':'a'},{'role':'user','content':[{'type':'text','text':'b'},"
             "{'type':'text','text':''}]},{'role':'assistant','content':'c','reasoning_content':'hm'},"
             "{'role':'assistant','content':null},{'role':'user','content':'d'}]",
             "[{'role':'user','content':[{'type':'text','text':'a'},{'type':'text','text':'b'}]},"
             "{'role':'assistant','content':[{'type':'text','text':'c'}]},"
             "{'role':'user','content':[{'type':'text','text':'d'}]}]");
    /* the assistant first; and what the answer goes on from, which ends without white space */
    messages("[{'role':'assistant','content':'Hello. '},{'role':'user','content':'a'},"
             "{'role':'assistant','content':'so: \\n'}]",
             "[{'role':'user','content':[{'type':'text','text':'Continue.'}]},"
             "{'role':'assistant','content':[{'type':'text','text':'Hello. '}]},"
             "{'role':'user','content':[{'type':'text','text':'a'}]},"
             "{'role':'assistant','content':[{'type':'text','text':'so:'}]}]");
    /* nothing but a system message */
    messages("[{'role':'system','content':'write'}]", "[{'role':'user','content':[{'type':'text','text':'write'}]}]");
    trial_messages(dialect, MODEL,
                   "[{'role':'system','content':'a'},{'role':'user','content':'b'},{'role':'developer','content':"
                   "[{'type':'text','text':'c','cache_control':{'type':'ephemeral'}}]}]",
                   "system",
                   "[{'type':'text','text':'a'},{'type':'text','text':'c','cache_control':{'type':'ephemeral'}}]");
}

static void media_become_blocks(void **state) {
    (void)state;
    messages("[{'role':'user','content':[{'type':'image_url','image_url':{'url':'https://h/a.png','detail':'low'}},"
             "{'type':'image_url','image_url':'data:image/jpg;base64,AAAA'},"
             "{'type':'file_url','file_url':{'url':'https://h/b.pdf?x=1','filename':'b.pdf'},"
             "'cache_control':{'type':'ephemeral','ttl':'1h'}},"
             "{'type':'file','file':{'file_data':'data:application/pdf;base64,JVBE','filename':'c.pdf'}},"
             "{'type':'file','file':{'file_data':'data:text/markdown;base64,IyBo','filename':'d.md'}},"
             "{'type':'file_url','file_url':'data:text/plain,a%20b'}]}]",
             "[{'role':'user','content':[{'type':'image','source':{'type':'url','url':'https://h/a.png'}},"
             "{'type':'image','source':{'type':'base64','media_type':'image/jpeg','data':'AAAA'}},"
             "{'type':'document','title':'b.pdf','source':{'type':'url','url':'https://h/b.pdf?x=1'},"
             "'cache_control':{'type':'ephemeral','ttl':'1h'}},"
             "{'type':'document','title':'c.pdf','source':{'type':'base64','media_type':'application/pdf','data':'JVBE'}},"
             "{'type':'document','title':'d.md','source':{'type':'text','media_type':'text/plain','data':'# h'}},"
             "{'type':'document','source':{'type':'text','media_type':'text/plain','data':'a b'}}]}]");
}

static void tools_are_used(void **state) {
    (void)state;
    messages("[{'role':'user','content':'weather?'},{'role':'assistant','content':'','tool_calls':["
             "{'id':'t1','type':'function','function':{'name':'w','arguments':'{\\\"c\\\":1}'}},"
             "{'id':'t2','type':'function','function':{'name':'w','arguments':''}}]},"
             "{'role':'tool','tool_call_id':'t1','content':'rain'},"
             "{'role':'tool','tool_call_id':'t2','content':[{'type':'text','text':'sun'},"
             "{'type':'image_url','image_url':{'url':'data:image/png;base64,AAAA'}}]},"
             "{'role':'tool','tool_call_id':'t3','content':''},"
             "{'role':'user','content':'so?'}]",
             "[{'role':'user','content':[{'type':'text','text':'weather?'}]},{'role':'assistant','content':["
             "{'type':'tool_use','id':'t1','name':'w','input':{'c':1}},{'type':'tool_use','id':'t2','name':'w','input':{}}]},"
             "{'role':'user','content':[{'type':'tool_result','tool_use_id':'t1','content':[{'type':'text','text':'rain'}]},"
             "{'type':'tool_result','tool_use_id':'t2','content':[{'type':'text','text':'sun'},"
             "{'type':'image','source':{'type':'base64','media_type':'image/png','data':'AAAA'}}]},"
             "{'type':'tool_result','tool_use_id':'t3'},{'type':'text','text':'so?'}]}]");
}

#define TOOLS "'tools':[{'type':'function','function':{'name':'w','description':'d','strict':true," \
    "'parameters':{'type':'object','properties':{'c':{'type':'integer'}}}}},{'type':'function'," \
    "'function':{'name':'v'},'cache_control':{'type':'ephemeral'}}]"
#define TOOLS_SAID "'tools':[{'name':'w','description':'d','strict':true,'input_schema':{'type':'object'," \
    "'properties':{'c':{'type':'integer'}}}},{'name':'v','input_schema':{'type':'object'}," \
    "'cache_control':{'type':'ephemeral'}}]"
#define SAID(more) "{'model':'" MODEL "'," USER more "}"

static void parameters_are_said(void **state) {
    (void)state;
    static const struct request_row rows[] = {
        { "{" HI "}", SAID(",'max_tokens':4096") },
        { "{" HI ",'model':'other','stream':false,'max_tokens':9,'max_completion_tokens':12,'seed':1,'user':'u-1',"
          "'logit_bias':{'5':1},'frequency_penalty':1,'n':1,'logprobs':true,'unheard_of':{}}",
          SAID(",'max_tokens':12,'metadata':{'user_id':'u-1'},'stream':true"), .stream = true },
        { "{" HI ",'max_tokens':9,'temperature':1.7,'top_p':0.5,'top_k':3,'stop':'END','safety_identifier':'s','user':'u'}",
          SAID(",'max_tokens':9,'temperature':1,'top_k':3,'stop_sequences':['END'],'metadata':{'user_id':'s'}") },
        { "{" HI ",'max_tokens':9,'temperature':0.2,'stop':['a','','b']}",
          SAID(",'max_tokens':9,'temperature':0.2,'stop_sequences':['a','b']") },
        { "{" HI ",'max_tokens':9,'top_p':0.5,'stop':null,'tools':[],'tool_choice':'auto'}",
          SAID(",'max_tokens':9,'top_p':0.5") },
        { "{" HI ",'max_tokens':9," TOOLS "}", SAID(",'max_tokens':9," TOOLS_SAID) },
        { "{" HI ",'max_tokens':9,'tool_choice':'required','parallel_tool_calls':true," TOOLS "}",
          SAID(",'max_tokens':9,'tool_choice':{'type':'any'}," TOOLS_SAID) },
        { "{" HI ",'max_tokens':9,'tool_choice':'none','parallel_tool_calls':false," TOOLS "}",
          SAID(",'max_tokens':9,'tool_choice':{'type':'none'}," TOOLS_SAID) },
        { "{" HI ",'max_tokens':9,'parallel_tool_calls':false," TOOLS "}",
          SAID(",'max_tokens':9,'tool_choice':{'type':'auto','disable_parallel_tool_use':true}," TOOLS_SAID) },
        { "{" HI ",'max_tokens':9,'tool_choice':{'type':'function','function':{'name':'w'}}," TOOLS "}",
          SAID(",'max_tokens':9,'tool_choice':{'type':'tool','name':'w'}," TOOLS_SAID) },
        { "{" HI ",'max_tokens':9,'response_format':{'type':'text'}}", SAID(",'max_tokens':9") },
        { "{" HI ",'max_tokens':9,'response_format':{'type':'json_schema','json_schema':{'name':'n','schema':{'type':'object'}}}}",
          SAID(",'max_tokens':9,'output_config':{'format':{'type':'json_schema','schema':{'type':'object'}}}") },
        { "{" HI ",'max_tokens':9,'response_format':{'type':'json_object'}}",
          SAID(",'max_tokens':9,'system':[{'type':'text','text':'Answer with one JSON object and nothing besides it.'}]") },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        trial_request(dialect, MODEL, &rows[i]);
    }
    trial_path(dialect, MODEL, true, "/v1/messages");
}

#define ADAPTIVE "'thinking':{'type':'adaptive','display':'summarized'}"
#define BUDGET(n) "'thinking':{'type':'enabled','budget_tokens':" #n "}"

static void thinking_is_wished(void **state) {
    (void)state;
    static const struct request_row rows[] = {
        { "{" HI ",'max_tokens':9,'temperature':0.5,'top_p':0.5,'top_k':2}", SAID(",'max_tokens':9," ADAPTIVE),
          .reasoning = true },
        { "{" HI ",'max_tokens':9,'top_p':0.97}", SAID(",'max_tokens':9,'top_p':0.97," ADAPTIVE), .reasoning = true },
        { "{" HI ",'max_tokens':9,'reasoning_effort':'high','response_format':{'type':'json_schema','json_schema':{'schema':{}}}}",
          SAID(",'max_tokens':9,'output_config':{'effort':'high','format':{'type':'json_schema','schema':{}}}," ADAPTIVE) },
        { "{" HI ",'max_tokens':9,'reasoning_effort':'minimal'}",
          SAID(",'max_tokens':9,'output_config':{'effort':'low'}," ADAPTIVE) },
        { "{" HI ",'max_tokens':9,'reasoning_effort':'xhigh'}",
          SAID(",'max_tokens':9,'output_config':{'effort':'xhigh'}," ADAPTIVE) },
        { "{" HI ",'max_tokens':9,'reasoning_effort':'xhigh'}",
          SAID(",'max_tokens':9,'output_config':{'effort':'high'}," ADAPTIVE),
          "{'options':{'efforts':['low','medium','high']}}" },
        { "{" HI ",'max_tokens':9,'reasoning_effort':'none'}", SAID(",'max_tokens':9"), .reasoning = true },
        { "{" HI ",'max_tokens':8000}", SAID(",'max_tokens':8000," BUDGET(4000)), "{'reasoning':'budget'}",
          .reasoning = true },
        { "{" HI ",'max_tokens':8000,'reasoning_effort':'low'}", SAID(",'max_tokens':8000," BUDGET(2000)),
          "{'reasoning':'budget'}" },
        { "{" HI ",'max_tokens':8000,'reasoning_effort':'high'}", SAID(",'max_tokens':8000," BUDGET(6000)),
          "{'reasoning':'budget'}" },
        { "{" HI ",'max_tokens':1500}", SAID(",'max_tokens':1500," BUDGET(1024)), "{'reasoning':'budget'}",
          .reasoning = true },
        { "{" HI ",'max_tokens':5000}", SAID(",'max_tokens':5000," BUDGET(4999)), "{'reasoning':20000}",
          .reasoning = true },
        { "{" HI ",'max_tokens':9}", SAID(",'max_tokens':9"), "{'reasoning':false}", .reasoning = true },
        { "{" HI ",'max_tokens':9,'temperature':0.5}", SAID(",'max_tokens':9,'thinking':{'type':'x'}"),
          "{'reasoning':{'thinking':{'type':'x'}}}", .reasoning = true },
        { "{" HI ",'max_tokens':9}", SAID(",'max_tokens':9"), "{'reasoning':{'thinking':{'type':'x'}}}" },
        /* a tool that must be called forbids it */
        { "{" HI ",'max_tokens':9,'temperature':0.5,'tool_choice':'required'," TOOLS "}",
          SAID(",'max_tokens':9,'temperature':0.5,'tool_choice':{'type':'any'}," TOOLS_SAID), .reasoning = true },
        /* the route's own words, over all others */
        { "{" HI ",'max_tokens':9,'temperature':0.5,'user':'u'}",
          SAID(",'max_tokens':9,'metadata':{'user_id':'u','x':1},'service_tier':'auto'"),
          "{'options':{'request':{'temperature':null,'metadata':{'x':1},'service_tier':'auto'}}}" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        trial_request(dialect, MODEL, &rows[i]);
    }
}

/* The thoughts before a tool call are not in OpenAI's messages; with a budget the API would want them. */
static void lost_thoughts_are_not_asked_for(void **state) {
    (void)state;
    static const char body[] = "{'max_tokens':5000,'messages':[{'role':'user','content':'a'},{'role':'assistant','tool_calls':["
                               "{'id':'t','type':'function','function':{'name':'w','arguments':'{}'}}]},"
                               "{'role':'tool','tool_call_id':'t','content':'b'}]}";
    static const char said[] = "'model':'" MODEL "','max_tokens':5000,'messages':[{'role':'user','content':["
                               "{'type':'text','text':'a'}]},{'role':'assistant','content':[{'type':'tool_use','id':'t',"
                               "'name':'w','input':{}}]},{'role':'user','content':[{'type':'tool_result',"
                               "'tool_use_id':'t','content':[{'type':'text','text':'b'}]}]}]";
    char expected[2048];
    struct request_row row = { body, expected, "{'reasoning':'budget'}", .reasoning = true };
    snprintf(expected, sizeof expected, "{%s}", said);
    trial_request(dialect, MODEL, &row);
    row.route = NULL;
    snprintf(expected, sizeof expected, "{%s," ADAPTIVE "}", said);
    trial_request(dialect, MODEL, &row);
}

static void what_cannot_be_said_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *body;
        enum err err;
        const char *param;
    } rows[] = {
        { "{'messages':[]}", ERR_MODEL_RULE, "messages" },
        { "{'messages':[{'role':'user','content':''}]}", ERR_MODEL_RULE, "messages" },
        { "{" HI ",'n':2}", ERR_MODEL_RULE, "n" },
        { "{" HI ",'stop':['a',' \\n']}", ERR_MODEL_RULE, "stop" },
        { "{" HI ",'response_format':{'type':'grammar'}}", ERR_MODEL_RULE, "response_format.type" },
        { "{" HI ",'tools':[{'type':'function','function':{'name':'a'}},{'type':'custom','custom':{}}]}", ERR_MODEL_RULE,
          "tools[1].type" },
        { "{" HI "," TOOLS ",'tool_choice':{'type':'allowed_tools'}}", ERR_MODEL_RULE, "tool_choice.type" },
        { "{" HI ",'tool_choice':'maybe'}", ERR_MODEL_RULE, "tool_choice" },
        { "{'messages':[{'role':'user','content':'a'},{'role':'robot','content':'b'}]}", ERR_MODEL_RULE,
          "messages[1].role" },
        { "{'messages':[{'role':'tool','content':'b'}]}", ERR_MISSING_FIELD, "messages[0].tool_call_id" },
        { "{'messages':[{'role':'assistant','tool_calls':[{'id':'t','type':'function','function':{'name':'w',"
          "'arguments':'[1]'}}]}]}", ERR_INVALID_PARAM, "messages[0].tool_calls[0].function.arguments" },
        { "{'messages':[{'role':'assistant','tool_calls':[{'id':'t','type':'custom','custom':{}}]}]}", ERR_MODEL_RULE,
          "messages[0].tool_calls[0].type" },
        { "{'messages':[{'role':'user','content':[{'type':'text','text':'a'},{'type':'video_url','video_url':"
          "{'url':'https://h/a.mp4'}}]}]}", ERR_PART_TYPE, "messages[0].content[1].video_url.url" },
        { "{'messages':[{'role':'user','content':[{'type':'input_audio','input_audio':{'data':'AAAA','format':'wav'}}]}]}",
          ERR_PART_TYPE, "messages[0].content[0].input_audio.data" },
        { "{'messages':[{'role':'user','content':[{'type':'file','file':{'file_id':'file-1'}}]}]}", ERR_PART_TYPE,
          "messages[0].content[0].file.file_id" },
        { "{'messages':[{'role':'user','content':[{'type':'file_url','file_url':{'url':'https://h/a.csv'}}]}]}",
          ERR_PART_TYPE, "messages[0].content[0].file_url.url" },
        { "{'messages':[{'role':'user','content':[{'type':'image_url','image_url':'data:image/bmp;base64,AAAA'}]}]}",
          ERR_PART_TYPE, "messages[0].content[0].image_url" },
        { "{'messages':[{'role':'user','content':[{'type':'image_url','image_url':{'detail':'low'}}]}]}",
          ERR_INVALID_TYPE, "messages[0].content[0].image_url.url" },
        { "{'messages':[{'role':'user','content':[{'type':'image_url','image_url':{'url':'data:x'}}]}]}",
          ERR_INVALID_URL, "messages[0].content[0].image_url.url" },
        { "{'messages':[{'role':'user','content':[{'type':'file_url','file_url':'data:text/plain;base64,!!'}]}]}",
          ERR_INVALID_URL, "messages[0].content[0].file_url" },
        { "{'messages':[{'role':'user','content':[{'type':'file_url','file_url':'data:text/plain;base64,//79'}]}]}",
          ERR_PART_TYPE, "messages[0].content[0].file_url" },
        { "{'messages':[{'role':'user','content':[{'type':'hologram'}]}]}", ERR_PART_TYPE,
          "messages[0].content[0].type" },
        { "{'messages':[{'role':'system','content':[{'type':'image_url','image_url':'https://h/a.png'}]}]}",
          ERR_PART_TYPE, "messages[0].content[0].image_url" },
        { "{'messages':[{'role':'user','content':[7]}]}", ERR_PART_TYPE, "messages[0].content[0].type" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        trial_refused(dialect, rows[i].body, rows[i].err, rows[i].param);
    }
}

static void a_budget_needs_room(void **state) {
    (void)state;
    json_t *body = json_pack("{s:[{s:s,s:s}], s:i}", "messages", "role", "user", "content", "hi", "max_completion_tokens",
                             1024);
    json_t *route = json_pack("{s:s}", "reasoning", "budget");
    struct chat_call call = { .body = body, .model = MODEL, .route = route, .reasoning = true, .id = "chatcmpl-1" };
    struct chat_request request = { 0 };
    struct fault fault = { 0 };
    assert_int_equal(dialect->check(&call, &fault), ERR_MODEL_RULE);
    assert_string_equal(fault.param, "max_completion_tokens");
    assert_int_equal(dialect->request(&call, &request, &fault), ERR_MODEL_RULE);
    assert_string_equal(fault.param, "max_completion_tokens");
    json_object_set_new(body, "max_completion_tokens", json_integer(1025));
    assert_int_equal(dialect->request(&call, &request, &fault), OK);
    assert_int_equal(request.header_count, 1);
    assert_string_equal(request.headers[0].name, "anthropic-version");
    assert_string_equal(request.headers[0].value, "2023-06-01");
    chat_request_fini(&request);
    json_object_del(body, "max_completion_tokens"); /* what the model's description says then counts */
    call.max_tokens = 32000;
    assert_int_equal(dialect->request(&call, &request, &fault), OK);
    assert_non_null(strstr(request.body.data, "\"max_tokens\":32000"));
    assert_non_null(strstr(request.body.data, "\"budget_tokens\":16000"));
    chat_request_fini(&request);
    json_decref(body);
    json_decref(route);
}

int test_anthropic(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_alternate),
        cmocka_unit_test(media_become_blocks),
        cmocka_unit_test(tools_are_used),
        cmocka_unit_test(parameters_are_said),
        cmocka_unit_test(thinking_is_wished),
        cmocka_unit_test(lost_thoughts_are_not_asked_for),
        cmocka_unit_test(what_cannot_be_said_is_refused),
        cmocka_unit_test(a_budget_needs_room),
    };
    return cmocka_run_group_tests_name("anthropic, requests", tests, NULL, NULL);
}
