"""Read lists of pupils given support: UPN, academic year and the name of the group, in CSV or a workbook.

A pupil may be in several groups of a year. The year is that in which support was given.
"""

from __future__ import annotations

import re

from attendance_toolkit.loaders._head import Head, Recognised
from attendance_toolkit.loaders._listed_table import find_list
from attendance_toolkit.loaders._pupil_rows import PupilRows
from attendance_toolkit.schema.pupil_lists import SUPPORT_GROUPS

#: A name is shown on pages; a longer text is a note, which may be about one child.
_LONGEST = 60
#: A column of answers is no column of names.
_ANSWERS = frozenset({"yes", "no", "y", "n", "true", "false", "none", "nan", "null", "n/a", "#n/a", "unknown"})
_UPN_LIKE = re.compile(r"[A-Za-z]\d{11}[0-9A-Za-z]")


def recognise(head: Head) -> Recognised | None:
    """Return what a list of supported pupils is, None for any other file."""
    if find_list(head) != SUPPORT_GROUPS:
        return None
    return Recognised(
        SUPPORT_GROUPS, SUPPORT_GROUPS, "a list of pupils given support", "what became of supported pupils' absence"
    )


class SupportReader(PupilRows):
    """Reads one list of supported pupils into ``support_parts``."""

    table = SUPPORT_GROUPS
    parts = "support_parts"
    names = ("support_group",)
    keys = ("upn", "year", "support_group")
    year_rule = "support_year"
    twice = "the pupil is listed twice for the same year and group."

    def _columns(self) -> list[str]:
        return ["support_group"]

    def _map_values(self) -> None:
        texts, levels = [], []
        spelt: dict[str, str] = {}
        for text, records in sorted(self._distinct("support_group"), key=lambda found: min(found[1])):
            name = " ".join((text or "").split())
            wrong = _what_is_wrong(name)
            if wrong:
                self._set_aside("support_name", records)
                # The text itself is not shown: it may be about a child.
                self._report("support_name", records, "support_group", None, wrong,
                             fix="The row is set aside; write the name of the group in it.")  # fmt: skip
            texts.append(text)
            # "transition mentors" is the same group as "Transition mentors", as it was first spelt.
            levels.append(None if wrong else spelt.setdefault(name.casefold(), name))
        self._register("listed_group", {"code": texts, "level": levels})

    def _kept_values(self) -> str:
        return "(SELECT level FROM listed_group WHERE code IS NOT DISTINCT FROM f.support_group) AS support_group"


def _what_is_wrong(name: str) -> str:
    if not name:
        return "there is no name of a group."
    if len(name) > _LONGEST:
        return f"the name of the group is longer than {_LONGEST} characters."
    if name.casefold() in _ANSWERS or not re.search(r"[^\W\d_]{2}", name):
        return "an answer, number or sign stands in the place of the name of a group."
    if name.startswith(("=", "#", "+", "-", "@")):
        return "a formula or error of a spreadsheet stands in the place of the name of a group."
    return "there is a UPN in the name of the group." if _UPN_LIKE.search(name) else ""
