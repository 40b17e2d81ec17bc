"""Check parameters against a notebook before it runs. papermill only logs a misspelt one."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from attendance_toolkit.errors import ParameterError, did_you_mean


@dataclass(frozen=True)
class Parameter:
    """A notebook parameter: its name, type, default and help comment."""

    name: str
    type_name: str
    default: Any
    help: str


def notebook_parameters(path: Path) -> dict[str, Parameter]:
    """Return the parameters of the cell tagged ``parameters``: ``name: type = literal  # help``.

    Raises
    ------
    ParameterError
        The notebook has no such cell, or a line of it is not of that form.
    """
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise ParameterError(f"{path.name} needs exactly one cell tagged 'parameters'; it has {len(cells)}.")
    lines = cells[0].source.splitlines()
    found: dict[str, Parameter] = {}
    for node in ast.parse(cells[0].source).body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None):
            raise ParameterError(
                f"{path.name}, parameters cell, line {node.lineno}: write each parameter as 'name: type = value'."
            )
        comment = lines[node.lineno - 1].partition("#")[2].strip()
        name = node.target.id
        found[name] = Parameter(name, ast.unparse(node.annotation), ast.literal_eval(node.value), comment)
    return found


def check_parameters(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given parameters if the notebook has them all with these types.

    Raises
    ------
    ParameterError
        A name the notebook does not have (with the nearest one), or a value of the wrong type.
    """
    known = notebook_parameters(path)
    for name, value in given.items():
        if name not in known:
            raise ParameterError(
                f"{path.name} has no parameter '{name}'.{did_you_mean(name, known)} It has: {', '.join(known)}."
            )
        default = known[name].default
        if type(value) is not type(default):
            raise ParameterError(
                f"{path.name}, parameter '{name}': {value!r} is of type {type(value).__name__};"
                f" give a {type(default).__name__} such as {default!r} ({known[name].help})."
            )
    return dict(given)
