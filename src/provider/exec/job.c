/* What a local command gets: its job on standard input, the guard's arguments, an environment. */
#include "provider/exec/job.h"

#include <jansson.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "provider/bridge.h"
#include "provider/driver.h"
#include "provider/exec/command.h"

#define PATH_TEXT_MAX 4096
/* Together, a command's files may be this many times as large as one, intermediate files included. */
#define SPACE_FACTOR 4

static json_t *files_of(const struct attempt *attempt) {
    json_t *files = json_object();
    for (unsigned i = 0; i < attempt->file_count; i++) {
        struct buffer scoped(buffer_fini) path;
        buffer_init(&path, PATH_TEXT_MAX);
        exec_put_absolute(&path, attempt->files[i].path);
        json_object_set_new(files, attempt->files[i].param, json_string(buffer_text(&path).ptr));
    }
    return files;
}

enum err exec_put_job(struct bridge *bridge, const struct attempt *attempt, struct buffer *job, struct fault *fault) {
    json_t *input = NULL;
    if (attempt->route->lua_input == LUA_NONE) {
        input = json_incref((json_t *)attempt->input);
    } else {
        enum err err = bridge_input(bridge, attempt->route, attempt->input, &input, fault);
        if (err != OK) {
            return err;
        }
    }
    json_t *scoped(json_release) root = json_object();
    json_object_set_new(root, "task", json_string(attempt->task));
    json_object_set_new(root, "model", json_string(attempt->model->name));
    json_object_set_new(root, "input", input);
    json_object_set_new(root, "files", files_of(attempt));
    json_render_to(job, root);
    buffer_put_char(job, '\n');
    if (buffer_ok(job)) {
        return OK;
    }
    enum err err = buffer_error(job, ERR_REQUEST_TOO_LARGE);
    return err == ERR_NO_MEMORY ? fault_set(fault, err, "There is no memory for the job.")
                                : fault_set(fault, err, "The job is larger than %zu bytes.", EXEC_JOB_MAX);
}

bool exec_arguments_init(struct exec_arguments *arguments, const struct attempt *attempt, const char *command,
                         int64_t grace_ms, int64_t file_max) {
    int64_t space_max = file_max > INT64_MAX / 16 ? INT64_MAX / 4 : file_max * SPACE_FACTOR;
    const int64_t values[] = { attempt->timeout_ms, grace_ms, file_max, space_max };
    _Static_assert(ARRAY_SIZE(values) == ARRAY_SIZE(arguments->numbers), "a place for each");
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        snprintf(arguments->numbers[i], sizeof(arguments->numbers[i]), "%lld", (long long)values[i]);
    }
    buffer_init(&arguments->directory, PATH_TEXT_MAX);
    buffer_init(&arguments->home, PATH_TEXT_MAX + 16);
    buffer_init(&arguments->temporary, PATH_TEXT_MAX + 16);
    exec_put_absolute(&arguments->directory, attempt->work_directory);
    if (!buffer_ok(&arguments->directory)) {
        return false;
    }
    buffer_printf(&arguments->home, "HOME=%s", arguments->directory.data);
    buffer_printf(&arguments->temporary, "TMPDIR=%s", arguments->directory.data);
    char(*numbers)[24] = arguments->numbers;
    char *list[] = { "fennec",   EXEC_GUARD_NAME, arguments->directory.data, numbers[0], numbers[1], numbers[2],
                     numbers[3], (char *)command, NULL };
    _Static_assert(sizeof(list) == sizeof(arguments->list), "every argument");
    memcpy(arguments->list, list, sizeof(list));
    char *environment[] = { "PATH=/usr/bin:/bin:/usr/local/bin", "LANG=C.UTF-8", arguments->home.data,
                            arguments->temporary.data, NULL };
    _Static_assert(sizeof(environment) == sizeof(arguments->environment), "every variable");
    memcpy(arguments->environment, environment, sizeof(environment));
    return buffer_ok(&arguments->home) && buffer_ok(&arguments->temporary);
}

void exec_arguments_fini(struct exec_arguments *arguments) {
    buffer_fini(&arguments->directory);
    buffer_fini(&arguments->home);
    buffer_fini(&arguments->temporary);
}
