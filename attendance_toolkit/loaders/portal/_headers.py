"""The map from a download's headers to what they mean. Users may copy and edit it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from attendance_toolkit.errors import ParameterError, UnreadableFileError, did_you_mean

#: Section -> the meanings it may name.
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "columns": ("pupil_name", "upn", "date_of_birth", "school_name", "urn", "laestab", "phase", "group", "nc_year",
                "pupils", "possible_sessions", "missed_sessions", "full_days_missed", "ignored"),
    "measures": ("attendance", "absence", "authorised", "unauthorised", "persistent", "severe"),
    "figures": ("count", "rate"),
    "phases": ("Primary", "Secondary", "Special", "Pupil referral unit", "All schools"),
    "groups": ("All", "FSM", "Non-FSM", "EHC", "SEN Support", "No SEN", "Boys", "Girls"),
}  # fmt: skip
_NAME = "portal_headers.yaml"
#: A map is a page of text; anything larger is another file.
_MOST_CHARACTERS = 100_000


@dataclass(frozen=True)
class PortalHeaders:
    """What the words of a download mean.

    Attributes
    ----------
    spellings
        Section -> meaning -> its spellings as ``plain`` gives them, in the order of preference.
    """

    spellings: Mapping[str, Mapping[str, tuple[str, ...]]]

    def meaning(self, section: str, text: str) -> str:
        """Return what a text means in a section, or "".

        >>> default_headers().meaning("groups", "sen support"), default_headers().meaning("groups", "Reds")
        ('SEN Support', '')
        """
        wanted = plain(text)
        return next((name for name, words in self.spellings[section].items() if wanted in words), "")

    def rank(self, section: str, text: str) -> int:
        """Return the place of a text among the spellings of its meaning, 0 the first."""
        wanted = plain(text)
        return next((words.index(wanted) for words in self.spellings[section].values() if wanted in words), 0)

    def measure(self, text: str) -> tuple[str, str]:
        """Return the measure and the figure ("count", "rate" or "") that one header names, or two "".

        >>> default_headers().measure("Persistently absent (%)"), default_headers().measure("PA")
        (('persistent', 'rate'), ('persistent', ''))
        """
        wanted = plain(text)
        for measure, words in self.spellings["measures"].items():
            if wanted in words:
                return measure, ""
            for figure, marks in self.spellings["figures"].items():
                if any(wanted in (f"{word} {mark}", f"{mark} {word}") for word in words for mark in marks):
                    return measure, figure
        return "", ""


def plain(text: str) -> str:
    """Return a header without capitals, punctuation and extra blanks; a per cent sign is a word.

    An underscore stays: machine names such as ``attendance_rate`` are not the portal's.

    >>> plain(" Severely absent (%)"), plain("No."), plain("Non-FSM"), plain("attendance_rate")
    ('severely absent %', 'no', 'non fsm', 'attendance_rate')
    """
    text = re.sub(r"[^\w%]+", " ", str(text).casefold().replace("%", " % "))
    return " ".join(text.split())


def portal_headers_text() -> str:
    """Return the toolkit's own map as a text to copy and edit.

    >>> portal_headers_text().splitlines()[5]
    '#     attendance headers > my_headers.yaml'
    """
    path = resources.files("attendance_toolkit.vocabulary").joinpath("reference", _NAME)
    return path.read_text(encoding="utf-8")


@cache
def default_headers() -> PortalHeaders:
    """Return the toolkit's own map."""
    return _checked(portal_headers_text(), _NAME)


def read_headers(path: Path | str) -> PortalHeaders:
    """Return a user's own map of headers.

    Parameters
    ----------
    path
        A YAML file with the sections of ``portal_headers_text``.

    Raises
    ------
    UnreadableFileError
        The file cannot be read as UTF-8 text.
    ParameterError
        It is not YAML, or a section, key or spelling is not as it should be; the message names it.
    """
    source = Path(path)
    try:
        if source.stat().st_size > _MOST_CHARACTERS:
            raise UnreadableFileError(f"{source.name} is too large for a map of headers. {_HOW}")
        text = source.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UnreadableFileError(f"{source.name} cannot be opened ({error.strerror}). Check its name.") from None
    except UnicodeDecodeError:
        raise UnreadableFileError(f"{source.name} is not UTF-8 text. {_HOW}") from None
    return _checked(text, source.name)


_HOW = "Make a new one with: attendance headers > my_headers.yaml"


def _checked(text: str, name: str) -> PortalHeaders:
    found = _loaded(text, name)
    for section in found:
        if section not in SECTIONS:
            raise ParameterError(
                f"{name}: '{section}' is not a section.{did_you_mean(str(section), SECTIONS)}"
                f" Use: {', '.join(SECTIONS)}."
            )
    missing = [section for section in SECTIONS if not found.get(section)]
    if missing:
        raise ParameterError(f"{name}: the section '{missing[0]}' is missing or empty. {_HOW}")
    return PortalHeaders({section: _section(found[section], section, name) for section in SECTIONS})


class _NoAliases(yaml.SafeLoader):
    """A loader without anchors: a few lines of them can be made to fill the memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("it uses '*', a reference to another line")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [getattr(key, "value", None) for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f"'{twice}' is there twice")
        return super().construct_mapping(node, deep)


def _loaded(text: str, name: str) -> dict[Any, Any]:
    try:
        found = yaml.load(text, Loader=_NoAliases)  # noqa: S506 - a SafeLoader without aliases
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0][:100]
        if isinstance(error, RecursionError):
            reason = "it has too many brackets inside each other"
        raise ParameterError(f"{name}{where}: this is not YAML that can be read ({reason}). {_HOW}") from None
    if not isinstance(found, dict):
        raise ParameterError(f"{name}: it holds no sections ({', '.join(SECTIONS)}). {_HOW}")
    return found


def _section(given: Any, section: str, name: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, dict):
        raise ParameterError(f"{name}, {section}: write a key and its spellings, such as: upn: [UPN].")
    allowed = SECTIONS[section]
    owner: dict[str, str] = {}
    words: dict[str, tuple[str, ...]] = {}
    for key, spellings in given.items():
        if key not in allowed:
            raise ParameterError(
                f"{name}, {section}: '{key}' is not a key.{did_you_mean(str(key), allowed)} Use: {', '.join(allowed)}."
            )
        listed = [] if spellings is None else spellings if isinstance(spellings, list) else [spellings]
        for spelling in listed:
            # YAML reads No as false and 1 as a number: in quotation marks they stay words.
            if not isinstance(spelling, str):
                raise ParameterError(
                    f"{name}, {section}, {key}: '{spelling}' is not text. Put it in quotation marks, as in \"No.\"."
                )
            if not plain(spelling):
                raise ParameterError(f"{name}, {section}, {key}: a spelling is empty. Leave it out.")
            if owner.setdefault(plain(spelling), key) != key:
                raise ParameterError(
                    f"{name}, {section}: '{spelling}' stands under both {owner[plain(spelling)]} and {key}."
                    " Leave it under one of them."
                )
        words[key] = tuple(dict.fromkeys(plain(spelling) for spelling in listed))
    return words
