"""bench/RESULTS.md: the tables of a run, with the machine, the versions, the date and the command."""
import datetime
import pathlib
import re
import shlex
import subprocess
import sys

import table
from processes import ROOT, spread


def output(*command):
    """The first line of what it says; empty when it is not there."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    except FileNotFoundError:
        return ""
    return (ran.stdout or ran.stderr).strip().split("\n")[0]


def version(*command):
    found = re.search(r"\d+(\.\d+)+\S*", output(*command))
    return found[0] if found else None


def machine():
    cpu = re.search(r"model name\s*: (.+)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / 2**20
    return f"{output('nproc')} cores ({cpu[1] if cpu else 'unknown'}), {memory:.0f} GiB, Linux {output('uname', '-r')}"


def versions():
    named = {"Fennec": f"commit {output('git', 'rev-parse', '--short', 'HEAD')}", "gcc": version("gcc", "-dumpfullversion"),
             "SQLite": version("sqlite3", "--version"), "nginx": version("nginx", "-v"), "Node": version("node", "--version"),
             "Redis": version("redis-server", "--version"), "PostgreSQL": version("psql", "--version")}
    return ", ".join(f"{name} {what}" for name, what in named.items() if what)


def document(rows, speeds):
    """`speeds`: of the machine, over the run."""
    command = "bench/run " + shlex.join(sys.argv[1:])
    load = pathlib.Path("/proc/loadavg").read_text().split()[0]
    return f"""# Results

Written by `{command}`, which repeats it; what each figure is, README.md beside this file says.

- {datetime.date.today().isoformat()}; {machine()}; load when it ended: {load}
- {versions()}
- one and the same computation, before, between and after the parts, took {spread(speeds, 0)} ms of CPU time: the machine's
  speed varied at least as much
- medians of the turns, the least and the most in brackets; a competitor ran in the same run, by turns; "times as good" is turn
  by turn, and above 1 Fennec is the better one

{table.tables(rows)}
"""
