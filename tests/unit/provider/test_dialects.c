/* The adapters in dialects/: services of every kind, each as a small adapter, to show that the interface can say what
 * they do. All of their samples pass. */
#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "bridge_tests.h"
#include "provider/adapter.h"
#include "provider/bridge.h"

static int is_lua(const struct dirent *entry) {
    return text_ends(text_of(entry->d_name), TEXT(".lua"));
}

static void samples_pass(void **state) {
    (void)state;
    const struct config config = { 0 };
    struct dirent **entries = NULL;
    int count = scandir(DIALECTS, &entries, is_lua, alphasort);
    assert_true(count >= 10);
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", DIALECTS, entries[i]->d_name);
        struct buffer report;
        struct fault fault = { 0 };
        unsigned passed = 0, failed = 0;
        buffer_init(&report, 1 << 20);
        if (bridge_check_file(&config, path, &report, &passed, &failed, &fault) != OK) {
            fail_msg("%s", fault.message);
        }
        if (failed > 0 || passed == 0 || strstr(report.data, "none ")) {
            fail_msg("%s:\n%s", path, report.len > 0 ? report.data : "no samples");
        }
        buffer_fini(&report);
        free(entries[i]);
    }
    free(entries);
}

int test_dialects(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_pass),
    };
    return cmocka_run_group_tests_name("dialects", tests, NULL, NULL);
}
