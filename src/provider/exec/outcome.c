/* What the end of a local command means for its task.
 *
 * Retryable is what came from outside the command: a signal, a lost guard, a machine short of processes or disk space. A
 * command that ended by itself would do the same again, unless its error line says that the lack is for a time only. */
#include "provider/exec/outcome.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/statvfs.h>

#include "provider/exec/files.h"

#define MEBIBYTE (1024.0 * 1024.0)
#define SPACE_MIN ((uint64_t)1 << 20) /* bytes below which a disk counts as full */

struct judgement {
    const struct exec_ending *ending;
    struct buffer *message;
    struct outcome *outcome;
};

static void fail(struct judgement *judgement, enum task_error error, bool retryable) {
    judgement->outcome->error = error;
    judgement->outcome->retryable = retryable;
}

/* ---- the command ended by itself ---- */

static void judge_error_line(struct judgement *judgement) {
    const struct exec_reader *reader = judgement->ending->reader;
    buffer_printf(judgement->message, "%s", reader->message);
    fail(judgement, reader->error, task_error_retryable(reader->error) && reader->error != TASK_ERROR_GENERATION_FAILED);
}

static void judge_result(struct judgement *judgement) {
    const struct exec_ending *ending = judgement->ending;
    const struct exec_reader *reader = ending->reader;
    struct fault fault = { 0 };
    enum err err = OK;
    if (reader->results == 0) {
        buffer_printf(judgement->message, "The command of this model ended without a result.");
        fail(judgement, TASK_ERROR_NO_CONTENT, false);
    } else if (reader->results > 1) {
        buffer_printf(judgement->message, "The command of this model gave %u results instead of one.", reader->results);
        fail(judgement, TASK_ERROR_GENERATION_FAILED, false);
    } else if (!reader->result) {
        buffer_printf(judgement->message, "The command of this model gave a result that cannot be read: %s.",
                      reader->result_fault);
        fail(judgement, TASK_ERROR_GENERATION_FAILED, false);
    } else if ((err = exec_files_check(ending->work_directory, reader->result, ending->file_max, &fault)) != OK) {
        buffer_printf(judgement->message, "%s", fault.message);
        fail(judgement, err == ERR_IO ? TASK_ERROR_RESOURCE_EXHAUSTED : TASK_ERROR_GENERATION_FAILED, err == ERR_IO);
    } else {
        judgement->outcome->output = reader->result;
    }
}

/* Whatever a command says of its failure then: what it wrote found no room. */
static bool disk_is_full(const char *directory) {
    struct statvfs disk;
    return statvfs(directory, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < SPACE_MIN;
}

static void judge_exit(struct judgement *judgement) {
    if (judgement->ending->number != 0 && disk_is_full(judgement->ending->work_directory)) {
        buffer_printf(judgement->message, "The machine has no disk space left for the files of this task.");
        fail(judgement, TASK_ERROR_RESOURCE_EXHAUSTED, true);
    } else if (judgement->ending->reader->error != TASK_ERROR_NONE) {
        judge_error_line(judgement);
    } else if (judgement->ending->number != 0) {
        buffer_printf(judgement->message, "The command of this model ended with exit status %d.",
                      judgement->ending->number);
        fail(judgement, TASK_ERROR_GENERATION_FAILED, false);
    } else {
        judge_result(judgement);
    }
}

/* ---- the command was ended ---- */

static void judge_signal(struct judgement *judgement) {
    int number = judgement->ending->number;
    if (number == SIGXFSZ) {
        buffer_printf(judgement->message, "A result file would have become larger than the limit of %.0f MiB.",
                      (double)judgement->ending->file_max / MEBIBYTE);
        fail(judgement, TASK_ERROR_GENERATION_FAILED, false);
    } else if (number == SIGXCPU) {
        buffer_printf(judgement->message, "The generation took more processor time than this model is allowed.");
        fail(judgement, TASK_ERROR_TIMEOUT, false);
    } else {
        const char *name = sigabbrev_np(number);
        buffer_printf(judgement->message, "The command of this model was ended by signal %d (SIG%s).", number,
                      name ? name : "?");
        fail(judgement, TASK_ERROR_GENERATION_FAILED, true);
    }
}

static void judge_start(struct judgement *judgement) {
    int error = judgement->ending->number;
    bool passing = error == EAGAIN || error == ENOMEM || error == ETXTBSY || error == EMFILE || error == ENFILE;
    buffer_printf(judgement->message, "The command of this model could not be started.");
    fail(judgement, passing ? TASK_ERROR_RESOURCE_EXHAUSTED : TASK_ERROR_UNAVAILABLE, passing);
}

static void judge_timeout(struct judgement *judgement) {
    fail(judgement, TASK_ERROR_TIMEOUT, false);
}

static void judge_cancel(struct judgement *judgement) {
    fail(judgement, TASK_ERROR_CANCELLED, false);
}

static void judge_space(struct judgement *judgement) {
    buffer_printf(judgement->message, "The command of this model wrote more or larger files than the limit allows.");
    fail(judgement, TASK_ERROR_GENERATION_FAILED, false);
}

static void judge_flood(struct judgement *judgement) {
    buffer_printf(judgement->message, "The command of this model wrote too much on its output.");
    fail(judgement, TASK_ERROR_GENERATION_FAILED, false);
}

static void judge_lost(struct judgement *judgement) {
    buffer_printf(judgement->message, "The process that watches over the command of this model was killed.");
    fail(judgement, TASK_ERROR_GENERATION_FAILED, true);
}

/* ---- for operators ---- */

static const struct {
    const char *words; /* with the number of guard.h */
    void (*judge)(struct judgement *judgement);
} ends[EXEC_END_COUNT] = {
    [EXEC_END_EXIT] = { "exit status %d", judge_exit },
    [EXEC_END_SIGNAL] = { "ended by signal %d", judge_signal },
    [EXEC_END_START] = { "could not be started, errno %d", judge_start },
    [EXEC_END_TIMEOUT] = { "killed at its timeout", judge_timeout },
    [EXEC_END_CANCEL] = { "killed because of a cancellation", judge_cancel },
    [EXEC_END_SPACE] = { "killed because its files passed the limit", judge_space },
    [EXEC_END_LOST] = { "its guard was killed", judge_lost },
    [EXEC_END_FLOOD] = { "killed because it flooded its output", judge_flood },
};

static void put_tail(struct buffer *detail, const char *name, const struct exec_tail *tail) {
    struct text text = text_trim((struct text){ tail->bytes, tail->len });
    if (text.len == 0) {
        return;
    }
    buffer_printf(detail, "; %s:\n", name);
    for (size_t i = 0; i < text.len; i++) {
        buffer_put_char(detail, text.ptr[i] ? text.ptr[i] : '?');
    }
}

static void put_end(struct buffer *detail, const struct exec_ending *ending) {
    const char *words = ends[ending->end].words;
    const char *number = strstr(words, "%d");
    buffer_put(detail, (struct text){ words, number ? (size_t)(number - words) : strlen(words) });
    if (number) {
        buffer_put_i64(detail, ending->number);
    }
    if (ending->end == EXEC_END_START) {
        buffer_printf(detail, " (%s)", strerrordesc_np(ending->number));
    }
}

void exec_outcome_judge(const struct exec_ending *ending, struct buffer *message, struct buffer *detail,
                        struct outcome *ret) {
    /* cppcheck-suppress ctuuninitvar ; it is filled in here */
    struct judgement judgement = { ending, message, ret };
    *ret = (struct outcome){ .error = TASK_ERROR_NONE };
    ends[ending->end].judge(&judgement);
    put_end(detail, ending);
    put_tail(detail, "standard error", ending->errors);
    put_tail(detail, "standard output", &ending->reader->tail);
    ret->message = message->len > 0 && buffer_ok(message) ? message->data : NULL;
    ret->detail = detail->len > 0 && buffer_ok(detail) ? detail->data : NULL;
}
