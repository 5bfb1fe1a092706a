/* Feeding streams in pieces, and writing down what comes of it. */
#include "trial.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "remote/read_json.h"

#define SEEN_MAX ((size_t)64 << 20)

void trial_pieces(struct text bytes, const char *expected,
                  void (*once)(const struct text *pieces, size_t count, struct buffer *seen, void *context),
                  void *context) {
    struct buffer scoped(buffer_fini) seen;
    struct text *single = mem_new_array(bytes.len + 1, sizeof(*single));
    buffer_init(&seen, SEEN_MAX);
    for (size_t at = 0; at <= bytes.len; at++) {
        /* copies of their own, so that reading beyond a piece is seen */
        char *first = text_dup((struct text){ bytes.ptr, at });
        char *second = text_dup((struct text){ bytes.ptr + at, bytes.len - at });
        const struct text pieces[] = { { first, at }, { second, bytes.len - at } };
        buffer_clear(&seen);
        once(pieces, 2, &seen, context);
        assert_string_equal(buffer_text(&seen).ptr, expected);
        free(first);
        free(second);
        single[at] = (struct text){ bytes.ptr + at, 1 };
    }
    buffer_clear(&seen);
    once(single, bytes.len, &seen, context);
    assert_string_equal(buffer_text(&seen).ptr, expected);
    free(single);
}

void trial_put_failure(const struct chat_failure *failure, struct buffer *buf) {
    buffer_printf(buf, "%s %s %s", task_error_code(failure->error), failure_scope_name(failure->scope),
                  failure->retryable ? "again" : "final");
    if (failure->delay_ms > 0) {
        buffer_printf(buf, " %lldms", (long long)failure->delay_ms);
    }
    buffer_printf(buf, " %s/%s/%s: %s", failure->type, failure->code, failure->param, failure->message);
}

struct stream_trial {
    const struct chat_dialect *dialect;
    const struct chat_call *call;
    struct buffer *seen;
};

static void on_chunk(void *context, struct text json, const json_t *value) {
    struct stream_trial *trial = context;
    json_t *same = NULL;
    assert_true(text_is_utf8(json));
    assert_int_equal(read_service_json(json, &same, NULL), OK);
    assert_true(json_equal(same, value));
    json_decref(same);
    buffer_put(trial->seen, TEXT("chunk "));
    buffer_put(trial->seen, json);
    buffer_put_char(trial->seen, '\n');
}

static void on_usage(void *context, const struct token_usage *usage) {
    struct stream_trial *trial = context;
    buffer_printf(trial->seen, "usage %lld %lld %lld %lld%s\n", (long long)usage->input, (long long)usage->output,
                  (long long)usage->cached, (long long)usage->reasoning, usage->estimated ? " estimated" : "");
}

static void put_end(struct buffer *seen, enum err err, const struct chat_failure *failure) {
    if (err == ERR_FETCH) {
        buffer_printf(seen, "failed %s %s %s %s\n", task_error_code(failure->error), failure_scope_name(failure->scope),
                      failure->retryable ? "again" : "final", failure->message);
    } else if (err != OK) {
        buffer_printf(seen, "error %s\n", err_info(err)->name);
    } else {
        buffer_put(seen, TEXT("done\n"));
    }
}

/* What comes behind the last word makes no difference, so that nobody need wait for it. */
static bool is_over(const struct chat_dialect *dialect, const struct chat_reader *reader) {
    return dialect->over != NULL && dialect->over(reader);
}

static void run_stream(const struct text *pieces, size_t count, struct buffer *seen, void *context) {
    struct stream_trial *trial = context;
    struct chat_failure failure = { 0 };
    const struct chat_sink sink = { .chunk = on_chunk, .usage = on_usage, .context = trial };
    trial->seen = seen;
    struct chat_reader *reader = trial->dialect->open(trial->call, &sink);
    enum err err = OK;
    for (size_t i = 0; i < count && err == OK && !is_over(trial->dialect, reader); i++) {
        err = trial->dialect->feed(reader, pieces[i], &failure);
    }
    if (err == OK) {
        err = trial->dialect->finish(reader, &failure);
    }
    trial->dialect->close(reader);
    put_end(seen, err, &failure);
}

void trial_stream(const struct chat_dialect *dialect, const struct chat_call *call, struct text bytes,
                  const char *expected) {
    struct stream_trial trial = { .dialect = dialect, .call = call };
    trial_pieces(bytes, expected, run_stream, &trial);
}
