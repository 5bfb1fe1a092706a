/* engine_query: from the board, else read through from the store and kept there. */
#include "base/arena.h"
#include "engine/state.h"

#define ROW_MAX ((size_t)96 << 20)

static enum err read_through(struct engine *engine, int64_t account, const struct task_id *id, struct text base,
                             struct arena *arena, struct buffer *body) {
    struct task_row row;
    size_t start = body->len;
    enum err err = store_find_task(engine->store, account, id, arena, &row);
    if (err == ERR_NOT_FOUND)
        return ERR_TASK_NOT_FOUND;
    if (err != OK)
        return err;
    struct answer answer = answer_of_row(&row);
    answer_put_task(body, &answer, base);
    if (!buffer_ok(body))
        return ERR_NO_MEMORY;
    if (task_state_final(row.state)) /* T1: it will never change, so it may be kept */
        board_keep(engine->board, &row, base, (struct text){ body->data + start, body->len - start });
    return OK;
}

enum err engine_query(struct engine *engine, int64_t account, const struct task_id *id, struct text base,
                      struct buffer *body) {
    struct task_key key = task_key(account, id);
    if (board_read(engine->board, &key, base, body))
        return buffer_ok(body) ? OK : ERR_NO_MEMORY;
    struct arena arena;
    arena_init(&arena, ROW_MAX);
    enum err err = read_through(engine, account, id, base, &arena, body);
    arena_fini(&arena);
    return err;
}
