"""Screen files, and load them into a store. The two public actions on pupil-level input."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from attendance_toolkit.errors import ScreeningError, UnknownAreaError, UnreadableFileError
from attendance_toolkit.loaders._run import Asked, Run, workspace
from attendance_toolkit.schema.census import census_of
from attendance_toolkit.schema.findings import ScreeningReport
from attendance_toolkit.store.keys import key_id, read_or_make_key
from attendance_toolkit.store.store import Store
from attendance_toolkit.store.write import check_place, locked, manifest_for, write_load
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.calendar import parse_academic_year, show_academic_year


@dataclass(frozen=True)
class LoadResult:
    """What a load did. ``rows_in`` = ``rows_loaded`` + ``rows_quarantined``, counted in rows of pupils, or of marks."""

    store: Path
    rows_in: int
    rows_loaded: int
    rows_quarantined: int
    report: ScreeningReport
    manifest: dict

    def to_text(self) -> str:
        """Return the result as a person reads it."""
        years = ", ".join(
            show_academic_year(y) for y in sorted({p["academic_year"] for p in self.manifest["partitions"]})
        )
        return (
            f"{self.rows_in:,} rows read: {self.rows_loaded:,} loaded, {self.rows_quarantined:,} set aside."
            f" The store holds {years or 'no year'}."
        )


def screen_files(
    paths: str | Path | Iterable[str | Path],
    *,
    census: str | None = None,
    la: str = "",
    academic_year: str | int | None = None,
    headers: str | Path | None = None,
    memory_limit: str | None = None,
) -> ScreeningReport:
    """Screen files and folders without loading them.

    Parameters
    ----------
    paths
        Files of any kind, or folders of them, in any order: several returns, terms and years at once.
    census
        The census of the returns that do not say it themselves, such as "autumn 2024".
    la
        DfE code or name of the authority, for files that name a school by four digits only.
    academic_year
        For portal downloads, which do not say their year.
    headers
        File with the user's own map of the headers of portal downloads.
    memory_limit
        Most memory to use, such as "2GB"; more is spilt to a private temporary folder.

    Returns
    -------
    The findings by stage. A stage with a blocking finding is the last one of its return.

    Raises
    ------
    VocabularyError
        ``census`` is not a census.
    """
    with workspace(memory_limit) as (con, private):
        run = Run(con, private, _asked(census, la, academic_year, headers))
        run.screen(_as_paths(paths))
        return run.report


def load_files(
    paths: str | Path | Iterable[str | Path],
    store: str | Path | Store,
    *,
    key_file: str | Path,
    is_synthetic: bool = False,
    census: str | None = None,
    la: str = "",
    academic_year: str | int | None = None,
    headers: str | Path | None = None,
    memory_limit: str | None = None,
) -> LoadResult:
    """Screen files and load what is usable into a store, which is changed at once or not at all.

    Loading a return again replaces it, school by school and census by census; returns may come in any order
    and over several calls.

    Parameters
    ----------
    paths, census, la, academic_year, headers, memory_limit
        As in ``screen_files``.
    store
        The folder of the store, made when it does not exist.
    key_file
        File with the key that turns UPNs into pseudonyms, made on first use; it must lie outside the store.
    is_synthetic
        Whether the pupils are made up. Extracts of fictitious authorities are always taken as synthetic.

    Returns
    -------
    The counts, the screening report and the new manifest.

    Raises
    ------
    UnreadableFileError
        A file could not be read at all.
    ScreeningError
        A blocking finding; ``error.report`` holds all findings. The store is as it was.
    StoreError
        The store or the key cannot be used.
    """
    root = store.path if isinstance(store, Store) else Path(store)
    if isinstance(store, Store):
        store.close()
    asked = _asked(census, la, academic_year, headers)
    check_place(root)
    key = read_or_make_key(Path(key_file), root)
    with workspace(memory_limit) as (con, private):
        run = Run(con, private, asked, key=key)
        run.screen(_as_paths(paths), root)
        _refuse(run.report)
        run.check_pseudonyms()
        synthetic = run.is_synthetic(is_synthetic)
        with locked(root):
            manifest = manifest_for(root, key=key_id(key), is_synthetic=synthetic)
            new = write_load(
                con,
                root,
                manifest,
                replaced=run.replaced,
                loads=run.entries,
                aside=run.aside,
                screening=run.report.to_dict(),
                schools_listed=pd.concat(run.schools) if run.schools else None,
                key=key,
            )
    return LoadResult(
        root,
        sum(c.rows_in for c in run.pupil_counts),
        sum(c.rows_loaded for c in run.pupil_counts),
        sum(c.rows_quarantined for c in run.pupil_counts),
        run.report,
        new,
    )


def _refuse(report: ScreeningReport) -> None:
    """Raise the error of a report that must not be loaded."""
    blocking = [f for f in report.sorted_findings() if f.severity == "blocking"]
    if not blocking:
        return
    more = f" ({len(blocking) - 1} more; attendance screen lists them all.)" if len(blocking) > 1 else ""
    kind = UnreadableFileError if report.is_unreadable else ScreeningError
    error = kind(f"Nothing was loaded. {blocking[0]}{more}")
    error.report = report  # type: ignore[union-attr]
    raise error


def _as_paths(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(p) for p in paths]


def _asked(census: str | None, la: str, academic_year: str | int | None, headers: str | Path | None) -> Asked:
    area = find_area(la) if la else None
    if area is not None and not area.dfe_code:
        raise UnknownAreaError(f"'{la}' is not a local authority. Give the name or DfE code of one.")
    return Asked(
        census_of(census) if census else None,
        area.dfe_code if area else "",
        parse_academic_year(academic_year) if academic_year else None,
        Path(headers) if headers else None,
    )
