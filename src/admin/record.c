/* Lines in the record of what operators changed. */
#include "admin/record.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "store/tx.h"

void admin_record(struct store_tx *tx, struct text actor, const char *action, int64_t account, struct text object,
                  struct text detail) {
    store_tx_add_change(tx, &(struct change_row){ .at_ms = clock_wall_ms(),
                                                  .actor = actor,
                                                  .action = text_of(action),
                                                  .account = account,
                                                  .object = object,
                                                  .detail = detail.len > 0 ? detail : TEXT("{}") });
}

void admin_record_json(struct store_tx *tx, struct text actor, const char *action, int64_t account, struct text object,
                       struct json_t *detail) {
    char *words scoped(mem_free_pointer) = json_render(detail);
    admin_record(tx, actor, action, account, object, text_of(words));
    json_release(&detail);
}
