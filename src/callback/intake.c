/* What a callback is made of. */
#include "callback/intake.h"

#include "callback/ladder.h"
#include "callback/signature.h"
#include "config/config.h"
#include "core/answer.h"
#include "net/guard.h"

#define TEST_LANE "test "

enum err callback_url_check(struct text url, const struct config *config, const char *param, struct fault *fault) {
    const struct guard_allow allow = { config->fetch_allow, config->fetch_allow_count };
    struct guard_url parsed;
    struct fault reason = { .err = OK };

    enum err err = guard_check_url(url, &allow, &parsed, &reason);
    if (err != OK)
        return fault_set_param(fault, err, param, "%s", reason.message);
    if (!parsed.https && !config->callbacks_allow_http)
        return fault_set_param(fault, ERR_INVALID_URL, param, "The URL must begin with https://.");
    if (text_find(url, '#') < url.len)
        return fault_set_param(fault, ERR_INVALID_URL, param, "The URL must not contain a fragment (#).");
    if (!text_is_utf8(url))
        return fault_set_param(fault, ERR_INVALID_URL, param, "The URL must be UTF-8.");
    return OK;
}

enum err callback_intake_init(struct callback_intake *intake, int64_t account, struct text url, struct text base,
                              int64_t now_ms, struct fault *fault) {
    struct guard_url parts;
    enum err err = guard_parse_url(url, &parts, fault);
    if (err != OK)
        return err;
    *intake = (struct callback_intake){ .row = { .account = account, .url = url, .base = base, .created_ms = now_ms } };
    snprintf(intake->lane, sizeof(intake->lane), "%s://%s:%u", parts.https ? "https" : "http", parts.host, parts.port);
    intake->row.lane = text_of(intake->lane);
    callback_id_new(intake->row.id, now_ms);
    signature_secret_new(intake->secret);
    return OK;
}

void callback_intake_test(struct callback_intake *intake) {
    char lane[CALLBACK_LANE_SIZE];
    struct callback_row *row = &intake->row;
    snprintf(lane, sizeof(lane), "%s", intake->lane);
    snprintf(intake->lane, sizeof(intake->lane), TEST_LANE "%.*s", (int)(sizeof(lane) - sizeof(TEST_LANE)), lane);
    row->lane = text_of(intake->lane);
    row->test = true;
    row->state = CALLBACK_DUE;
    row->due_ms = row->created_ms;
    row->deadline_ms = ladder_deadline_ms(row->created_ms);
    task_id_new(&row->task, false, row->created_ms / 1000);
}

void callback_intake_write(struct store_tx *tx, const struct callback_intake *intake, const struct task_id *task) {
    struct callback_row row = intake->row;
    if (task != NULL)
        row.task = *task;
    store_tx_add_callback(tx, &row);
    store_tx_ensure_callback_secret(tx, row.account, text_of(intake->secret), row.created_ms);
}

bool callback_lane_is_test(struct text lane) {
    return text_starts(lane, TEXT(TEST_LANE));
}

void callback_put_test_body(struct buffer *body, const struct callback_row *row) {
    const struct answer answer = {
        .id = row->task,
        .type = TASK_IMAGE,
        .state = TASK_COMPLETED,
        .progress = 100,
        .created_s = row->created_ms / 1000,
        .model = TEXT("callback-test"),
        .group = TEXT("default"),
        .results = TEXT("[{\"url\":\"https://example.com/callback-test.png\",\"content_type\":\"image/png\"}]"),
    };
    answer_put_task(body, &answer, row->base);
}
