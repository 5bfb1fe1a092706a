/* The dialect of Google's generateContent: requests. */
#include "dialects.h"
#include "tests.h"

#define HI "'messages':[{'role':'user','content':'hi'}]"
#define SAID(more) "{'contents':[{'role':'user','parts':[{'text':'hi'}]}]" more "}"

static const struct chat_dialect *const dialect = &gemini_dialect;

static void contents(const char *model, const char *given, const char *expected) {
    trial_messages(dialect, model, given, "contents", expected);
}

static void turns_alternate(void **state) {
    (void)state;
    static const char given[] = "[{'role':'system','content':'s'},{'role':'user','content':'a'},{'role':'user','content':'b'},"
                                "{'role':'assistant','content':'c'},{'role':'developer','content':[{'type':'text','text':'t'}]},"
                                "{'role':'assistant','content':''},{'role':'user','content':'d'}]";
    contents("g", given,
             "[{'role':'user','parts':[{'text':'a'},{'text':'b'}]},{'role':'model','parts':[{'text':'c'}]},"
             "{'role':'user','parts':[{'text':'d'}]}]");
    trial_messages(dialect, "g", given, "systemInstruction", "{'parts':[{'text':'s'},{'text':'t'}]}");
    contents("g", "[{'role':'system','content':'s'}]", "[{'role':'user','parts':[{'text':'s'}]}]");
}

static void media_become_parts(void **state) {
    (void)state;
    contents("g",
             "[{'role':'user','content':[{'type':'text','text':'what?'},"
             "{'type':'image_url','image_url':{'url':'https://h/a.webp?s=1#x','detail':'high'}},"
             "{'type':'image_url','image_url':'https://h/picture'},"
             "{'type':'image_url','image_url':'data:image/png;base64,AAAA'},"
             "{'type':'video_url','video_url':{'url':'https://www.youtube.com/watch?v=1'}},"
             "{'type':'video_url','video_url':'https://h/a.MOV'},"
             "{'type':'audio_url','audio_url':{'url':'https://h/sound'}},"
             "{'type':'input_audio','input_audio':{'data':'BBBB','format':'mp3'}},"
             "{'type':'input_audio','input_audio':{'data':'BBBB','format':'wav'}},"
             "{'type':'file_url','file_url':'https://h/a.pdf'},"
             "{'type':'file','file':{'filename':'t.csv','file_data':'data:text/csv,a%2Cb'}},"
             "{'type':'file','file':{'filename':'u.pdf','file_data':'CCCC'}}]}]",
             "[{'role':'user','parts':[{'text':'what?'},"
             "{'fileData':{'mimeType':'image/webp','fileUri':'https://h/a.webp?s=1#x'}},"
             "{'fileData':{'mimeType':'image/jpeg','fileUri':'https://h/picture'}},"
             "{'inlineData':{'mimeType':'image/png','data':'AAAA'}},"
             "{'fileData':{'fileUri':'https://www.youtube.com/watch?v=1'}},"
             "{'fileData':{'mimeType':'video/quicktime','fileUri':'https://h/a.MOV'}},"
             "{'fileData':{'mimeType':'audio/mpeg','fileUri':'https://h/sound'}},"
             "{'inlineData':{'mimeType':'audio/mpeg','data':'BBBB'}},"
             "{'inlineData':{'mimeType':'audio/wav','data':'BBBB'}},"
             "{'fileData':{'mimeType':'application/pdf','fileUri':'https://h/a.pdf'}},"
             "{'inlineData':{'mimeType':'text/csv','data':'YSxi'}},"
             "{'inlineData':{'mimeType':'application/pdf','data':'CCCC'}}]}]");
}

#define CALLS "[{'role':'user','content':'a'},{'role':'assistant','content':'b','tool_calls':[" \
    "{'id':'t1','type':'function','function':{'name':'w','arguments':'{\\\"c\\\":1}'}}," \
    "{'id':'t2','type':'function','function':{'name':'v','arguments':'{}'},'extra_content':{'google':" \
    "{'thought_signature':'sig'}}}]},{'role':'tool','tool_call_id':'t1','content':'{\\\"d\\\":2}'}," \
    "{'role':'tool','tool_call_id':'t2','content':[{'type':'text','text':'e'},{'type':'text','text':'f'}," \
    "{'type':'image_url','image_url':'data:image/png;base64,AAAA'}]}]"
#define CALLS_SAID(signature) "[{'role':'user','parts':[{'text':'a'}]},{'role':'model','parts':[{'text':'b'}," \
    "{'functionCall':{'id':'t1','name':'w','args':{'c':1}}" signature "}," \
    "{'functionCall':{'id':'t2','name':'v','args':{}},'thoughtSignature':'sig'}]},{'role':'user','parts':[" \
    "{'functionResponse':{'id':'t1','name':'w','response':{'d':2}}}," \
    "{'functionResponse':{'id':'t2','name':'v','response':{'output':'e\\nf'}," \
    "'parts':[{'inlineData':{'mimeType':'image/png','data':'AAAA'}}]}}]}]"

static void functions_are_called(void **state) {
    (void)state;
    contents("gemini-3-pro", CALLS, CALLS_SAID(",'thoughtSignature':'skip_thought_signature_validator'"));
    contents("gemini-2.5-pro", CALLS, CALLS_SAID(""));
    contents("models/gemini-2.5-pro", CALLS, CALLS_SAID(""));
    /* the name that a message says itself */
    contents("g", "[{'role':'tool','tool_call_id':'t9','name':'x','content':''}]",
             "[{'role':'user','parts':[{'functionResponse':{'id':'t9','name':'x','response':{'output':''}}}]}]");
}

#define TOOLS "'tools':[{'type':'function','function':{'name':'w','description':'d','strict':true," \
    "'parameters':{'type':'object','additionalProperties':false}}},{'type':'function','function':{'name':'v'}}]"
#define TOOLS_SAID "'tools':[{'functionDeclarations':[{'name':'w','description':'d','parametersJsonSchema':" \
    "{'type':'object','additionalProperties':false}},{'name':'v'}]}]"
#define CONFIG(members) ",'generationConfig':{" members "}"
#define MODE(members) ",'toolConfig':{'functionCallingConfig':{" members "}}"

static void parameters_are_said(void **state) {
    (void)state;
    static const struct request_row rows[] = {
        { "{" HI ",'model':'x','stream':true,'user':'u','logit_bias':{},'unheard_of':1,'n':1}", SAID(""), .stream = true },
        { "{" HI ",'max_tokens':5,'temperature':1.5,'top_p':0.5,'top_k':3,'seed':4,'presence_penalty':0.1,"
          "'frequency_penalty':-0.2,'n':3,'stop':['a','b']}",
          SAID(CONFIG("'maxOutputTokens':5,'temperature':1.5,'topP':0.5,'topK':3,'seed':4,'presencePenalty':0.1,"
                      "'frequencyPenalty':-0.2,'candidateCount':3,'stopSequences':['a','b']")) },
        { "{" HI ",'response_format':{'type':'json_object'}}", SAID(CONFIG("'responseMimeType':'application/json'")) },
        { "{" HI ",'response_format':{'type':'json_schema','json_schema':{'name':'n','strict':true,'schema':{'$ref':'#/x'}}}}",
          SAID(CONFIG("'responseMimeType':'application/json','responseJsonSchema':{'$ref':'#/x'}")) },
        { "{" HI "," TOOLS "}", SAID("," TOOLS_SAID) },
        { "{" HI "," TOOLS ",'tool_choice':'auto','parallel_tool_calls':true}", SAID("," TOOLS_SAID MODE("'mode':'AUTO'")) },
        { "{" HI "," TOOLS ",'tool_choice':'none'}", SAID("," TOOLS_SAID MODE("'mode':'NONE'")) },
        { "{" HI "," TOOLS ",'tool_choice':'required'}", SAID("," TOOLS_SAID MODE("'mode':'ANY'")) },
        { "{" HI "," TOOLS ",'tool_choice':{'type':'function','function':{'name':'w'}}}",
          SAID("," TOOLS_SAID MODE("'mode':'ANY','allowedFunctionNames':['w']")) },
        { "{" HI ",'max_tokens':5}",
          SAID(",'safetySettings':[1]" CONFIG("'maxOutputTokens':5,'mediaResolution':'LOW'")),
          "{'options':{'request':{'safetySettings':[1],'generationConfig':{'mediaResolution':'LOW'}}}}" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        trial_request(dialect, "gemini-3-pro", &rows[i]);
    }
}

#define THINKING(members) CONFIG("'thinkingConfig':{" members "}")

#define TWO_EFFORTS "{'options':{'efforts':['high','low']}}"

static void thinking_is_wished(void **state) {
    (void)state;
    static const struct {
        const char *model;
        struct request_row row;
    } rows[] = {
        { "gemini-3-pro", { "{" HI "}", SAID(THINKING("'includeThoughts':true")), .reasoning = true } },
        { "gemini-3-pro", { "{" HI ",'reasoning_effort':'medium'}",
                            SAID(THINKING("'includeThoughts':true,'thinkingLevel':'MEDIUM'")) } },
        { "gemini-2.5-pro", { "{" HI ",'reasoning_effort':'medium'}",
                              SAID(THINKING("'includeThoughts':true,'thinkingBudget':8192")) } },
        { "gemini-2.5-flash", { "{" HI ",'reasoning_effort':'none'}", SAID(THINKING("'thinkingBudget':0")) } },
        { "gemini-2.5-pro", { "{" HI ",'reasoning_effort':'none'}", SAID(THINKING("'thinkingBudget':512")),
                              "{'options':{'efforts':['minimal','low','medium','high']}}" } },
        { "gemini-3-pro", { "{" HI ",'reasoning_effort':'none'}", SAID(THINKING("'thinkingLevel':'LOW'")), TWO_EFFORTS } },
        { "gemini-3-pro", { "{" HI ",'reasoning_effort':'minimal'}",
                            SAID(THINKING("'includeThoughts':true,'thinkingLevel':'LOW'")), TWO_EFFORTS } },
        { "gemini-3-pro", { "{" HI ",'reasoning_effort':'medium'}",
                            SAID(THINKING("'includeThoughts':true,'thinkingLevel':'HIGH'")), TWO_EFFORTS } },
        { "gemini-3-pro", { "{" HI "}", SAID(THINKING("'includeThoughts':true")), TWO_EFFORTS, .reasoning = true } },
        { "gemini-3-pro", { "{" HI ",'reasoning_effort':'none'}", SAID(THINKING("'thinkingLevel':'LOW'")),
                            .reasoning = true } },
        { "gemini-3-pro", { "{" HI ",'reasoning_effort':'extreme'}", SAID("") } },
        { "gemini-3-pro", { "{" HI ",'max_tokens':9}",
                            SAID(CONFIG("'maxOutputTokens':9,'thinkingConfig':{'thinkingBudget':-1}")),
                            "{'reasoning':{'generationConfig':{'thinkingConfig':{'thinkingBudget':-1}}}}",
                            .reasoning = true } },
        { "gemini-3-pro", { "{" HI "}", SAID(""), "{'reasoning':false}", .reasoning = true } },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        trial_request(dialect, rows[i].model, &rows[i].row);
    }
}

static void paths_name_the_model(void **state) {
    (void)state;
    trial_path(dialect, "gemini-3-pro", false, "/v1beta/models/gemini-3-pro:generateContent");
    trial_path(dialect, "gemini-3-pro", true, "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse");
    trial_path(dialect, "tunedModels/x", false, "/v1beta/tunedModels/x:generateContent");
    trial_path(dialect, "a b?c", false, "/v1beta/models/a%20b%3Fc:generateContent");
}

static void what_cannot_be_said_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *body;
        enum err err;
        const char *param;
    } rows[] = {
        { "{'messages':[{'role':'assistant','content':null}]}", ERR_MODEL_RULE, "messages" },
        { "{" HI ",'n':17}", ERR_MODEL_RULE, "n" },
        { "{" HI "," TOOLS ",'parallel_tool_calls':false}", ERR_MODEL_RULE, "parallel_tool_calls" },
        { "{" HI ",'tools':[{'type':'web_search'}]}", ERR_MODEL_RULE, "tools[0].type" },
        { "{" HI ",'response_format':{'type':'x'}}", ERR_MODEL_RULE, "response_format.type" },
        { "{'messages':[{'role':'function','content':'x'}]}", ERR_MODEL_RULE, "messages[0].role" },
        { "{'messages':[{'role':'user','content':'x'},{'role':'tool','tool_call_id':'t','content':'x'}]}",
          ERR_INVALID_PARAM, "messages[1].tool_call_id" },
        { "{'messages':[{'role':'tool','name':'f','content':[{'type':'image_url','image_url':'https://h/a.png'}]}]}",
          ERR_PART_TYPE, "messages[0].content[0].image_url" },
        { "{'messages':[{'role':'system','content':[{'type':'file_url','file_url':{'url':'https://h/a.pdf'}}]}]}",
          ERR_PART_TYPE, "messages[0].content[0].file_url.url" },
        { "{'messages':[{'role':'user','content':[{'type':'video_url','video_url':3}]}]}", ERR_INVALID_TYPE,
          "messages[0].content[0].video_url" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        trial_refused(dialect, rows[i].body, rows[i].err, rows[i].param);
    }
}

int test_gemini(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_alternate),
        cmocka_unit_test(media_become_parts),
        cmocka_unit_test(functions_are_called),
        cmocka_unit_test(parameters_are_said),
        cmocka_unit_test(thinking_is_wished),
        cmocka_unit_test(paths_name_the_model),
        cmocka_unit_test(what_cannot_be_said_is_refused),
    };
    return cmocka_run_group_tests_name("gemini, requests", tests, NULL, NULL);
}
