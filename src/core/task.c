/* The one table of state moves, and the names of states, types and failures. */
#include "core/task.h"

#include <assert.h>

#define SETTLED (TASK_EFFECT_SETTLE | TASK_EFFECT_ANNOUNCE)

struct move {
    bool known;
    enum task_state to;
    unsigned effects;
};

/* T1: the final states have no row. */
static const struct move moves[TASK_STATE_COUNT][TASK_EVENT_COUNT] = {
    [TASK_PENDING] = {
        [TASK_DISPATCH] = { true, TASK_PROCESSING, TASK_EFFECT_ANNOUNCE },
        [TASK_FAIL] = { true, TASK_FAILED, SETTLED | TASK_EFFECT_ERROR },
        [TASK_CANCEL] = { true, TASK_FAILED, SETTLED | TASK_EFFECT_ERROR },
    },
    [TASK_PROCESSING] = {
        [TASK_RETRY] = { true, TASK_PENDING, TASK_EFFECT_ANNOUNCE },
        [TASK_COMPLETE] = { true, TASK_COMPLETED, SETTLED | TASK_EFFECT_RESULTS },
        [TASK_FAIL] = { true, TASK_FAILED, SETTLED | TASK_EFFECT_ERROR },
        [TASK_CANCEL] = { true, TASK_FAILED, SETTLED | TASK_EFFECT_ERROR },
    },
};

static const char *const state_names[TASK_STATE_COUNT] = {
    [TASK_PENDING] = "pending",
    [TASK_PROCESSING] = "processing",
    [TASK_COMPLETED] = "completed",
    [TASK_FAILED] = "failed",
};

static const struct {
    const char *name, *object;
} types[TASK_TYPE_COUNT] = {
    [TASK_IMAGE] = { "image", "image.generation.task" },          [TASK_VIDEO] = { "video", "video.generation.task" },
    [TASK_AUDIO] = { "audio", "audio.generation.task" },          [TASK_LLM] = { "llm", "llm.generation.task" },
    [TASK_DOCUMENT] = { "document", "document.generation.task" },
};

static const struct {
    const char *code, *message;
    bool retryable;
} failures[TASK_ERROR_COUNT] = {
#define X(name, code, retry, message) [name] = { code, message, retry },
    /* clang-format off */
    [TASK_ERROR_NONE] = { NULL, "", false },
    TASK_ERROR_TABLE(X)
/* clang-format on */
#undef X
};

enum err task_step(enum task_state state, enum task_event event, enum task_state *ret_state, unsigned *ret_effects) {
    assert((unsigned)state < TASK_STATE_COUNT && (unsigned)event < TASK_EVENT_COUNT);
    if (task_state_final(state)) {
        return ERR_TASK_FINAL;
    }
    const struct move *move = &moves[state][event];
    if (!move->known) {
        return ERR_CONFLICT;
    }
    *ret_state = move->to;
    *ret_effects = move->effects;
    return OK;
}

bool task_state_final(enum task_state state) {
    return state == TASK_COMPLETED || state == TASK_FAILED;
}

const char *task_state_name(enum task_state state) {
    assert((unsigned)state < TASK_STATE_COUNT);
    return state_names[state];
}

bool task_state_parse(struct text name, enum task_state *ret) {
    for (unsigned i = 0; i < TASK_STATE_COUNT; i++) {
        if (text_equal(name, text_of(state_names[i]))) {
            *ret = i;
            return true;
        }
    }
    return false;
}

const char *task_type_name(enum task_type type) {
    assert((unsigned)type < TASK_TYPE_COUNT);
    return types[type].name;
}

bool task_type_parse(struct text name, enum task_type *ret) {
    for (unsigned i = 0; i < TASK_TYPE_COUNT; i++) {
        if (text_equal(name, text_of(types[i].name))) {
            *ret = i;
            return true;
        }
    }
    return false;
}

const char *task_type_object(enum task_type type) {
    assert((unsigned)type < TASK_TYPE_COUNT);
    return types[type].object;
}

const char *task_error_code(enum task_error error) {
    assert((unsigned)error < TASK_ERROR_COUNT);
    return failures[error].code;
}

const char *task_error_message(enum task_error error) {
    assert((unsigned)error < TASK_ERROR_COUNT);
    return failures[error].message;
}

bool task_error_retryable(enum task_error error) {
    assert((unsigned)error < TASK_ERROR_COUNT);
    return failures[error].retryable;
}

bool task_error_parse(struct text code, enum task_error *ret) {
    for (unsigned i = TASK_ERROR_NONE + 1; i < TASK_ERROR_COUNT; i++) {
        if (text_equal(code, text_of(failures[i].code))) {
            *ret = i;
            return true;
        }
    }
    return false;
}
