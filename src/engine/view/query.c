/* engine_query: from the board, else read through from the store and kept there; an end is not waited for on the board. */
#include "base/arena.h"
#include "base/crypto.h"
#include "engine/state.h"
#include "engine/view/wait.h"

#define ROW_MAX ((size_t)96 << 20)

static enum err find_row(struct engine *engine, int64_t account, const struct task_id *id, struct arena *arena,
                         struct task_row *ret) {
    enum err err = store_find_task(engine->store, account, id, arena, ret);
    return err == ERR_NOT_FOUND ? ERR_TASK_NOT_FOUND : err;
}

static enum err read_through(struct engine *engine, int64_t account, const struct task_id *id, struct text base,
                             struct arena *arena, struct buffer *body, uint64_t *ret_tag) {
    struct task_row row;
    size_t start = body->len;
    enum err err = find_row(engine, account, id, arena, &row);
    if (err != OK)
        return err;
    struct answer answer = answer_of_row(&row);
    answer_put_task(body, &answer, base);
    if (!buffer_ok(body))
        return ERR_NO_MEMORY;
    struct text rendered = { body->data + start, body->len - start };
    *ret_tag = crypto_tag(rendered);
    if (task_state_final(row.state)) /* T1: it will never change, so it may be kept */
        board_keep(engine->board, &row, base, rendered, *ret_tag);
    return OK;
}

enum err engine_repeat_submission(struct engine *engine, int64_t account, const struct task_id *id,
                                  int64_t estimated_s, struct buffer *body) {
    struct arena arena;
    struct task_row row;
    arena_init(&arena, ROW_MAX);
    enum err err = store_find_task(engine->store, account, id, &arena, &row);
    if (err == OK) {
        row.state = TASK_PENDING; /* as it was then */
        row.progress = 0;
        row.charged = row.refunded = 0;
        struct answer answer = answer_of_row(&row);
        answer.estimated_s = estimated_s;
        answer_put_submission(body, &answer);
    }
    arena_fini(&arena);
    return err;
}

/* A call's results are an array of the one completion. */
enum err engine_repeat_call(struct engine *engine, int64_t account, const struct task_id *id, struct arena *arena,
                            struct text *ret) {
    struct task_row row;
    enum err err = store_find_task(engine->store, account, id, arena, &row);
    if (err != OK)
        return err;
    if (row.state != TASK_COMPLETED || row.results.len < 2)
        return ERR_NOT_FOUND;
    *ret = (struct text){ row.results.ptr + 1, row.results.len - 2 };
    return OK;
}

enum err engine_query_tagged(struct engine *engine, int64_t account, const struct task_id *id, struct text base,
                             struct buffer *body, uint64_t *ret_tag) {
    struct task_key key = task_key(account, id);
    if (board_read(engine->board, &key, base, body, ret_tag))
        return buffer_ok(body) ? OK : ERR_NO_MEMORY;
    struct arena arena;
    arena_init(&arena, ROW_MAX);
    enum err err = read_through(engine, account, id, base, &arena, body, ret_tag);
    arena_fini(&arena);
    return err;
}

enum err engine_query(struct engine *engine, int64_t account, const struct task_id *id, struct text base,
                      struct buffer *body) {
    uint64_t tag;
    return engine_query_tagged(engine, account, id, base, body, &tag);
}

enum err engine_query_ended(struct engine *engine, int64_t account, const struct task_id *id, struct text base,
                            struct buffer *body) {
    struct task_key key = task_key(account, id);
    struct board_look look;
    struct arena arena;
    uint64_t tag;
    if (!board_look(engine->board, &key, &look) || task_state_final(look.state))
        return engine_query(engine, account, id, base, body);
    arena_init(&arena, ROW_MAX);
    enum err err = read_through(engine, account, id, base, &arena, body, &tag);
    arena_fini(&arena);
    return err;
}

enum err engine_look(struct engine *engine, int64_t account, const struct task_id *id, struct task_look *ret) {
    struct task_key key = task_key(account, id);
    struct board_look look;
    if (board_look(engine->board, &key, &look)) {
        *ret = (struct task_look){ .state = look.state,
                                   .progress = look.progress,
                                   .live = !task_state_final(look.state),
                                   .version = look.version,
                                   .latest = look.latest };
        return OK;
    }
    struct task_row row;
    struct arena arena;
    arena_init(&arena, ROW_MAX);
    enum err err = find_row(engine, account, id, &arena, &row);
    if (err == OK)
        *ret = (struct task_look){ .state = row.state, .progress = row.progress };
    arena_fini(&arena);
    return err;
}
