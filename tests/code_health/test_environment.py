"""environment.yml, the lock file and the public names agree with pyproject.toml and the package."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

import attendance_toolkit
from attendance_toolkit import notebook

ROOT = Path(__file__).resolve().parents[2]
CONDA_NAMES = {"duckdb": "python-duckdb"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_environment_equals_pyproject():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    conda = {item for item in listed if isinstance(item, str)} - {"pip"}
    split = [re.fullmatch(r"([A-Za-z0-9_-]+)(.*)", item).groups() for item in PROJECT["dependencies"]]
    wanted = {CONDA_NAMES.get(name, name) + bound for name, bound in split}
    assert conda == wanted | {f"python{PROJECT['requires-python']}"}


def test_lock_file_holds_every_dependency_and_no_registry_host():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9-]+)==", text, flags=re.M))
    everything = PROJECT["dependencies"] + [d for extra in PROJECT["optional-dependencies"].values() for d in extra]
    names = {re.match(r"[A-Za-z0-9_-]+", item).group().lower().replace("_", "-") for item in everything}
    assert names <= locked
    assert "://" not in text
    assert "--index" not in text


def test_public_names_are_the_notebook_names():
    assert set(notebook.__all__) == attendance_toolkit._PUBLIC
    assert all(getattr(attendance_toolkit, name) is getattr(notebook, name) for name in notebook.__all__)


def test_version_is_one():
    assert attendance_toolkit.__version__ == PROJECT["version"]
