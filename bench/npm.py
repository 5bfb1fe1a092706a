"""Programs from npm that Fennec is compared with: each folder of bench/ with a lock file, installed once."""
import hashlib
import os
import pathlib
import shutil
import subprocess

from processes import ROOT

LIMIT_S = 1200


def npm_folder(name, scripts=False):
    """Where bench/NAME is installed as its lock file says; installs it there once. `scripts`: what is compiled is
    compiled or fetched then, too."""
    source = ROOT / "bench" / name
    lock = (source / "package-lock.json").read_bytes()
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "fennec-bench" / f"{name}-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not (folder / "installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(source / file, folder)
        subprocess.run(["npm", "ci", "--prefix", folder, "--no-audit", "--no-fund", *([] if scripts else ["--ignore-scripts"])],
                       check=True, timeout=LIMIT_S, stdout=subprocess.DEVNULL)
        (folder / "installed").touch()
    return folder
