"""Write a cohort as registers of marks, as management information systems export them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.loaders.synthetic._cohort import SyntheticCohort
from attendance_toolkit.loaders.synthetic._marks import spread_marks
from attendance_toolkit.loaders.synthetic._parameters import Array

_SHAPES = ("long", "wide")
_FORMATS = ("csv", "csv.gz", "parquet", "xlsx")


def write_register_files(
    cohort: SyntheticCohort, folder: Path | str, shape: str = "long", format: str = "csv"
) -> list[Path]:
    """Write the marks of each authority and academic year of a cohort, and return the paths.

    Parameters
    ----------
    cohort
        A small cohort: a sample of one authority has two million marks a year.
    folder
        Where to write ``<dfe code>_<year>_register.<format>``.
    shape
        "long", a row for each mark, or "wide", a column for each session.
    format
        "csv", "csv.gz", "parquet" or "xlsx" (which needs openpyxl).

    Raises
    ------
    ParameterError
        A shape or format of another name.
    """
    if shape not in _SHAPES or format not in _FORMATS:
        raise ParameterError(
            f"A register is written as {' or '.join(_SHAPES)}, in {', '.join(_FORMATS)}; not as '{shape}' in '{format}'."
        )
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    marks = spread_marks(cohort)
    # Texts are made once for each stay: a register has hundreds of marks of it.
    pupils = cohort.pupils.take(cohort.enrolments["pupil"].to_numpy())
    stays = pd.DataFrame({
        "UPN": pupils["upn"].to_numpy(object), "DfE Number": cohort.enrolments["laestab"].to_numpy(),
        "Date of Birth": pupils["birth_date"].dt.strftime("%d/%m/%Y").to_numpy(object),
        "Sex": pupils["sex"].astype("str").to_numpy(object),
        "SEN Status": pupils["sen_recorded"].astype("str").fillna("").to_numpy(object),
    })  # fmt: skip
    table = stays.take(marks["enrolment"].to_numpy()).reset_index(drop=True)
    table["Date"], table["Session"] = marks["date"].to_numpy(), marks["session"].to_numpy()
    table["Mark"], table["year"] = marks["code"].to_numpy(), marks["academic_year"].to_numpy()
    paths = []
    for (dfe_code, year), part in table.groupby([table["DfE Number"] // 10000, "year"], sort=True):
        part = part.drop(columns="year")
        path = target / f"{dfe_code}_{year}_register.{format}"
        _write(_wide(part) if shape == "wide" else part.assign(Date=_as_text(part["Date"])), path)
        paths.append(path)
    return paths


def _as_text(days: pd.Series) -> Array:
    """Return days as texts; each day is written once."""
    places, every = pd.factorize(days)
    found: Array = pd.Series(every).dt.strftime("%d/%m/%Y").to_numpy(object)[places]
    return found


def _wide(part: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each pupil and school, one column for each session."""
    column = part["Date"].dt.strftime("%a %d %b %Y ") + part["Session"].astype("str")
    order = part.assign(column=column).sort_values(["Date", "Session"])["column"].unique()
    keys = ["UPN", "DfE Number", "Date of Birth", "Sex", "SEN Status"]
    wide = part.assign(column=column, Mark=part["Mark"].astype("str")).pivot_table(
        index=keys, columns="column", values="Mark", aggfunc="first"
    )
    return wide[list(order)].reset_index().rename_axis(columns=None)


def _write(table: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".xlsx":
        table.to_excel(path, index=False)
        return
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    if path.suffix == ".parquet":
        pq.write_table(arrow, path)
        return
    with pa.output_stream(str(path), compression="gzip" if path.suffix == ".gz" else None) as out:
        pa_csv.write_csv(arrow, out)
