"""Write a cohort as the table-per-CSV school-census files an authority handles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from attendance_toolkit.loaders.synthetic._attendance import possible_sessions
from attendance_toolkit.loaders.synthetic._cohort import SyntheticCohort
from attendance_toolkit.loaders.synthetic._parameters import (
    AUTHORISED,
    CODES,
    COLUMN,
    SLOTS,
    UNAUTHORISED,
    Array,
    calendar,
    parameters,
)
from attendance_toolkit.loaders.synthetic._social_care_lists import social_care_columns

_COLLECTION_TERM = {"autumn": "AUT", "spring": "SPR", "summer": "SUM"}
_ORDER = {"spring": 0, "summer": 1, "autumn": 2}
_OPTIONS = pa_csv.WriteOptions(include_header=False, quoting_style="none", batch_size=16384)
_FIRST_DAY = np.datetime64("1990-01-01")
_DAY_TEXT = pa.array(
    pd.date_range("1990-01-01", "2030-12-31").strftime("%Y-%b-%d 00:00:00").to_numpy(dtype=object), pa.string()
)
_CODE_TEXT = pa.array(CODES)


@dataclass(frozen=True)
class _Return:
    """One census return: when it is taken and which half terms it carries."""

    year: int
    term: str
    carries: tuple[tuple[int, str], ...]
    """(academic year, half term) of the sessions: one for the term, a second one for summer half term 2."""

    @property
    def academic_start(self) -> int:
        """Calendar year in which the academic year of the census day begins."""
        return self.year if self.term == "autumn" else self.year - 1


def _returns(years: tuple[int, ...]) -> list[_Return]:
    found = {(years[0] // 100, "autumn"): _Return(years[0] // 100, "autumn", ())}
    for year in years:
        end = year // 100 + 1
        found[(end, "spring")] = _Return(end, "spring", ((year, "1-2"),))
        found[(end, "summer")] = _Return(end, "summer", ((year, "3-4"),))
        found[(end, "autumn")] = _Return(end, "autumn", ((year, "5"), (year, "6")))
    return sorted(found.values(), key=lambda r: (r.year, _ORDER[r.term]))


@dataclass
class _Authority:
    """Enrolments of one authority, sorted by school and pupil, with what the returns say about them."""

    laestab: Array
    is_academy: Array
    pupil: pd.DataFrame
    entry: Array
    leaving: Array
    subsidiary: Array
    dual_entry: Array
    """Start and end of a dual registration elsewhere, NaT for none."""
    dual_leaving: Array
    position: Array
    """Position of each enrolment of the cohort among these, -1 for none."""


def write_census_files(cohort: SyntheticCohort, folder: Path | str) -> list[Path]:
    """Write every return of every authority in the cohort, and return the paths.

    One return is a set of files with the prefix ``<dfe code>_<year>_<term>_<la|academy>_``; the term is the
    one of the census day, so the sessions are those of the term before. ``<dfe code>_pupil_flags.csv`` holds
    which pupils are looked after, have a social worker, are on a protection plan or are young carers, and who looks after
    them, which the census does not carry.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    enrolment = cohort.sessions["enrolment"].to_numpy()
    marks = cohort.sessions[list(CODES)].to_numpy()
    # Sessions are in the order of time, so a half term is a slice.
    time = cohort.sessions["academic_year"].to_numpy() * 10 + cohort.sessions["half_term"].cat.codes.to_numpy()
    for area in cohort.areas:
        mine = _authority(cohort, area.dfe_code)
        for sent in _returns(cohort.years):
            blocks = []
            for year, half in sent.carries:
                key = year * 10 + SLOTS.index(half)
                low, high = np.searchsorted(time, [key, key + 1])
                rows = low + np.flatnonzero(mine.position[enrolment[low:high]] >= 0)
                row_of = np.full(len(mine.laestab), -1, np.int64)
                row_of[mine.position[enrolment[rows]]] = rows
                blocks.append(row_of)
            paths += _write_return(target, area.dfe_code, cohort, mine, sent, blocks, marks)
        paths.append(_write_flags(target, area.dfe_code, cohort, mine))
    return paths


def _authority(cohort: SyntheticCohort, dfe_code: str) -> _Authority:
    stays = cohort.enrolments
    laestab = stays["laestab"].to_numpy()
    inside = np.flatnonzero(laestab // 10000 == int(dfe_code))
    pupil = stays["pupil"].to_numpy()
    identity = cohort.pupils["pupil_id"].to_numpy()
    order = inside[np.lexsort((stays["entry_date"].to_numpy()[inside], identity[pupil[inside]], laestab[inside]))]
    position = np.full(len(stays), -1, np.int64)
    position[order] = np.arange(len(order))
    academies = cohort.schools["laestab"].to_numpy()[cohort.schools["is_academy"].to_numpy()]
    entry = stays["entry_date"].to_numpy().astype("datetime64[D]")
    leaving = stays["leaving_date"].to_numpy().astype("datetime64[D]")
    subsidiary = stays["is_subsidiary"].to_numpy()
    begin = np.full(len(cohort.pupils), np.datetime64("NaT"), "datetime64[D]")
    stop = begin.copy()
    begin[pupil[subsidiary]], stop[pupil[subsidiary]] = entry[subsidiary], leaving[subsidiary]
    return _Authority(
        laestab=laestab[order],
        is_academy=np.isin(laestab[order], academies),
        pupil=cohort.pupils.take(pupil[order]),
        entry=entry[order],
        leaving=leaving[order],
        subsidiary=subsidiary[order],
        dual_entry=begin[pupil[order]],
        dual_leaving=stop[pupil[order]],
        position=position,
    )


def _share(identity: Array, salt: int) -> Array:
    """Return a number from 0 to 1 that depends on the pupil and the salt only."""
    x = identity.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt * 0xBF58476D1CE4E5B9 % 2**64)
    x ^= x >> np.uint64(31)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(29)
    found: Array = x.astype(np.float64) / 2.0**64
    return found


def _days(values: Array) -> pa.Array:
    index = (values.astype("datetime64[D]") - _FIRST_DAY).astype(np.int64)
    return _DAY_TEXT.take(pa.array(index, mask=np.isnat(values)))


def _levels(values: pd.Series, blank: Array | None = None) -> pa.Array:
    codes = values.cat.codes.to_numpy().astype(np.int64)
    mask = codes < 0 if blank is None else (codes < 0) | blank
    return pa.array(values.cat.categories.to_numpy(dtype=object), pa.string()).take(pa.array(codes, mask=mask))


def _constant(text: str | None, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), count)


def _write(path: Path, columns: dict[str, pa.Array]) -> Path:
    with path.open("wb") as handle:
        handle.write((",".join(columns) + "\n").encode())
        pa_csv.write_csv(pa.table(columns), handle, _OPTIONS)
    return path


def _totals(row_of: Array, marks: Array, covid: bool, prefix: str) -> dict[str, pa.Array]:
    missing = row_of < 0
    here = marks[np.where(missing, 0, row_of)] if len(marks) else np.zeros((len(row_of), len(CODES)), np.uint8)
    return {
        f"{prefix}possible": pa.array(possible_sessions(here, covid), mask=missing),
        f"{prefix}authorised": pa.array(here[:, AUTHORISED].sum(1, dtype=np.int32), mask=missing),
        f"{prefix}unauthorised": pa.array(here[:, UNAUTHORISED].sum(1, dtype=np.int32), mask=missing),
    }


def _write_return(
    folder: Path,
    dfe_code: str,
    cohort: SyntheticCohort,
    mine: _Authority,
    sent: _Return,
    blocks: list[Array],
    marks: Array,
) -> list[Path]:
    day = calendar().census[(sent.year, sent.term)]
    here = (mine.entry <= day) & (np.isnat(mine.leaving) | (mine.leaving >= day))
    gone = mine.leaving < day
    carried = np.zeros(len(mine.laestab), bool)
    for row_of in blocks:
        carried |= row_of >= 0
    gone &= carried
    paths = []
    for academy in (False, True):
        schools = cohort.schools[(cohort.schools["dfe_code"] == dfe_code) & (cohort.schools["is_academy"] == academy)]
        if schools.empty:
            continue
        sector = "academy" if academy else "la"
        prefix = f"{dfe_code}_{sent.year}_{sent.term}_{sector}"
        paths += _write_schools(folder, prefix, schools, sent, day)
        on = np.flatnonzero(here & (mine.is_academy == academy))
        off = np.flatnonzero(gone & (mine.is_academy == academy))
        for rows, is_on in ((on, True), (off, False)):
            # The first return carries no sessions, so nobody who left is in it.
            if not is_on and not sent.carries:
                continue
            paths += _write_roll(folder, prefix, mine, rows, sent, blocks, marks, on_roll=is_on, day=day)
    return paths


def _write_schools(folder: Path, prefix: str, schools: pd.DataFrame, sent: _Return, day: np.datetime64) -> list[Path]:
    native = pa.array(schools["laestab"].to_numpy())
    count = len(schools)
    return [
        _write(
            folder / f"{prefix}_school.csv",
            {
                "nativeid": native,
                "laestab": native,
                "urn": pa.array(schools["urn"].to_numpy()),
                "schoolname": pa.array(schools["school_name"].to_numpy(dtype=object), pa.string()),
                "phase": _levels(schools["phase"]),
            },
        ),
        _write(
            folder / f"{prefix}_schoolcensus.csv",
            {
                "nativeid": native,
                "collection": _constant("SC", count),
                "term": _constant(_COLLECTION_TERM[sent.term], count),
                "year": pa.array(np.full(count, sent.year)),
                "referencedate": _days(np.full(count, day)),
            },
        ),
    ]


def _write_roll(
    folder: Path,
    prefix: str,
    mine: _Authority,
    rows: Array,
    sent: _Return,
    blocks: list[Array],
    marks: Array,
    *,
    on_roll: bool,
    day: np.datetime64,
) -> list[Path]:
    missing = parameters()["missing"]
    count = len(rows)
    pupil = mine.pupil.iloc[rows]
    identity = pupil["pupil_id"].to_numpy()
    salt = sent.year * 10 + _ORDER[sent.term]
    key = "pupilonrolltableid" if on_roll else "pupilnolongeronrolltableid"
    number = pa.array(np.arange(1, count + 1))
    native = pa.array(mine.laestab[rows])
    entry, leaving = mine.entry[rows], mine.leaving[rows]
    if on_roll:
        start = np.full(count, sent.academic_start)
        main = (mine.dual_entry[rows] <= day) & (mine.dual_leaving[rows] >= day)
    else:
        # The academic year of the last day on roll.
        months = leaving.astype("datetime64[M]").astype(np.int64)
        start = 1970 + (months - 7) // 12
        main = (mine.dual_entry[rows] <= leaving) & (mine.dual_leaving[rows] >= leaving)
    group = np.clip(start - pupil["reception_year"].to_numpy(), 0, 11)
    group_text = pa.array(["R", *(str(k) for k in range(1, 12))])
    status = np.where(mine.subsidiary[rows], 2, np.where(main, 1, 0))
    blank_group = _share(identity, salt + 1) < missing["nc_year_blank"]
    blank_sen = _share(identity, salt + 2) < missing["sen_blank_one_return"]
    former = pupil["former_upn"].to_numpy(dtype=object)
    columns: dict[str, pa.Array] = {
        key: number,
        "nativeid": native,
        "upn": pa.array(pupil["upn"].to_numpy(dtype=object), pa.string()),
        "formerupn": pa.array(former, pa.string(), mask=former == ""),
        "surname": _constant("Synthetic", count),
        "forename": _constant("Pupil", count),
        "dob": _days(pupil["birth_date"].to_numpy()),
        ("sex" if (sent.year, _ORDER[sent.term]) >= (2023, _ORDER["summer"]) else "gender"): _levels(pupil["sex"]),
        "entrydate": _days(entry),
    }
    if not on_roll:
        columns["leavingdate"] = _days(leaving)
    columns |= {
        "enrolstatus": pa.array(["C", "M", "S"]).take(pa.array(status)),
        "boarder": pa.array(["N", "B"]).take(pa.array(pupil["is_boarder"].to_numpy().astype(np.int64))),
        ("ncyearactual" if on_roll else "ncyearleaving"): group_text.take(
            pa.array(group.astype(np.int64), mask=blank_group)
        ),
        "senprovision": _levels(pupil["sen_recorded"], blank_sen),
        "language": _levels(pupil["language"]),
    }
    if sent.term == "spring":
        columns["ethnicity"] = _levels(pupil["ethnicity_recorded"])
    covid = sent.year == 2022 and sent.term != "autumn"
    absent = np.full(count, -1, np.int64)
    first = blocks[0][rows] if blocks else absent
    columns |= _totals(first, marks, covid, "termlysessions")
    if sent.term == "autumn":
        second = blocks[1][rows] if blocks else absent
        columns |= _totals(second, marks, covid, "summerhalfterm2sessions")
    table = "pupilonroll" if on_roll else "pupilnolongeronroll"
    paths = [_write(folder / f"{prefix}_{table}.csv", columns)]

    suffix = "onroll" if on_roll else "offroll"
    for table, row_of in zip(("termlysessiondetails", "summerhalfterm2sessiondetails"), blocks, strict=False):
        found = np.flatnonzero(row_of[rows] >= 0)
        detail = marks[row_of[rows[found]]]
        unclassified = np.flatnonzero(_share(identity[found], salt + 3) < missing["unclassified_rows"])
        detail[unclassified, COLUMN["O"]] = 0
        detail[unclassified, COLUMN["C"]] = 0
        at, code = np.nonzero(detail)
        which = pa.array(found[at])
        paths.append(
            _write(
                folder / f"{prefix}_{table}{suffix}.csv",
                {
                    "nativeid": native.take(which),
                    key: number.take(which),
                    "attendancereason": _CODE_TEXT.take(pa.array(code)),
                    "sessions": pa.array(detail[at, code]),
                },
            )
        )
    if on_roll:
        begin = pupil["fsm_start"].to_numpy().astype("datetime64[D]")
        stop = pupil["fsm_end"].to_numpy().astype("datetime64[D]")
        found = np.flatnonzero(~np.isnat(begin) & (begin <= day) & pupil["fsm_recorded"].to_numpy())
        which = pa.array(found)
        paths.append(
            _write(
                folder / f"{prefix}_{'fsmperiodsonroll' if sent.term == 'autumn' else 'fsmperiod'}.csv",
                {
                    "nativeid": native.take(which),
                    key: number.take(which),
                    "fsmstartdate": _days(begin[found]),
                    "fsmenddate": _days(stop[found]),
                    "ukcountry": _constant("ENG", len(found)),
                },
            )
        )
    return paths


def _write_flags(folder: Path, dfe_code: str, cohort: SyntheticCohort, mine: _Authority) -> Path:
    """Write which pupils of each year are looked after or have a social worker, and what else social care knows of them."""
    parts = []
    for year in cohort.years:
        start, end = np.datetime64(f"{year // 100}-08-01"), np.datetime64(f"{year // 100 + 1}-07-31")
        here = np.flatnonzero((mine.entry <= end) & (np.isnat(mine.leaving) | (mine.leaving >= start)))
        _, first = np.unique(mine.pupil["pupil_id"].to_numpy()[here], return_index=True)
        pupil = mine.pupil.iloc[here[first]]
        yes = pa.array(["No", "Yes"])
        parts.append(
            pa.table(
                {
                    "upn": pa.array(pupil["upn"].to_numpy(dtype=object), pa.string()),
                    "academic_year": pa.array(np.full(len(pupil), year)),
                    "looked_after": yes.take(pa.array(pupil["is_looked_after"].to_numpy().astype(np.int64))),
                    "social_worker": yes.take(pa.array(pupil["has_social_worker"].to_numpy().astype(np.int64))),
                    **{
                        name: pa.array(values, pa.string())
                        for name, values in social_care_columns(cohort, year, pupil).items()
                    },
                }
            )
        )
    table = pa.concat_tables(parts)
    return _write(folder / f"{dfe_code}_pupil_flags.csv", {name: table[name] for name in table.column_names})
