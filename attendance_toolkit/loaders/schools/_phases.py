"""The phase of a school from DfE's words, its type or its ages."""

from __future__ import annotations

from functools import cache

from attendance_toolkit.vocabulary._reference import read_reference


def _plain(text: str) -> str:
    return " ".join(text.replace("-", " ").split()).casefold()


@cache
def _words() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {"phase": {}, "type": {}}
    for row in read_reference("school_phases.csv"):
        found[row["column"]][_plain(row["word"])] = row["phase"]
    return found


def is_phase_word(text: str) -> bool:
    """Whether a word for a phase is one of those known.

    >>> is_phase_word("Middle deemed primary"), is_phase_word("Upper")
    (True, False)
    """
    return _plain(text) in _words()["phase"]


def phase_of(word: str, types: tuple[str, ...], low: int | None, high: int | None) -> tuple[str, str]:
    """Return the phase of a school and what it was told from.

    Special schools and alternative provision are told by their type before their phase, which GIAS has as
    "Not applicable". Middle schools are what DfE deems them, all-through schools count as secondary. Without a
    word the statutory ages tell: the phase most years of age 5 to 15 belong to (primary to 10, secondary from
    11), and secondary if both have as many or the school is all-through (from below 7 to above 14).

    Parameters
    ----------
    word
        The phase as the list has it, "" if it has none.
    types
        Type of establishment and its group, as far as the list has them.
    low, high
        Statutory ages; ``high`` is the age of the oldest pupils at the end of their last year.

    >>> phase_of("Not applicable", ("Community special school",), 4, 19), phase_of("All-through", (), 3, 18)
    (('Special', 'Community special school'), ('Secondary', 'All-through'))
    >>> phase_of("", ("Academies",), 9, 13), phase_of("", (), 8, 12), phase_of("", (), 4, 11)
    (('Secondary', 'ages 9 to 13'), ('Primary', 'ages 8 to 12'), ('Primary', 'ages 4 to 11'))
    >>> phase_of("", ("Other independent school",), 4, 11), phase_of("Upper", (), 11, 16), phase_of("", (), 16, 19)
    (('Unknown', 'Other independent school'), ('Unknown', 'Upper'), ('Unknown', ''))
    """
    known = [(text, _words()["type"].get(_plain(text))) for text in types if text]
    for text, phase in known:
        if phase in ("Special", "Pupil referral unit"):
            return phase, text
    if word:
        return _words()["phase"].get(_plain(word), "Unknown"), word
    for text, phase in known:
        if phase == "Unknown":
            return phase, text
    if low is None or high is None:
        return "Unknown", ""
    primary = len(range(max(low, 5), min(high, 11)))
    secondary = len(range(max(low, 11), min(high, 16)))
    if not primary and not secondary:
        return "Unknown", ""
    is_all_through = low < 7 and high > 14
    return ("Primary" if primary > secondary and not is_all_through else "Secondary"), f"ages {low} to {high}"
