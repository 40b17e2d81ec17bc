"""Read pupil flags: a CSV of UPN, academic year, and what is known of the pupil from elsewhere than the census.

That is whether the pupil is looked after, has a social worker, is on a child protection plan or is a young carer, and which
authority looks after the child. A pupil or year that is not listed stays "Unknown": list every pupil, with Yes or No, where
it is known. One row says all that is known of a pupil in a year; a row loaded later takes its place.
"""

# Table names in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from attendance_toolkit.errors import UnknownAreaError
from attendance_toolkit.loaders._pupil_rows import PupilRows
from attendance_toolkit.loaders._values import show
from attendance_toolkit.store.parts import FLAG_COLUMNS
from attendance_toolkit.vocabulary.areas import find_area

_ANSWERS = {"YES": "Yes", "Y": "Yes", "TRUE": "Yes", "1": "Yes", "NO": "No", "N": "No", "FALSE": "No", "0": "No",
            "UNKNOWN": None, "": None}  # fmt: skip
_AUTHORITY = "responsible_la"


class FlagReader(PupilRows):
    """Reads one file of pupil flags into ``flag_parts``."""

    table = "pupil_flags"
    parts = "flag_parts"
    names = tuple(FLAG_COLUMNS)[2:]
    year_rule = "flag_year"

    def _columns(self) -> list[str]:
        return [c for c in self.names if c in self.where]

    def _map_values(self) -> None:
        for column in self._columns():
            if column == _AUTHORITY:
                self._map_authorities()
            else:
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

    def _map_authorities(self) -> None:
        texts, levels = [], []
        for text, records in self._distinct(_AUTHORITY):
            name = (text or "").strip()
            code = _authority_code(name)
            if name and code is None:
                # An address or a name may stand there by mistake: it is not repeated.
                self._report("flag_authority", records, _AUTHORITY, None, "this is not a local authority of England.",
                             allowed="its name, three-digit code or nine-character code",
                             fix="Correct it; it is read as not known.")  # fmt: skip
            texts.append(text)
            levels.append(code)
        self._register(f"listed_{_AUTHORITY}", {"code": texts, "level": levels})

    def _kept_values(self) -> str:
        here = self._columns()
        return ", ".join(
            f"(SELECT level FROM listed_{c} WHERE code IS NOT DISTINCT FROM f.{c}) AS {c}"
            if c in here
            else f"NULL::VARCHAR AS {c}"
            for c in self.names
        )


def _authority_code(text: str) -> str | None:
    """Return the nine-character code of a local authority by its name or a code of its, None for anything else.

    >>> _authority_code("Trafford"), _authority_code("358"), _authority_code("Trafford Council"), _authority_code("abroad")
    ('E08000009', 'E08000009', 'E08000009', None)
    """
    plain = " ".join(text.split())
    for words in (plain, plain.removesuffix(" Council").removesuffix(" City").removesuffix(" County")):
        try:
            area = find_area(words)
        except UnknownAreaError:
            continue
        if area.level == "Local authority":
            return area.code
    return None
