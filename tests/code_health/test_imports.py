"""Imports point one way (docs/architecture.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "attendance_toolkit"

BASE = {"errors", "vocabulary", "intervals", "versions", "__init__"}
ALLOWED = {
    "errors": set(),
    "intervals": set(),
    "versions": set(),
    "vocabulary": {"errors", "vocabulary"},
    "schema": BASE | {"schema"},
    "store": BASE | {"schema", "store"},
    "loaders": BASE | {"schema", "store", "loaders"},
    "metrics": BASE | {"schema", "metrics"},
    "models": BASE | {"schema", "metrics", "models"},
    "disclosure": BASE | {"schema", "disclosure"},
    "presentation": BASE | {"disclosure", "presentation"},
    "inputs": BASE | {"loaders", "store", "metrics", "disclosure"},
    "deepdives": BASE | {"inputs", "metrics", "models", "disclosure", "presentation"},
}
FREE = {
    "reporting",
    "cli",
    "cli_casework",
    "cli_casework_zero",
    "cli_options",
    "cli_priority",
    "cli_school_pack",
    "notebook",
    "__init__",
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                rooms.add(room_of(path))
            elif node.module == "attendance_toolkit":
                names = [f"attendance_toolkit.{alias.name}" for alias in node.names]
            else:
                names = [node.module or ""]
        rooms |= {name.split(".")[1] for name in names if name.startswith("attendance_toolkit.")}
    return rooms


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    room = room_of(path)
    if room in FREE:
        return
    assert room in ALLOWED, f"'{room}' is a new room: give it a place in docs/architecture.md and here."
    wrong = imported_rooms(path) - ALLOWED[room] - {room, "__version__"}
    assert not wrong, f"{path.name} in {room} may not import {sorted(wrong)}."
