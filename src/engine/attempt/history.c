/* Reading attempts. */
#include "engine/attempt/history.h"

#include <stdlib.h>

#include "base/memory.h"
#include "engine/state.h"
#include "engine/task/live.h"

static void replace(char **place, struct text text) {
    free(*place);
    *place = text.len > 0 ? text_dup(text) : NULL;
}

static void copy_name(char ret[NAME_SIZE], struct text name) {
    snprintf(ret, NAME_SIZE, "%.*s", TEXT_ARG(name));
}

/* In the order of their numbers. */
static bool read_attempt(const struct attempt_row *row, void *context) {
    struct history *history = context;
    bool remote = row->target.len > 0, made = remote && row->remote.len > 0;
    if (row->state == ATTEMPT_FAILED && (!remote || made))
        history->failures++;
    if (made && (row->state == ATTEMPT_FAILED || row->state == ATTEMPT_ABANDONED)) {
        replace(&history->made_at, row->target);
        copy_name(history->made_by, row->provider);
    }
    history->number = row->number;
    history->last = row->state;
    history->started_ms = row->started_ms;
    copy_name(history->provider, row->provider);
    copy_name(history->credential, row->credential);
    replace(&history->target, row->target);
    replace(&history->remote, row->remote);
    replace(&history->kept, row->kept);
    return true;
}

enum err history_read(struct engine *engine, const struct live_task *task, struct history *ret) {
    struct task_id id = task_key_id(&task->key);
    *ret = (struct history){ .last = ATTEMPT_STATE_COUNT };
    return store_list_attempts(engine->store, task->key.account, &id, read_attempt, ret);
}

void history_fini(struct history *history) {
    free(history->target);
    free(history->remote);
    free(history->kept);
    free(history->made_at);
    *history = (struct history){ .last = ATTEMPT_STATE_COUNT };
}
