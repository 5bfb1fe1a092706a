"""docs/providers.md is true: its files are written and its commands run, as it says, and they print what it shows."""
import os
import pathlib
import re
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from ports import held_port  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENNEC = pathlib.Path(os.environ.get("FENNEC", ROOT / "build" / "fennec")).resolve()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
PATIENCE_S = 120


class Shell:
    """One bash, as a reader would have it open; what it started ends with it."""

    def __init__(self, directory):
        environment = {**os.environ, "PATH": f"{FENNEC.parent}:/usr/bin:/bin"}
        self.process = subprocess.Popen(["bash"], cwd=directory, env=environment, text=True, start_new_session=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, command):
        self.process.stdin.write(command + "\necho; echo '@end of the command@'\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line == "@end of the command@\n":
                return "".join(lines)
            lines.append(line)
        raise AssertionError(f"the shell ended in: {command}\n{''.join(lines)}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)


def pattern_of(shown):
    """What is shown, as a pattern: … stands for anything, spaces for any number of them."""
    parts = [r"\s+".join(re.escape(word) for word in part.split()) for part in shown.split("…")]
    return r"\s*" + r"[\s\S]*".join(f"\\s*{part}\\s*" for part in parts)


def console(block):
    """(command, what it prints) of each `$ ` line."""
    for piece in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, shown = piece.partition("\n")
        yield command, shown


def follow(text, directory):
    """Does all that the text says; how many commands that were."""
    ran = 0
    shell = Shell(directory)
    watch = signal.signal(signal.SIGALRM, lambda *_: os.killpg(shell.process.pid, signal.SIGKILL))
    signal.alarm(PATIENCE_S)
    try:
        for language, block in BLOCK.findall(text):
            if language != "console":
                path = re.match(r"(?:--|#) (\S+)\n", block).group(1)
                (directory / path).write_text(block)
                continue
            for command, shown in console(block):
                printed = shell.run(command)
                ran += 1
                assert re.fullmatch(pattern_of(shown), printed), (
                    f"$ {command}\nshown:\n{shown}\nprinted:\n{printed}\n"
                    + "".join(f"{log.name}: {log.read_text()[-3000:]}\n" for log in directory.glob("*.log")))
        shell.close()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, watch)
        if shell.process.poll() is None:
            os.killpg(shell.process.pid, signal.SIGKILL)
            shell.process.wait()
    return ran


def test_the_tutorial_is_true(tmp_path):
    text = (ROOT / "docs" / "providers.md").read_text()
    with held_port() as fennecs, held_port() as paintboxs:
        ran = follow(text.replace("8080", str(fennecs)).replace("8091", str(paintboxs)), tmp_path)
    assert ran > 15
