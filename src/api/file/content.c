/* GET /v1/files/{file_id}/content/{name}: a file's bytes, for whoever holds its signed URL.
 *
 * The row is asked each time: a file that was deleted or had to make room is gone at once, even where its bytes live on in
 * another file or a task. Pictures, video and sound may be shown; all else is for saving, so that nothing which a client
 * uploaded is ever run in our name. */
#include "api/file/download.h"
#include "base/clock.h"
#include "blob/link.h"
#include "blob/media_type.h"

static enum err find(struct exchange *exchange, struct file_row *ret, struct fault *fault) {
    struct store *store = api_of(exchange)->store;
    struct file_link link;

    enum err err = file_link_check(exchange_path(exchange), exchange_raw_query(exchange), store_secret(store),
                                   clock_wall_ms() / 1000, &link);
    if (err == ERR_RESULT_EXPIRED)
        return fault_set(fault, err, "The time of this URL is over, and the file is gone.");
    if (err != OK)
        return fault_set(fault, err, "There is no file at this URL.");
    err = store_find_file(store, link.account, &link.id, exchange_arena(exchange), ret);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_FILE_NOT_FOUND, "The file is no longer here.");
    return err == OK ? OK : fault_set(fault, err, "The file cannot be read.");
}

void handle_file_content(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    struct download download;
    struct file_row row = { .account = 0 };

    enum err err = find(exchange, &row, &fault);
    if (err == OK)
        err = download_open(exchange, row.hash, &download, &fault);
    if (err != OK) {
        refuse(exchange, &fault);
        return;
    }
    download.media_type = row.media_type.ptr;
    const char *name = arena_string(exchange_arena(exchange), exchange_segment(exchange, TEXT("name")));
    download.ascii_name = name != NULL ? name : "file"; /* what we signed */
    download.name = row.name;
    download.expires_s = row.expires_ms / 1000;
    download.attached = !media_type_is_passive(download.media_type);
    download_send(exchange, &download);
}
