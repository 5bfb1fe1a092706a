/* Lines in the record of what operators changed. */
#include "admin/record.h"

#include "base/clock.h"
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
