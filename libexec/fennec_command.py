"""What the commands of local models share: the job that the server hands in, the lines it reads, running other programs.

A command is one function from a job to a result, passed to main(). It says `progress(percent)` as it goes, raises Failure
for what the task's owner should know, and leaves its files in the current directory, which the server removes afterwards.
Texts and names in a job come from strangers: they go to other programs on standard input or in files, never as options.
"""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import traceback

OUTPUT_MAX = 64 << 20  # bytes that a program may say
MEMORY_MAX = 2 << 30   # bytes of data for each program, this one included; the server's own bound is the machine's
TOO_MUCH_MEMORY = "This needs more memory than one task may have."
TOO_DEEP = "This is nested too deeply."
GAVE_UP = " The program for it gave up, which it does when it needs more memory than one task may have."

SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", 0, "png"),
    (b"\xff\xd8\xff", 0, "jpeg"),
    (b"WEBP", 8, "webp"),
)

# Together with policy.xml beside this file: what one picture may cost.
CONVERT = (
    "convert", "-limit", "memory", "512MiB", "-limit", "map", "512MiB", "-limit", "disk", "1GiB", "-limit", "area", "64MP",
    "-limit", "width", "16KP", "-limit", "height", "16KP", "-limit", "thread", "1", "-limit", "time", "600",
)


class Failure(Exception):
    """A task error code of the API contract and words for the person who sent the task."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def progress(percent):
    say("progress %d" % max(0, min(100, percent)))


def end_by(number):
    """Ends this command by the signal that ended its helper, so that the server learns the true reason."""
    sys.stdout.flush()
    sys.stderr.flush()
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def check(process, code, message):
    """Raises Failure(code, message) unless the ended process was successful. Nobody else sends a program this signal: it has
    ended itself, over what it was given."""
    if process.returncode == -signal.SIGABRT:
        raise Failure(code, message + GAVE_UP)
    if process.returncode < 0:
        end_by(-process.returncode)
    if process.returncode != 0:
        raise Failure(code, message)


def run(arguments, code, message, text=None, environment=None):
    """Runs a program to its end, with `text` on its standard input; its standard error becomes ours. What it says is returned,
    if that is not too much."""
    with tempfile.TemporaryFile(dir=".") as words:
        words.write(text or b"")
        words.seek(0)
        with subprocess.Popen(arguments, stdin=words, stdout=subprocess.PIPE, env=environment) as process:
            said = process.stdout.read(OUTPUT_MAX + 1)
            if len(said) > OUTPUT_MAX:
                process.kill()
                raise Failure(code, message + " What comes of it has more than %d MiB." % (OUTPUT_MAX >> 20))
    check(process, code, message)
    return said


def start(arguments):
    """Starts a program whose standard output is read line by line, as text."""
    return subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8",
                            errors="replace")


def finish(process, code, message):
    process.stdout.close()
    process.wait()
    check(process, code, message)


def convert(arguments, code="image_processing_error", message="The image could not be processed."):
    """Runs ImageMagick under its limits and a policy that knows no formats but the few used here."""
    environment = dict(os.environ, MAGICK_CONFIGURE_PATH=os.path.dirname(os.path.abspath(__file__)),
                       MAGICK_TEMPORARY_PATH=os.getcwd())
    return run(list(CONVERT) + arguments, code, message, environment=environment)


def take_file(job, name):
    """The input file for a parameter, under a fixed name in the current directory that is safe to put into an argument."""
    path = job["files"].get(name)
    if not path:
        raise Failure("invalid_parameters", "The file for %s is missing." % name)
    os.symlink(os.path.abspath(path), "input")
    return "input"


def take_image(job, name):
    """(format, file name) of an input image, the format found by its first bytes."""
    file_name = take_file(job, name)
    with open(file_name, "rb") as file:
        head = file.read(16)
    for signature, offset, image_format in SIGNATURES:
        if head[offset:offset + len(signature)] == signature:
            return image_format, file_name
    raise Failure("image_processing_error", "The image is neither PNG, JPEG nor WebP.")


def number(job, name, default, least, most):
    """A number within bounds; the server has checked it, but a command can be run by hand as well."""
    value = job["input"].get(name)
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise Failure("invalid_parameters", "%s must be a number from %g to %g." % (name, least, most))
    return value


def limit_memory():
    """For this process and those it starts; never above what the server allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = [one for one in (soft, hard) if one != resource.RLIM_INFINITY] + [MEMORY_MAX]
    resource.setrlimit(resource.RLIMIT_DATA, (min(most), min(most)))


def main(function):
    limit_memory()
    try:
        job = json.load(sys.stdin)
        job.setdefault("files", {})
        result = function(job)
        say("result " + json.dumps(result, ensure_ascii=False))
    except Failure as failure:
        say("error %s %s" % (failure.code, failure))
        sys.exit(1)
    except (MemoryError, RecursionError) as error:
        say("error invalid_parameters " + (TOO_MUCH_MEMORY if isinstance(error, MemoryError) else TOO_DEEP))
        sys.exit(1)
    except OSError as error:
        traceback.print_exc()
        if error.errno == errno.EFBIG:
            end_by(signal.SIGXFSZ)
        if error.errno == errno.ENOENT and error.filename and "/" not in str(error.filename):
            say("error service_unavailable The program %s is not installed." % error.filename)
        sys.exit(1)
