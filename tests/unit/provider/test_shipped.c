/* Every shipped Lua file: its samples pass, the documented models are there, results have the documented keys. */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "bridge_tests.h"
#include "catalog/catalog.h"
#include "provider/bridge.h"
#include "script/embedded.h"

#define URL "\"https://cdn.example.com/x\""

/* The documented models; keys: of each result that the simulator's answer to `input` becomes, in order. */
static const struct shipped {
    const char *name;
    enum task_type type;
    const char *input;
    const char *keys[4];
} shipped[] = {
    { "kling-video-create-voice", TASK_VIDEO, "{\"voice_url\":" URL "}", { "voice_id" } },
    { "minimax-voice-clone", TASK_AUDIO, "{\"audio_url\":" URL "}", { "voice_id" } },
    { "minimax-voice-clone", TASK_AUDIO, "{\"audio_url\":" URL ",\"text\":\"Hi\"}", { "voice_id url content_type" } },
    { "sora-2-character", TASK_VIDEO, "{\"video_url\":" URL ",\"name\":\"Foxy\"}", { "character_id name" } },
    { "phota-create-profile", TASK_IMAGE, "{\"image_archive_url\":" URL "}", { "result_type profile_id" } },
    { "phota-image", TASK_IMAGE, "{\"prompt\":\"x\",\"num_outputs\":2}", { "url", "url" } },
    { "phota-image-edit", TASK_IMAGE, "{\"prompt\":\"x\",\"image_urls\":[" URL "]}", { "url" } },
    { "phota-image-enhance", TASK_IMAGE, "{\"image_url\":" URL "}", { "url" } },
    { "scribe-v2", TASK_AUDIO, "{\"audio_url\":" URL "}", { "text language_code language_probability words" } },
    { "seedance-2.0-text-to-video", TASK_VIDEO, "{\"prompt\":\"x\"}", { "url seed" } },
    { "seedance-2.0-fast-text-to-video", TASK_VIDEO, "{\"prompt\":\"x\"}", { "url seed" } },
    { "seedance-2.0-image-to-video", TASK_VIDEO, "{\"prompt\":\"x\",\"image_url\":" URL "}", { "url seed" } },
    { "seedance-2.0-fast-image-to-video", TASK_VIDEO, "{\"prompt\":\"x\",\"image_url\":" URL "}", { "url seed" } },
    { "seedance-2.0-reference-to-video", TASK_VIDEO, "{\"prompt\":\"x\",\"video_urls\":[" URL "]}", { "url seed" } },
    { "seedance-2.0-fast-reference-to-video", TASK_VIDEO, "{\"prompt\":\"x\"}", { "url seed" } },
    { "patina-pbr-maps",
      TASK_IMAGE,
      "{\"image_url\":" URL ",\"maps\":[\"normal\",\"height\"]}",
      { "url content_type result_type map_type", "url content_type result_type map_type" } },
    { "patina-material",
      TASK_IMAGE,
      "{\"prompt\":\"x\",\"maps\":[\"normal\"],\"image_url\":null}",
      { "url content_type result_type", "url content_type result_type map_type" } },
    { "patina-material-extract",
      TASK_IMAGE,
      "{\"image_url\":" URL ",\"maps\":[\"normal\"]}",
      { "url content_type result_type", "url content_type result_type map_type" } },
    { "lipsync-2", TASK_VIDEO, "{\"video_url\":" URL ",\"audio_url\":" URL "}", { "url" } },
    { "lipsync-2-pro", TASK_VIDEO, "{\"video_url\":" URL ",\"audio_url\":" URL "}", { "url" } },
    { "sync-3", TASK_VIDEO, "{\"video_url\":" URL ",\"audio_url\":" URL "}", { "url" } },
    { "local-speech", TASK_AUDIO, "{\"prompt\":\"x\"}", { "url" } },
    { "local-transcribe",
      TASK_AUDIO,
      "{\"audio_url\":\"data:audio/wav;base64,UklGRg==\"}",
      { "text language_code language_probability words" } },
    { "local-image", TASK_IMAGE, "{\"prompt\":\"x\",\"seed\":null}", { "url content_type" } },
    { "local-image",
      TASK_IMAGE,
      "{\"prompt\":\"x\",\"image_size\":{\"width\":64,\"height\":65}}",
      { "url content_type" } },
    { "local-pbr-maps",
      TASK_IMAGE,
      "{\"image_url\":" URL ",\"maps\":[\"basecolor\",\"metalness\"]}",
      { "url content_type result_type map_type", "url content_type result_type map_type" } },
    { "local-image-to-video", TASK_VIDEO, "{\"image_url\":" URL "}", { "url" } },
    { "local-document", TASK_DOCUMENT, "{\"text\":\"x\",\"to\":\"html\"}", { "url content_type" } },
    { "local-pdf-text", TASK_DOCUMENT, "{\"pdf_url\":" URL "}", { "url content_type" } },
    { "local-pdf-images", TASK_DOCUMENT, "{\"pdf_url\":" URL "}", { "url content_type", "url content_type" } },
    { "local-pdf-images", TASK_DOCUMENT, "{\"pdf_url\":" URL ",\"max_pages\":1}", { "url content_type" } },
};

/* Language models have no functions to be tried, nor have services that want no key. */
static bool is_without_samples(const char *path) {
    static const char *const paths[] = { "models/llm.lua", "providers/ollama.lua", "providers/llamacpp.lua" };
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        if (strcmp(path, paths[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void samples_pass(void **state) {
    (void)state;
    const struct config config = { 0 };
    unsigned files = 0;
    for (size_t i = 0; i < embedded_file_count; i++) {
        const char *path = embedded_files[i].path;
        if (strncmp(path, "models/", 7) != 0 && strncmp(path, "providers/", 10) != 0) {
            continue;
        }
        struct buffer report;
        struct fault fault = { 0 };
        unsigned passed = 0, failed = 0;
        buffer_init(&report, 1 << 20);
        if (bridge_check_file(&config, path, &report, &passed, &failed, &fault) != OK) {
            fail_msg("%s: %s", path, fault.message);
        }
        if (failed > 0 || (report.len > 0 && strstr(report.data, "none "))) {
            fail_msg("%s:\n%s", path, report.data);
        }
        assert_true(passed > 0 || is_without_samples(path));
        buffer_fini(&report);
        files++;
    }
    assert_true(files >= 9);
}

static struct bridge *bridge;

static int open_bridge(void **state) {
    (void)state;
    const struct config config = { 0 };
    return bridge_open(&config, &bridge, NULL) == OK ? 0 : -1;
}

static int close_bridge(void **state) {
    (void)state;
    bridge_close(bridge);
    return 0;
}

/* The names of the object's members, in order, between spaces. */
static void put_keys(struct buffer *buf, json_t *object) {
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        buffer_printf(buf, "%s%s", buf->len > 0 ? " " : "", json_object_iter_key(at));
    }
}

static void check_keys(const struct shipped *row, const struct model_results *results) {
    size_t count = 0;
    while (count < ARRAY_SIZE(row->keys) && row->keys[count]) {
        count++;
    }
    assert_int_equal(json_array_size(results->array), count);
    for (size_t i = 0; i < count; i++) {
        struct buffer keys;
        buffer_init(&keys, 1024);
        put_keys(&keys, json_array_get(results->array, i));
        assert_string_equal(keys.data, row->keys[i]);
        buffer_fini(&keys);
        if (strncmp(row->keys[i], "url", 3) == 0) {
            const char *url = json_string_value(json_object_get(json_array_get(results->array, i), "url"));
            assert_memory_equal(url, results->token, 32);
        }
    }
}

static void simulated_results_have_the_documented_keys(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(shipped); i++) {
        const struct shipped *row = &shipped[i];
        const struct model *model = catalog_find(bridge_catalog(bridge), text_of(row->name));
        assert_non_null(model);
        assert_int_equal(model->type, row->type);
        struct fault fault = { 0 };
        scoped(json_release) json_t *input = json_loads(row->input, 0, NULL);
        scoped(json_release) json_t *output = NULL;
        struct model_results results;
        if (model_validate(model, input, &fault) != OK ||
            bridge_simulate(bridge, model, input, &output, &fault) != OK ||
            bridge_results(bridge, model, input, output, &results, &fault) != OK) {
            fail_msg("%s: %s %s", row->name, fault.param, fault.message);
        }
        check_keys(row, &results);
        for (unsigned a = 0; a < results.artifact_count; a++) {
            assert_non_null(json_object_get(results.artifacts[a].source, "generate"));
        }
        model_results_fini(&results);
    }
}

static void words_of_a_transcript_have_the_documented_keys(void **state) {
    (void)state;
    static const char *const names[] = { "scribe-v2", "local-transcribe" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const struct model *model = catalog_find(bridge_catalog(bridge), text_of(names[i]));
        scoped(json_release) json_t *input = json_pack("{s:s}", "audio_url", "https://cdn.example.com/x.wav");
        scoped(json_release) json_t *output = NULL;
        struct model_results results;
        assert_int_equal(model_validate(model, input, NULL), OK);
        assert_int_equal(bridge_simulate(bridge, model, input, &output, NULL), OK);
        assert_int_equal(bridge_results(bridge, model, input, output, &results, NULL), OK);
        json_t *words = json_object_get(json_array_get(results.array, 0), "words");
        assert_true(json_array_size(words) > 0);
        for (size_t w = 0; w < json_array_size(words); w++) {
            struct buffer keys;
            buffer_init(&keys, 1024);
            put_keys(&keys, json_array_get(words, w));
            assert_string_equal(keys.data, "text start end type");
            buffer_fini(&keys);
        }
        model_results_fini(&results);
    }
}

static void nothing_is_shipped_untested(void **state) {
    (void)state;
    unsigned count = 0;
    const struct model *const *models = catalog_models(bridge_catalog(bridge), &count);
    for (unsigned i = 0; i < count; i++) {
        bool listed = models[i]->llm != NULL; /* tests/unit/catalog/test_llm.c has those */
        for (size_t s = 0; s < ARRAY_SIZE(shipped); s++) {
            listed = listed || strcmp(models[i]->name, shipped[s].name) == 0;
        }
        if (!listed) {
            fail_msg("%s is not in the table of this test", models[i]->name);
        }
        assert_true(models[i]->route_count > 0 && models[i]->summary && models[i]->estimated_s > 0);
    }
}

static void the_same_words_simulate_the_same(void **state) {
    (void)state;
    const struct model *model = catalog_find(bridge_catalog(bridge), TEXT("seedance-2.0-text-to-video"));
    scoped(json_release) json_t *input = json_pack("{s:s}", "prompt", "A paper boat");
    assert_int_equal(model_validate(model, input, NULL), OK);
    scoped(json_release) json_t *one = NULL, *two = NULL;
    assert_int_equal(bridge_simulate(bridge, model, input, &one, NULL), OK);
    assert_int_equal(bridge_simulate(bridge, model, input, &two, NULL), OK);
    assert_true(json_equal(one, two));
}

static void local_routes_name_programs_and_packages(void **state) {
    (void)state;
    unsigned count = 0, local = 0;
    const struct model *const *models = catalog_models(bridge_catalog(bridge), &count);
    for (unsigned i = 0; i < count; i++) {
        const struct route *route = &models[i]->routes[0];
        if (strcmp(route->provider, "exec") == 0) {
            local++;
            assert_string_equal(route->target, models[i]->name);
            assert_non_null(route->package);
            assert_true(route->program_count > 0);
        }
    }
    assert_int_equal(local, 8);
}

int test_shipped(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_pass),
        cmocka_unit_test(simulated_results_have_the_documented_keys),
        cmocka_unit_test(words_of_a_transcript_have_the_documented_keys),
        cmocka_unit_test(nothing_is_shipped_untested),
        cmocka_unit_test(the_same_words_simulate_the_same),
        cmocka_unit_test(local_routes_name_programs_and_packages),
    };
    return cmocka_run_group_tests_name("shipped", tests, open_bridge, close_bridge);
}
