"""Read pupil flags: a CSV of UPN, academic year, and whether the pupil is looked after or has a social worker.

A pupil or year that is not listed stays "Unknown": list every pupil, with Yes or No, where it is known.
"""

# Table names in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from attendance_toolkit.loaders._pupil_rows import PupilRows
from attendance_toolkit.loaders._values import show

_ANSWERS = {"YES": "Yes", "Y": "Yes", "TRUE": "Yes", "1": "Yes", "NO": "No", "N": "No", "FALSE": "No", "0": "No",
            "UNKNOWN": None, "": None}  # fmt: skip


class FlagReader(PupilRows):
    """Reads one file of pupil flags into ``flag_parts``."""

    table = "pupil_flags"
    parts = "flag_parts"
    names = ("looked_after", "social_worker")
    year_rule = "flag_year"

    def _columns(self) -> list[str]:
        return [c for c in self.names if c in self.where]

    def _map_values(self) -> None:
        for column in self._columns():
            self._map_answers(column)

    def _map_answers(self, column: str) -> None:
        texts, levels = [], []
        for text, records in self._distinct(column):
            code = (text or "").strip().upper()
            if code not in _ANSWERS:
                self._report("flag_value", records, column, show(text or ""), f"'{show(text or '')}' is not an answer.",
                             allowed="Yes, No", fix="It is read as Unknown.")  # fmt: skip
            texts.append(text)
            levels.append(_ANSWERS.get(code))
        self._register(f"listed_{column}", {"code": texts, "level": levels})

    def _kept_values(self) -> str:
        here = self._columns()
        return ", ".join(
            f"(SELECT level FROM listed_{c} WHERE code IS NOT DISTINCT FROM f.{c}) AS {c}"
            if c in here
            else f"NULL::VARCHAR AS {c}"
            for c in self.names
        )
