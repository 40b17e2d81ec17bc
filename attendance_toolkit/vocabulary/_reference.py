"""Read the CSV tables in ``reference/``. Every row of them names its source."""

from __future__ import annotations

import csv
from importlib import resources
from typing import Any

from attendance_toolkit.errors import VocabularyError


def read_reference(name: str) -> list[dict[str, str]]:
    """Return the rows of a reference table as dictionaries of text."""
    path = resources.files("attendance_toolkit.vocabulary").joinpath("reference", name)
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def read_yaml_text(name: str) -> str:
    """Return the text of a reference file (``name`` may begin with a folder)."""
    path = resources.files("attendance_toolkit.vocabulary").joinpath("reference", *name.split("/"))
    return path.read_text(encoding="utf-8")


def read_yaml(name: str) -> Any:
    """Return what a YAML reference file holds."""
    return parse_yaml(read_yaml_text(name), name)


def parse_yaml(text: str, name: str) -> Any:
    """Return what YAML text holds: plain values only, and no key twice.

    Raises
    ------
    VocabularyError
        The text is not such YAML; the message says the line.
    """
    import yaml  # here, so that the vocabulary can be read without loading the parser

    class Loader(yaml.SafeLoader):
        """Refuses a key that is there twice, of which the plain loader keeps the last in silence, and references.

        A few lines of references to each other can be made to fill the memory.
        """

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.events.AliasEvent):
                line = self.peek_event().start_mark.line + 1
                raise VocabularyError(f"{name}, line {line}: '*' refers to another line. Write the values out.")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise VocabularyError(
                        f"{name}, line {key.start_mark.line + 1}: '{key.value}' is there twice. Keep one of them."
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep=deep)

    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "its structure cannot be read"
        raise VocabularyError(f"{name}{where}: this is not YAML ({problem}). Correct the line.") from None


def names_in(folder: str, ending: str) -> tuple[str, ...]:
    """Return the names of the reference files in a folder, in order."""
    path = resources.files("attendance_toolkit.vocabulary").joinpath("reference", folder)
    return tuple(sorted(f"{folder}/{item.name}" for item in path.iterdir() if item.name.endswith(ending)))
