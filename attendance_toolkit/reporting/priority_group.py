"""Who is to be followed: the pupils of lists made before, or of a group of supported pupils in the store."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from attendance_toolkit.errors import NoDataError, ParameterError, UnreadableFileError, did_you_mean
from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders._table_rows import table_rows
from attendance_toolkit.loaders._text import NotReadableError, clean_header
from attendance_toolkit.reporting.list_writing import SUMMARY, store_key
from attendance_toolkit.store import Store
from attendance_toolkit.store.keys import pseudonyms
from attendance_toolkit.vocabulary.calendar import show_academic_year

_PUPIL, _UPN = "pupil", frozenset({"upn", "uniquepupilnumber", "pupilupn"})
#: A header further down than this is not looked for.
_MOST_ABOVE = 40
_KEY_NEEDED = "The lists have UPNs, and telling whose they are needs the key the store was made with: give its file."


@dataclass(frozen=True)
class Group:
    """Pupils to follow.

    Attributes
    ----------
    name
        What they are called.
    pupils
        Their pseudonyms.
    without
        Rows that do not say which pupil they are of.
    """

    name: str
    pupils: frozenset[int]
    without: int = 0


def group_of_files(files: Sequence[str | Path], store: Store, key_file: str | Path | None) -> Group:
    """Return the pupils of lists: files of ours, or any with a column of UPNs; or folders of them.

    Raises
    ------
    ParameterError
        A file names no pupil, or has UPNs and there is no key.
    StoreError
        The key is not the one the store was made with.
    UnreadableFileError
        A file cannot be read.
    """
    known, upns, without = set[int](), set[str](), 0
    for path in map(Path, files):
        inside = list(_inside(path)) if path.is_dir() else [path]
        found = [pupils for one in inside if (pupils := _pupils_of(one)) is not None]
        # "list/*.csv" takes the summary along, which is not of pupils.
        if not found and (path.stem != SUMMARY or len(files) == 1):
            raise ParameterError(
                f"'{path.name}' names no pupil: it needs a column 'Pupil' of pseudonyms, as lists of this toolkit have, or one"
                " 'UPN'. Give the list as it was written, or a table of UPNs."
            )
        for one in found:
            known |= one.known
            upns |= one.upns
            without += one.without
    if upns:
        known |= set(pseudonyms(sorted(upns), store_key(store, key_file, _KEY_NEEDED)))
    if not known:
        raise ParameterError("The files given have no row of a pupil. Give the lists as they were written.")
    return Group("the pupils of the lists given", frozenset(known), without)


def group_of_support(store: Store, name: str, years: Sequence[int]) -> Group:
    """Return the pupils of a group of supported pupils, in any of some academic years.

    Raises
    ------
    NoDataError
        The store has no such group; the message names those it has.
    """
    listed = store.support_groups().df()
    of_years = listed[listed["academic_year"].isin(years)]
    found = of_years[of_years["support_group"].str.casefold() == " ".join(name.split()).casefold()]
    if found.empty:
        shown = " and ".join(show_academic_year(year) for year in years)
        names = sorted(of_years["support_group"].unique())
        has = f" It has: {', '.join(names)}." if names else " Load a list of supported pupils with attendance load."
        raise NoDataError(
            f"The store has no group of supported pupils named '{name}' in {shown}.{did_you_mean(name, names)}{has}"
        )
    return Group(str(found["support_group"].iloc[0]), frozenset(int(upn) for upn in found["upn"]))


def _inside(folder: Path) -> Iterator[Path]:
    """Yield the tables of a folder; not a workbook that is there as CSV as well."""
    for path in sorted(folder.rglob("*")):
        ending = path.suffix.lower()
        if ending == ".csv" or (ending == ".xlsx" and not path.with_suffix(".csv").is_file()):
            yield path


@dataclass(frozen=True)
class _Pupils:
    known: frozenset[int]
    upns: frozenset[str]
    without: int


def _pupils_of(path: Path) -> _Pupils | None:
    """Return the pupils of one file; None when it has no column that says who they are."""
    rows = rows_of(path)
    header = pupil_header(rows[:_MOST_ABOVE])
    if header is None:
        return None
    top, column, is_upn = header
    cells = [row[column].strip() if len(row) > column else "" for row in rows[top + 1 :]]
    filled = [cell for cell in cells if cell]
    if is_upn:
        return _Pupils(frozenset(), frozenset(cell.upper() for cell in filled), len(cells) - len(filled))
    numbers = [int(cell) for cell in filled if re.fullmatch(r"\d{1,19}", cell)]
    return _Pupils(frozenset(numbers), frozenset(), len(cells) - len(numbers))


def rows_of(path: Path) -> list[list[str]]:
    """Return the rows of a table as text.

    Raises
    ------
    UnreadableFileError
        The file cannot be read.
    """
    try:
        return [cells for _, cells in table_rows(look(path))]
    except NotReadableError as error:
        place = f", row {error.row}" if error.row else ""
        raise UnreadableFileError(f"{path.name}{place}: {error.says} {error.fix}") from None


def pupil_header(rows: Sequence[Sequence[str]]) -> tuple[int, int, bool] | None:
    """Return row and column of the header that says who pupils are, and whether it is of UPNs.

    The last such row counts: above a list of pseudonyms a row "Pupil" says what they are.
    """
    for top in range(len(rows) - 1, -1, -1):
        names = [re.sub(r"[^a-z]", "", clean_header(cell)) for cell in rows[top]]
        for column, name in enumerate(names):
            if name in _UPN:
                return top, column, True
        if _PUPIL in names:
            return top, names.index(_PUPIL), False
    return None
