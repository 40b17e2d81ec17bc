"""Set the toolkit up on a machine with nothing but Python 3.11 or later, and run it.

    python start.py            install everything, then make the demonstration reports
    python start.py test       install everything, then run all checks and tests
    python start.py install    install only

Everything goes into the folder .venv beside this file; nothing else on the machine changes. Works on Linux,
macOS and Windows; needs a package index such as pip uses.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
ATTENDANCE = SCRIPTS / ("attendance.exe" if os.name == "nt" else "attendance")


def run(*command: str | Path, check: bool = True) -> int:
    """Run a command in the project folder; stop with its status if it fails."""
    environment = {**os.environ, "PYTHONUTF8": "1", "MPLBACKEND": "agg"}
    # Set on some machines, it would make every start recompile every module.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    status = subprocess.run([str(part) for part in command], cwd=ROOT, env=environment, check=False).returncode
    if check and status:
        print(f"This step failed with status {status}: {' '.join(str(part) for part in command)}", file=sys.stderr)
        sys.exit(status)
    return status


def install() -> None:
    """Install the locked packages and the toolkit, unless that is done already."""
    stamp = VENV / "installed.sha256"
    wanted = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted and PYTHON.is_file():
        return
    print(f"Installing into {VENV} ...", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    venv.create(VENV, with_pip=True)
    # uv installs the lock file in a fifth of pip's time; where it is not to be had, pip does the same.
    if run(PYTHON, "-m", "pip", "install", "--quiet", "uv", check=False) == 0:
        installer: list[str | Path] = [PYTHON, "-m", "uv", "pip", "install", "--quiet", "--python", PYTHON]
        run(*installer, "--compile-bytecode", "--requirement", LOCK)
        run(*installer, "--no-deps", "--editable", ROOT)
    else:
        print("uv could not be installed; pip goes on alone, which takes longer.", flush=True)
        run(PYTHON, "-m", "pip", "install", "--quiet", "--requirement", LOCK)
        run(PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", ROOT)
    stamp.write_text(wanted)


def test() -> None:
    """Run every check: style, types, tests with doctests, and the notebooks' stored headline numbers."""
    run(PYTHON, "-m", "ruff", "check", ".")
    run(PYTHON, "-m", "mypy")
    run(
        PYTHON,
        "-m",
        "pytest",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "--nbval-lax",
        "--nbval-sanitize-with",
        ROOT / "tests" / "notebooks" / "sanitise.cfg",
        "notebooks",
    )
    run(PYTHON, "-m", "pytest", "-n", "2", "--dist", "loadfile")


def main() -> None:
    """Do what the command line asks for."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this script is what an older Python meets first
        sys.exit(f"Python 3.11 or later is needed; this is {sys.version.split()[0]}.")
    wanted = sys.argv[1] if len(sys.argv) > 1 else "demo"
    if wanted not in ("demo", "test", "install"):
        sys.exit(f"'{wanted}' is not a step. Use: python start.py [demo | test | install]")
    install()
    if wanted == "test":
        test()
    elif wanted == "demo":
        run(ATTENDANCE, "demo", *sys.argv[2:])


if __name__ == "__main__":
    main()
