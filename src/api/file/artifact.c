/* GET /v1/artifacts/{hash}/{name}: a result's bytes, for whoever holds its signed URL. */
#include "api/file/download.h"
#include "base/clock.h"
#include "blob/link.h"

static enum err check_link(struct exchange *exchange, struct link *ret, struct fault *fault) {
    enum err err = link_check(exchange_path(exchange), exchange_raw_query(exchange),
                              store_secret(api_of(exchange)->store), clock_wall_ms() / 1000, ret);
    if (err == ERR_RESULT_EXPIRED)
        return fault_set(fault, err, "The time of this URL is over, and the file is gone.");
    return err == OK ? OK : fault_set(fault, err, "There is no file at this URL.");
}

void handle_artifact(struct exchange *exchange) {
    struct link link;
    struct download download;
    struct fault fault = { .err = OK };

    enum err err = check_link(exchange, &link, &fault);
    if (err == OK)
        err = download_open(exchange, link.hash, &download, &fault);
    if (err != OK) {
        refuse(exchange, &fault);
        return;
    }
    download.media_type = download_sniff(&download);
    download.ascii_name = link.name;
    download.expires_s = link.expires_s;
    download_send(exchange, &download);
}
