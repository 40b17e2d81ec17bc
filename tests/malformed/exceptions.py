"""Where the law is not asked for: spoilt files that are other good files, and defects that are known."""

from __future__ import annotations

_DROPPED = ("first_column_dropped", "second_column_dropped", "last_column_dropped", "number_column_dropped",
            "key_column_dropped", "code_column_dropped")  # fmt: skip
_BLANK = ("number_blank", "code_blank", "code_column_blank")
#: Why -> input -> mutations after which the numbers may be others with nothing said: nobody could tell.
ANOTHER_GOOD_FILE: dict[str, dict[str, tuple[str, ...]]] = {
    "a blank is a figure that is not given, and stays unknown": {
        "census_pupils": ("code_blank", "code_column_blank"),
        "census_flat": ("code_blank", "code_column_blank"),
        "pupil_flags": ("number_blank",),
        "portal_groups": _BLANK,
        "portal_schools": _BLANK,
        "portal_years": _BLANK,
        "published_attendance": _BLANK,
        "published_series": _BLANK,
        "schools": _BLANK,
    },
    "1,234 is another number, rightly written": dict.fromkeys(
        ("portal_groups", "portal_schools", "schools"), ("number_with_comma",)
    ),
    "TRUE means Yes": {"pupil_flags": ("number_true",)},
    "a number that lost its last digits is a number": dict.fromkeys(
        ("published_attendance", "portal_schools"), ("cut_in_the_last_row",)
    ),
    "the rows that are left are whole": dict.fromkeys(
        ("portal_years", "published_bands", "published_series"), ("cut_in_half",)
    ),
    "a table may have fewer columns": {
        "portal_groups": _DROPPED,
        "portal_schools": _DROPPED,
        "portal_years": _DROPPED,
        "published_attendance": ("last_column_dropped",),
        "pupil_flags": ("last_column_dropped", "number_column_dropped"),
        "register_wide": ("last_column_dropped", "number_column_dropped", "code_column_dropped"),
        "schools": (*_DROPPED, "number_column_renamed", "key_column_renamed", "code_column_renamed"),
    },
    "a school goes by its name, which may be anything": {
        "portal_schools": ("stray_quote", "cells_merged", "key_blank", "key_column_blank"),
    },
}
_HEADER_ONLY = "a table with a header and no rows is taken for one that says nothing, without a finding"
#: (input, mutation) -> what is wrong in the reader. Take an entry out when it is put right.
KNOWN_DEFECTS: dict[tuple[str, str], str] = {}


def may_differ(name: str, mutation: str) -> bool:
    """Return whether a spoilt file of an input is another good one."""
    return any(mutation in inputs.get(name, ()) for inputs in ANOTHER_GOOD_FILE.values())
