/* Settings: defaults, what a file can say, and what is refused with file and line. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/fennec-config-XXXXXX";
static char path[64];

static int make_directory(void **state) {
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/config.lua", directory);
    return 0;
}

static int remove_directory(void **state) {
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static enum err load(const char *source, struct config **ret, struct fault *fault) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(source, file);
    fclose(file);
    return config_load(path, ret, fault);
}

static struct config *load_valid(const char *source) {
    struct config *config = NULL;
    struct fault fault = { 0 };
    if (load(source, &config, &fault) != OK) {
        fail_msg("%s: %s", source, fault.message);
    }
    return config;
}

static void defaults(void **state) {
    (void)state;
    struct config *config = NULL;
    assert_int_equal(config_load(NULL, &config, NULL), OK);
    assert_null(config->path);
    assert_string_equal(config->listen_host, "127.0.0.1");
    assert_int_equal(config->listen_port, 8080);
    assert_string_equal(config->data, "./data");
    assert_null(config->public_url);
    assert_null(config->catalog_directory);
    assert_null(config->libexec);
    assert_int_equal(config->log_level, LOG_INFO);
    assert_int_equal(config->log_format, LOG_TEXT);
    assert_false(config->log_prompts);
    assert_int_equal(config->http_threads, 0);
    assert_int_equal(config->http_connections_max, 20000);
    assert_int_equal(config->http_connections_per_address_max, 0);
    assert_int_equal(config->http_idle_s, 75);
    assert_int_equal(config->http_request_s, 60);
    assert_int_equal(config->body_max, 32 << 20);
    assert_int_equal(config->artifact_max, 1 << 30);
    assert_int_equal(config->input_max, 256 << 20);
    assert_int_equal(config->result_ttl_s, 86400);
    assert_int_equal(config->open_tasks_max, 1000000);
    assert_int_equal(config->drain_s, 20);
    assert_true(config->simulator_seconds == 3);
    assert_false(config->callbacks_allow_http);
    assert_int_equal(config->callbacks_retention_s, 2592000);
    assert_int_equal(config->provider_count, 0);
    assert_int_equal(config->fetch_allow_count, 0);
    assert_int_equal(config->group_count, 1);
    const struct group_config *group = config_group(config, TEXT("default"));
    assert_int_equal(group->price_ppm, 1000000);
    assert_int_equal(group->concurrency, 50);
    assert_int_equal(group->requests_per_minute, 6000);
    assert_int_equal(group->group_concurrency, 0);
    assert_int_equal(group->group_requests_per_minute, 0);
    assert_true(config_group_allows(group, TEXT("any-model")));
    assert_ptr_equal(config_group(config, TEXT("gone")), group);
    config_free(config);
    config_free(NULL);
}

/* An empty file says the same as none. */
static void an_empty_file(void **state) {
    (void)state;
    struct config *config = load_valid("-- nothing\n");
    assert_string_equal(config->path, path);
    assert_string_equal(config->listen_host, "127.0.0.1");
    assert_int_equal(config->group_count, 1);
    config_free(config);
}

static void everything(void **state) {
    (void)state;
    setenv("FENNEC_TEST_KEY", "fake-key-1", 1);
    setenv("FENNEC_TEST_EMPTY", "", 1);
    unsetenv("FENNEC_TEST_UNSET");
    struct config *config = load_valid(
        "listen  = \"[::1]:0\"\n"
        "data    = \"/var/lib/fennec\"\n"
        "public_url = \"https://media.example.com/\"\n"
        "catalog = \"/etc/fennec\" libexec = \"/usr/libexec/fennec\" drain = 0\n"
        "log = { level = \"warning\", format = \"json\", prompts = true }\n"
        "http = { threads = 3, connections = 10, connections_per_address = 5, idle = 6, request = 7 }\n"
        "limits = { body = 2048, artifact = \"2 GiB\", input = 4096.0, open_tasks = 12 }\n"
        "results = { ttl = 60 } simulator = { seconds = 0.25 } callbacks = { allow_http = true }\n"
        "providers = {\n"
        "  fal    = { key = env \"FENNEC_TEST_KEY\", url = \"http://127.0.0.1:9000//\", poll_min = 0.5, allow_private = true,\n"
        "             concurrency = 4 },\n"
        "  openai = { key = env \"FENNEC_TEST_UNSET\" },\n"
        "  empty  = { key = env \"FENNEC_TEST_EMPTY\" },\n"
        "  many   = { key = { \"fake-a\", env \"FENNEC_TEST_UNSET\", \"fake-b\" } },\n"
        "}\n"
        "local half = 0.5\n"
        "groups  = { reseller = { price = half + 0.25, group_concurrency = 9, group_requests_per_minute = 80,\n"
        "                         models = { 'veo', 'kling-*' } }, none = { models = {} }, ci = { concurrency = 2, requests_per_minute = 0 } }\n"
        "fetch   = { allow = { \"127.0.0.1:9000\", \"[::1]:80\" } }\n");
    assert_string_equal(config->listen_host, "::1");
    assert_int_equal(config->listen_port, 0);
    assert_string_equal(config->data, "/var/lib/fennec");
    assert_string_equal(config->public_url, "https://media.example.com");
    assert_string_equal(config->catalog_directory, "/etc/fennec");
    assert_string_equal(config->libexec, "/usr/libexec/fennec");
    assert_int_equal(config->drain_s, 0);
    assert_int_equal(config->log_level, LOG_WARNING);
    assert_int_equal(config->log_format, LOG_JSON);
    assert_true(config->log_prompts);
    assert_int_equal(config->http_threads, 3);
    assert_int_equal(config->http_connections_max, 10);
    assert_int_equal(config->http_connections_per_address_max, 5);
    assert_int_equal(config->http_idle_s, 6);
    assert_int_equal(config->http_request_s, 7);
    assert_int_equal(config->body_max, 2048);
    assert_int_equal(config->artifact_max, (int64_t)2 << 30);
    assert_int_equal(config->input_max, 4096);
    assert_int_equal(config->open_tasks_max, 12);
    assert_int_equal(config->result_ttl_s, 60);
    assert_true(config->simulator_seconds == 0.25);
    assert_true(config->callbacks_allow_http);

    assert_int_equal(config->provider_count, 4);
    assert_string_equal(config->providers[0].name, "empty");
    assert_int_equal(config->providers[0].key_count, 0);
    const struct provider_config *fal = config_provider(config, TEXT("fal"));
    assert_int_equal(fal->key_count, 1);
    assert_string_equal(fal->keys[0], "fake-key-1");
    assert_string_equal(fal->url, "http://127.0.0.1:9000");
    assert_true(fal->allow_private);
    assert_int_equal(fal->concurrency, 4);
    assert_true(fal->poll_min_s == 0.5);
    const struct provider_config *openai = config_provider(config, TEXT("openai"));
    assert_int_equal(openai->key_count, 0);
    assert_null(openai->url);
    assert_false(openai->allow_private);
    assert_true(openai->poll_min_s == 0);
    const struct provider_config *many = config_provider(config, TEXT("many"));
    assert_int_equal(many->key_count, 2);
    assert_string_equal(many->keys[1], "fake-b");
    assert_null(config_provider(config, TEXT("gone")));

    assert_int_equal(config->group_count, 4);
    assert_int_equal(config_group(config, TEXT("reseller"))->price_ppm, 750000);
    assert_int_equal(config_group(config, TEXT("reseller"))->concurrency, 50);
    assert_int_equal(config_group(config, TEXT("ci"))->concurrency, 2);
    assert_int_equal(config_group(config, TEXT("ci"))->requests_per_minute, 0);
    assert_string_equal(config_group(config, TEXT("gone"))->name, "default");
    const struct group_config *reseller = config_group(config, TEXT("reseller"));
    assert_int_equal(reseller->group_concurrency, 9);
    assert_int_equal(reseller->group_requests_per_minute, 80);
    assert_true(config_group_allows(reseller, TEXT("veo")));
    assert_true(config_group_allows(reseller, TEXT("kling-")));
    assert_true(config_group_allows(reseller, TEXT("kling-video")));
    assert_false(config_group_allows(reseller, TEXT("veo-fast")));
    assert_false(config_group_allows(reseller, TEXT("kling")));
    assert_false(config_group_allows(reseller, TEXT("a-kling-video")));
    assert_true(config_group_allows(config_group(config, TEXT("ci")), TEXT("veo-fast")));
    assert_false(config_group_allows(config_group(config, TEXT("none")), TEXT("veo")));
    assert_int_equal(config->fetch_allow_count, 2);
    assert_string_equal(config->fetch_allow[0], "127.0.0.1:9000");
    assert_string_equal(config->fetch_allow[1], "[::1]:80");
    config_free(config);
}

static void refused(void **state) {
    (void)state;
    static const struct {
        const char *source, *words; /* after the path */
    } cases[] = {
        { "lisen = 'x'", ":1: unknown setting `lisen`; did you mean `listen`?" },
        { "data = 'x'\n\nwhatever = 1", ":3: unknown setting `whatever`" },
        { "zebra = 1 aardvark = 2", ":1: unknown setting `aardvark`" },
        { "-- idel = 1\nhttp = {\n  idel = 5 }", ":3: unknown setting `http.idel`; did you mean `idle`?" },
        { "fetch = {\n allow = {},\n deny = {} }", ":3: unknown setting `fetch.deny`" },
        { "provider = {}", ":1: unknown setting `provider`; did you mean `providers`?" },
        { "providers = { fal = { kye = 'fake' } }", ":1: unknown setting `providers.fal.kye`; did you mean `key`?" },
        { "groups = { a = { pice = 1 } }", ":1: unknown setting `groups.a.pice`; did you mean `price`?" },
        { "listen = 8080", ":1: `listen` must be a text of the form \"HOST:PORT\", got 8080" },
        { "listen = '127.0.0.1'", ":1: `listen` must be a text of the form \"HOST:PORT\", got \"127.0.0.1\"" },
        { "listen = 'localhost:99999'", "`listen` must be" },
        { "listen = ':80'", "`listen` must be" },
        { "listen = '::1:80'", "`listen` must be" },
        { "listen = 'a b:80'", "`listen` must be" },
        { "data = ''", "`data` must be a text that is not empty, got \"\"" },
        { "data = {}", "`data` must be a text that is not empty, got a table" },
        { "public_url = 'media.example.com'", "`public_url` must be an http or https URL" },
        { "public_url = 'http:///x'", "`public_url` must be an http or https URL" },
        { "public_url = 'http://a b/'", "`public_url` must be an http or https URL" },
        { "public_url = 'http://user:fake@h/'", "`public_url` must be an http or https URL" },
        { "public_url = 'http://'", "`public_url` must be an http or https URL" },
        { "drain = 1.5", "`drain` must be a whole number, got 1.5" },
        { "drain = -1", ":1: `drain` must be between 0 and 86400" },
        { "drain = '5'", "`drain` must be a whole number" },
        { "limits = { body = 10 }", "`limits.body` must be between 1024 and 1073741824" },
        { "limits = { body = '5 TiB' }", "`limits.body` must be between" },
        { "limits = { body = '5 MB' }", "`limits.body` must be a number of bytes, or a text such as \"32 MiB\", got \"5 MB\"" },
        { "limits = { body = '9223372036854775807 TiB' }", "`limits.body` must be between" },
        { "simulator = { seconds = 0/0 }", "`simulator.seconds` must be between 0 and 3600" },
        { "simulator = 3", ":1: `simulator` must be a table, got a number" },
        { "log = { level = 'loud' }", "`log.level` must be \"debug\", \"info\", \"warning\" or \"error\", got \"loud\"" },
        { "log = { format = 'xml' }", "`log.format` must be \"text\" or \"json\"" },
        { "log = { prompts = 'no' }", "`log.prompts` must be true or false" },
        { "log = { 'debug' }", "settings have names" },
        { "groups = 7", ":1: `groups` must be a table, got a number" },
        { "groups = { vip = 2 }", ":1: `groups.vip` must be a table, got a number" },
        { "groups = { ['a b'] = {} }", "`groups` must be a table of at most 1000 tables with names of" },
        { "groups = { default = { price = 0.0000001 } }", "`groups.default.price` must be a number with at most six decimals" },
        { "groups = { default = { price = -1 } }", "`groups.default.price` must be between 0 and 1000" },
        { "groups = { default = { concurrency = 0 } }", "`groups.default.concurrency` must be between 1 and 1000000" },
        { "groups = { default = { models = 'veo' } }", "`groups.default.models` must be a list of models' names" },
        { "groups = { default = { models = { '*-fast' } } }", "`groups.default.models` must be a list of models' names" },
        { "groups = { default = { models = { 'a**' } } }", "`groups.default.models` must be a list of models' names" },
        { "groups = { default = { models = { 5 } } }", "`groups.default.models` must be a list of models' names" },
        { "groups = { default = { group_concurrency = -1 } }", "`groups.default.group_concurrency` must be between 0 and" },
        { "providers = { 'fal' }", "`providers` must be a table of at most 1000 tables with names of" },
        { "providers = { fal = { key = 5 } }", "`providers.fal.key` must be a text, or a list of texts, without control characters" },
        { "providers = { fal = { key = 'fake\\n' } }", "without control characters such as a line's end, got a string" },
        { "providers = { fal = { key = { 5 } } }", "`providers.fal.key` must be a text, or a list" },
        { "providers = { fal = { key = { a = 'fake' } } }", "`providers.fal.key` must be a text, or a list" },
        { "providers = { fal = { poll_min = -1 } }", "`providers.fal.poll_min` must be between 0 and 3600" },
        { "fetch = { allow = 'x:1' }", "`fetch.allow` must be a list of texts of the form" },
        { "fetch = { allow = { 'x' } }", "`fetch.allow` must be a list of texts of the form" },
        { "fetch = { allow = { 'x:0' } }", "`fetch.allow` must be a list of texts of the form" },
        { "listen = host .. ':80'", ":1: unknown name `host`" },
        { "listen = ", ":1: unexpected symbol near <eof>" },
        { "os.exit(1)", ":1: unknown name `os`" },
        { "while true do end", "this takes too long" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct config *config = NULL;
        struct fault fault = { 0 };
        enum err err = load(cases[i].source, &config, &fault);
        if (err != ERR_CONFIG || fault.err != ERR_CONFIG || strstr(fault.message, "config.lua:") == NULL ||
            strstr(fault.message, cases[i].words) == NULL) {
            fail_msg("%s: %s %s", cases[i].source, err_info(err)->name, fault.message);
        }
        assert_null(config);
        assert_int_equal(load(cases[i].source, &config, NULL), ERR_CONFIG);
    }
}

/* A key that is refused stays out of the message. */
static void keys_are_not_shown(void **state) {
    (void)state;
    struct config *config = NULL;
    struct fault fault = { 0 };
    assert_int_equal(load("providers = { fal = { key = 'fake\\nsecret' } }", &config, &fault), ERR_CONFIG);
    assert_non_null(strstr(fault.message, "providers.fal.key"));
    assert_null(strstr(fault.message, "secret"));
}

static void unreadable_files(void **state) {
    (void)state;
    struct config *config = NULL;
    struct fault fault = { 0 };
    assert_int_equal(config_load("/nonexistent/config.lua", &config, &fault), ERR_CONFIG);
    assert_string_equal(fault.message, "/nonexistent/config.lua: No such file or directory");
    assert_int_equal(config_load(directory, &config, &fault), ERR_CONFIG);
    char *large = malloc((2 << 20) + 1);
    assert_non_null(large);
    memset(large, ' ', 2 << 20);
    large[2 << 20] = '\0';
    assert_int_equal(load(large, &config, &fault), ERR_CONFIG);
    assert_non_null(strstr(fault.message, "larger than 1 MiB"));
    free(large);
}

static void an_address_is_written_as_it_is_read(void **state) {
    (void)state;
    static const char *const addresses[] = { "127.0.0.1:8080", "localhost:0", "[::1]:65535" };
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        char address[CONFIG_ADDRESS_SIZE];
        struct config *config = load_valid("");
        struct fault fault = { 0 };
        assert_int_equal(config_set_listen(config, text_of(addresses[i]), &fault), OK);
        config_address(config, address);
        assert_string_equal(address, addresses[i]);
        config_free(config);
    }
}

static void command_line_options(void **state) {
    (void)state;
    struct config *config = load_valid("listen = '127.0.0.1:1'");
    struct fault fault = { 0 };
    assert_int_equal(config_set_listen(config, TEXT("0.0.0.0:9000"), &fault), OK);
    assert_string_equal(config->listen_host, "0.0.0.0");
    assert_int_equal(config->listen_port, 9000);
    assert_int_equal(config_set_listen(config, TEXT("nowhere"), &fault), ERR_CONFIG);
    assert_string_equal(fault.message, "listen: HOST:PORT is expected, such as 127.0.0.1:8080; got \"nowhere\"");
    assert_int_equal(config->listen_port, 9000);
    char data[] = "/srv/data";
    config_set_data(config, data);
    data[1] = 'x';
    assert_string_equal(config->data, "/srv/data");
    config_free(config);
}

static char kept[256];

static void note_kept(const char *setting) {
    size_t used = strlen(kept);
    snprintf(kept + used, sizeof(kept) - used, "%s ", setting);
}

static void what_needs_a_restart_is_kept(void **state) {
    (void)state;
    static const struct {
        const char *before, *after, *settings;
    } cases[] = {
        { "", "", "" },
        { "", "listen = '127.0.0.1:8080' drain = 5 log = { level = 'debug' }", "" },
        { "", "listen = '127.0.0.1:8081'", "listen " },
        { "", "listen = '0.0.0.0:8080'", "listen " },
        { "", "data = 'x'", "data " },
        { "http = { threads = 2 }", "http = { threads = 3 }", "http.threads " },
        { "", "limits = { body = 5000 }", "limits.body " },
        { "", "data = 'x' http = { idle = 5 } llm = { connections = 7 }", "data http.idle llm.connections " },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct config *before = load_valid(cases[i].before), *after = load_valid(cases[i].after);
        for (unsigned again = 0; again < 2; again++) {
            kept[0] = '\0';
            config_keep(after, before, note_kept);
            assert_string_equal(kept, again == 0 ? cases[i].settings : "");
        }
        config_free(before);
        config_free(after);
    }
}

static void what_is_kept_has_no_other_memory(void **state) {
    (void)state;
    struct config *before = load_valid("data = '/srv/one' listen = '127.0.0.1:81' limits = { body = 5000 }");
    struct config *after = load_valid("data = 'x' listen = '0.0.0.0:80' drain = 5");
    config_keep(after, before, note_kept);
    config_free(before);
    assert_string_equal(after->data, "/srv/one");
    assert_string_equal(after->listen_host, "127.0.0.1");
    assert_int_equal(after->listen_port, 81);
    assert_int_equal(after->body_max, 5000);
    assert_int_equal(after->drain_s, 5);
    config_free(after);
}

static void help(void **state) {
    (void)state;
    scoped(buffer_fini) struct buffer buf;
    buffer_init(&buf, 65536);
    config_put_help(&buf);
    assert_true(buffer_ok(&buf));
    static const char *const names[] = { "listen ", "http.idle ", "limits.body ", "groups.NAME.price ", "providers.NAME.key ",
                                         "fetch.allow ", "callbacks.allow_http ", "\"32 MiB\"" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strstr(buf.data, names[i]) == NULL) {
            fail_msg("%s is not in the help", names[i]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(an_empty_file),
        cmocka_unit_test(everything),
        cmocka_unit_test(refused),
        cmocka_unit_test(keys_are_not_shown),
        cmocka_unit_test(unreadable_files),
        cmocka_unit_test(an_address_is_written_as_it_is_read),
        cmocka_unit_test(command_line_options),
        cmocka_unit_test(what_needs_a_restart_is_kept),
        cmocka_unit_test(what_is_kept_has_no_other_memory),
        cmocka_unit_test(help),
    };
    return cmocka_run_group_tests_name("config", tests, make_directory, remove_directory) > 0;
}
