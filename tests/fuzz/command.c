/* What local commands say: the same wherever it is cut; progress within its bounds, one result at most, the tail of the
 * rest bounded.
 *
 *   where to cut it (fuzz.h)
 *   standard output */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "fuzz.h"
#include "provider/exec/reader.h"

void fuzz_begin(void) {
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "A\nprogress 5\nhello\nprogress 50.5\nprogress 300\nresult {\"file\":\"a.png\"}\n",
        "B\nerror content_policy_violation not that\nerror x\nprogress -1\r\nresult {}\nresult {}\n",
        "\nerror nonsense \xff words\nresult [1]\nprogress\nresult {\"a\":1}",
        NULL,
    };
    fuzz_seed_list("command", seeds);
}

static void read_all(struct text bytes, struct fuzz_cuts cuts, struct exec_reader *reader) {
    int progress = -1;
    exec_reader_init(reader);
    while (bytes.len > 0) {
        struct text piece = fuzz_cut(&cuts, &bytes);
        char *copy = fuzz_copy(piece);
        bool grown = exec_reader_feed(reader, copy, piece.len);
        free(copy);
        fuzz_hold(grown == (reader->progress > progress));
        progress = reader->progress;
        fuzz_hold(progress <= 100);
    }
    exec_reader_end(reader);
    fuzz_hold(reader->progress >= progress && reader->progress <= 100);
    fuzz_hold(reader->tail.len <= EXEC_TAIL_SIZE);
    fuzz_hold(text_is_utf8(text_of(reader->message)) && text_is_utf8(text_of(reader->result_fault)));
    fuzz_hold(reader->result == NULL || (json_is_object(reader->result) && reader->results > 0));
}

void fuzz_one(struct text input) {
    struct text sizes = fuzz_line(&input);
    struct exec_reader whole, cut;
    read_all(input, (struct fuzz_cuts){ TEXT_NONE, 0 }, &whole);
    read_all(input, (struct fuzz_cuts){ sizes.len > 0 ? sizes : TEXT("?"), 0 }, &cut);
    fuzz_hold(whole.progress == cut.progress && whole.results == cut.results && whole.error == cut.error);
    fuzz_hold((whole.result == NULL) == (cut.result == NULL));
    fuzz_hold(whole.result == NULL || json_equal(whole.result, cut.result));
    fuzz_hold(strcmp(whole.message, cut.message) == 0 && strcmp(whole.result_fault, cut.result_fault) == 0);
    fuzz_hold(whole.tail.len == cut.tail.len && memcmp(whole.tail.bytes, cut.tail.bytes, whole.tail.len) == 0);
    exec_reader_fini(&cut);
    exec_reader_fini(&whole);
}
