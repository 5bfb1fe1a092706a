/* What the dialects need to make their requests, OpenAI's own hardly any of it: OpenAI's parameters read, the turns
 * of a conversation, the route's own words put over it, and the whole rendered.
 *
 * Two words of a route change a request, both as merge patches (RFC 7396: null takes a member away): `reasoning`,
 * when the client wants the model to think, instead of what the dialect says by itself (false: nothing is said of it
 * then); and `options.request`, always and last. Pure, any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/text.h"
#include "chat/dialect/dialect.h"

struct json_t;

#define CHAT_REQUEST_MAX ((size_t)256 << 20) /* bytes of a request's body */

/* A member that is a text, pointing into `object`; ptr NULL when it is none. */
struct text member_text(const struct json_t *object, const char *key);
/* A member that is an integer (or a real without fraction), at least 0; 0: none. For counts. */
int64_t member_count(const struct json_t *object, const char *key);
/* Puts a text under a key of an object, or at the end of an array (NULL: nowhere), without checking that it is UTF-8: what
 * comes out of parsed JSON is. */
void put_text(struct json_t *object, const char *key, struct text value);
/* Copies a member of `from` that is a number, under another name. */
void put_number(struct json_t *object, const char *key, const struct json_t *from, const char *from_key);

/* ---- parameters ---- */

int64_t request_max_tokens(const struct json_t *body); /* max_completion_tokens, else max_tokens; 0: neither */
/* `stop`, a text or several, as a new array without empty texts; NULL: none. */
struct json_t *request_stops(const struct json_t *body);
/* ERR_MODEL_RULE for n > 1. */
enum err request_one_answer(const struct json_t *body, struct fault *fault) must_check;

enum effort { EFFORT_UNSAID, EFFORT_NONE, EFFORT_MINIMAL, EFFORT_LOW, EFFORT_MEDIUM, EFFORT_HIGH, EFFORT_XHIGH };
enum effort request_effort(const struct json_t *body); /* reasoning_effort; unknown words are EFFORT_UNSAID */
/* What is said to the service: of the route's `options.efforts` the one that is wished, else the next above it, else the
 * highest. The wish as it is when there is none, or the route lists none. */
enum effort request_effort_taken(const struct chat_call *call);
/* Whether the model is to think: the client's wish, or any effort besides none; never when the route says false. */
bool request_thinks(const struct chat_call *call);

enum answer_form { FORM_TEXT, FORM_JSON, FORM_SCHEMA };
/* response_format; *ret_schema is the JSON schema of FORM_SCHEMA, borrowed. ERR_MODEL_RULE for a type that is none of
 * these. */
enum err request_form(const struct json_t *body, enum answer_form *ret, const struct json_t **ret_schema,
                      struct fault *fault) must_check;

struct tool {
    struct text name, description;      /* the description may be empty */
    const struct json_t *parameters;    /* a JSON schema; NULL: none */
    const struct json_t *cache_control; /* NULL: none */
    bool strict;
};
/* Hands the tools to `take`, in order. ERR_MODEL_RULE for one that is no function. */
enum err request_tools(const struct json_t *body, void (*take)(void *context, const struct tool *tool), void *context,
                       struct fault *fault) must_check;
bool request_has_tools(const struct json_t *body);

enum tool_wish { TOOLS_UNSAID, TOOLS_AUTO, TOOLS_NONE, TOOLS_REQUIRED, TOOLS_NAMED };
/* tool_choice; *ret_name is the function of TOOLS_NAMED. ERR_MODEL_RULE for anything else. */
enum err request_tool_wish(const struct json_t *body, enum tool_wish *ret, struct text *ret_name, struct fault *fault)
    must_check;
/* Whether parallel_tool_calls is false, and there are tools. */
bool request_one_tool_a_time(const struct json_t *body);

/* ---- turns ---- */

/* A conversation in which the roles alternate: what follows in the same role joins the turn before. */
struct turns {
    struct json_t *list;
    const char *key;  /* of a turn's parts: "content", "parts" */
    const char *role; /* of the last turn; NULL: there is none yet */
};
/* The array of parts to add to, borrowed: the last turn's when it has this role, else a new turn's. */
struct json_t *turns_parts(struct turns *turns, const char *role);

/* ---- the end ---- */

/* Puts the route's words over `request`: `reasoning` when the model `thinks`, then `options.request`. */
void request_patch(struct json_t *request, const struct chat_call *call, bool thinks);
/* Whether the route has its own words for thinking. */
bool request_reasoning_said(const struct chat_call *call);
/* Renders `request` into *ret, with this path and these headers. ERR_REQUEST_TOO_LARGE. */
enum err request_render(const struct json_t *request, struct text path, const struct chat_header *headers,
                        unsigned header_count, struct chat_request *ret, struct fault *fault) must_check;
