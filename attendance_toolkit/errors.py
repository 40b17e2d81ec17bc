"""Every error a user can meet: one sentence each, one exit code each, never a pupil in the text."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AttendanceError(Exception):
    """Base class. ``str(error)`` is the sentence shown to the user."""

    exit_code = 1


class UnknownAreaError(AttendanceError):
    """An area name or code is not in the input or not in the reference table."""

    exit_code = 3


class UnknownColumnError(AttendanceError):
    """A grouping column is not in the table."""

    exit_code = 4


class ParameterError(AttendanceError):
    """A notebook parameter is misspelt, missing or of the wrong type."""

    exit_code = 5


class NoDataError(AttendanceError):
    """The input holds nothing for the area, year or group asked for."""

    exit_code = 6


class UnreadableFileError(AttendanceError):
    """A file could not be read at all: encoding, delimiter, empty, unknown layout."""

    exit_code = 2


class ScreeningError(AttendanceError):
    """Blocking findings stop a file from being loaded."""

    exit_code = 1


class StoreError(AttendanceError):
    """The store is missing, damaged or of another version."""

    exit_code = 7


class DisclosureError(AttendanceError):
    """A figure that has not been cleared was about to be shown to a partner."""

    exit_code = 8


class ReportError(AttendanceError):
    """A notebook failed, or the finished page did not pass its own checks."""

    exit_code = 9


class VocabularyError(AttendanceError):
    """A value is not in the vocabulary: year, term, code, symbol."""

    exit_code = 10


class SeriesBreakError(AttendanceError):
    """Two figures are of different series, periods or definitions and are not to be compared."""

    exit_code = 11


class FetchError(AttendanceError):
    """Nothing could be fetched: no network, an answer that is an error, or an answer that is not whole."""

    exit_code = 12


def did_you_mean(value: str, allowed: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest allowed value, or an empty string.

    >>> did_you_mean("Traford", ["Trafford", "Salford"])
    " Did you mean 'Trafford'?"
    >>> did_you_mean("zzzz", ["Trafford"])
    ''
    """
    choices = {str(a).casefold(): str(a) for a in allowed}
    near = difflib.get_close_matches(str(value).casefold(), list(choices), n=1, cutoff=0.6)
    return f" Did you mean '{choices[near[0]]}'?" if near else ""
