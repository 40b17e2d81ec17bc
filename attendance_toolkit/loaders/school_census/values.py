"""Read the distinct codes, dates, numbers, schools and UPNs of the pupil rows."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from attendance_toolkit.loaders._values import DATE_FINDINGS, laestab_of, parse_date, parse_whole, show
from attendance_toolkit.loaders.school_census.work import CODED, DATES, PUPIL_COLUMNS, Stack, Work
from attendance_toolkit.schema.codes import CODE_LABELS, allowed_codes, level_of
from attendance_toolkit.schema.findings import IDENTIFYING_COLUMNS, mask
from attendance_toolkit.store.keys import check_upns, pseudonyms
from attendance_toolkit.vocabulary.areas import area_of_laestab


def _distinct(work: Work, column: str) -> list[str]:
    return [t for (t,) in work.all(f"SELECT DISTINCT {column} FROM raw_pupil WHERE {column} IS NOT NULL ORDER BY 1")]


def _places(work: Work, column: str, texts: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return (text, rows, first row) of some values of a column, apart for each file."""
    if not texts:
        return []
    work.map("asked", {"text": list(texts)}, {"text": pa.string()})
    rows = work.all(
        f"SELECT text, in_group, count(*), min(r.rowid) FROM raw_pupil r JOIN asked ON text = {column}"
        " GROUP BY 1, 2 ORDER BY 4"
    )
    return [(text, count, first) for text, _, count, first in rows]


def map_values(work: Work) -> None:
    """Read what each distinct text of a pupil row means, and report those that mean nothing."""
    for column, rule in CODED.items():
        texts = _distinct(work, column)
        # On and off the roll a column may have two names, never two code sets.
        levels = [level_of(PUPIL_COLUMNS[column][0], text) if text.strip() else None for text in texts]
        strange = [t for t, level in zip(texts, levels, strict=True) if level is None and t.strip()]
        for text, count, first in _places(work, column, strange):
            name = PUPIL_COLUMNS[column][0]
            work.draft_at(
                rule, work.pupils, first,
                f"'{show(text)}' is not a code for {CODE_LABELS[name]} in the {work.census.label} census.",
                column=column, value=show(text), count=count, allowed=allowed_codes(name),
                fix="It is read as Unknown.",
            )  # fmt: skip
        work.map(f"map_{column}", {"code": texts, "level": levels}, {"code": pa.string(), "level": pa.string()})
    _map_dates(work)
    _map_numbers(work)
    _map_schools(work)
    _map_upns(work)


def read_days(work: Work, texts: Sequence[str], *, is_birth: bool = False) -> tuple[list[date | None], dict[str, str]]:
    """Return the day of each text, and for those not written as in an extract how they are written."""
    parsed = [parse_date(text) for text in texts]
    seen = {style for _, style in parsed}
    # Day and month can only be told apart where some day is above 12 and no month is.
    is_clear = "day first" in seen and "month first" not in seen
    days: list[date | None] = []
    styles: dict[str, str] = {}
    for text, (day, style) in zip(texts, parsed, strict=True):
        if style == "month first" or (style == "unclear" and not is_clear):
            day, style = None, "unreadable"
        if is_birth and day and not 0 <= work.census.year - day.year <= 25:
            day, style = None, "unlikely"
        days.append(day)
        if style not in ("extract", "blank"):
            styles[text] = style
    return days, styles


def _map_dates(work: Work) -> None:
    for column in DATES:
        texts = _distinct(work, column)
        days, styles = read_days(work, texts, is_birth=column == "dob")
        work.map(f"map_{column}", {"code": texts, "day": days}, {"code": pa.string(), "day": pa.date32()})
        places = [(styles[text], text, count, first) for text, count, first in _places(work, column, list(styles))]
        report_dates(work, work.pupils, column, places)
    for count, first in work.all("SELECT count(*), min(rowid) FROM raw_pupil WHERE dob IS NULL GROUP BY in_group"):
        work.draft_at(
            "birth_blank", work.pupils, first, "there is no date of birth, so the pupil's age is unknown.",
            column="dob", count=count, fix="Pupils without an age are outside DfE's age range of 5 to 15.",
        )  # fmt: skip


def report_dates(work: Work, stack: Stack, column: str, places: list[tuple[str, str, int, int]]) -> None:
    """Report once for each file and way of writing; the first value stands for the others."""
    tally: dict[tuple[str, str], tuple[int, int, str]] = {}
    for style, text, count, first in places:
        at = (DATE_FINDINGS[style][0], stack.find(first)[0].file.name)
        old = tally.get(at, (0, first, text))
        tally[at] = (old[0] + count, *min((old[1], old[2]), (first, text)))
    styles = {text: style for style, text, _, _ in places}
    for (rule, _), (count, first, text) in tally.items():
        _, says, fix = DATE_FINDINGS[styles[text]]
        value = mask(text) if column in IDENTIFYING_COLUMNS else show(text)
        work.draft_at(rule, stack, first, says.format(value=value), column=column, value=value, count=count, fix=fix)


def number_columns(work: Work) -> list[str]:
    """Return the session columns of the census."""
    return [f"{c.item}{k}" for c in work.census.carries
            for k in ("possible", "authorised", "unauthorised", "coronavirus")]  # fmt: skip


def _map_numbers(work: Work) -> None:
    numbers: dict[str, int | None] = {}
    for column in number_columns(work):
        faults: dict[str, str] = {}
        for text in _distinct(work, column):
            numbers[text], fault = parse_whole(text)
            if fault in ("negative", "not number"):
                faults[text] = fault
        for text, count, first in _places(work, column, list(faults)):
            negative = faults[text] == "negative"
            work.draft_at(
                "sessions_negative" if negative else "sessions_not_number", work.pupils, first,
                f"'{show(text)}' is {'negative' if negative else 'not a whole number'}.",
                column=column, value=show(text), count=count, fix="The row is set aside.",
            )  # fmt: skip
        for text, fault in faults.items():
            rule = "sessions_negative" if fault == "negative" else "sessions_not_number"
            work.con.execute(
                f"INSERT INTO set_aside SELECT rowid, '{rule}' FROM raw_pupil WHERE {column} = $text",
                {"text": text},
            )
    work.map("map_number", {"code": list(numbers), "number": list(numbers.values())},
              {"code": pa.string(), "number": pa.int32()})  # fmt: skip


def _map_schools(work: Work) -> None:
    rows: dict[str, list] = {k: [] for k in ("return_number", "nativeid", "laestab", "la_code", "phase", "urn")}
    for number, native, count, first in work.all(
        "SELECT in_group // 2, nativeid, count(*), min(rowid) FROM raw_pupil GROUP BY 1, 2 ORDER BY 4"
    ):
        school = work.returns[number].schools.get(native or "") or work.schools.get(native or "") or {}
        laestab = laestab_of(school, native or "")
        area = area_of_laestab(laestab) if laestab else None
        if area is None:
            what = f"local authority {laestab // 10000} is not known" if laestab else "there is no LAESTAB for it"
            work.draft_at(
                "school_unknown", work.pupils, first,
                f"the school '{show(native or '')}' cannot be used: {what}.",
                column="nativeid", value=show(native or ""), count=count,
                fix="Add a school table with the seven-digit LAESTAB of each NativeId.",
            )  # fmt: skip
            laestab = None
        elif laestab:
            work.laestabs[number].add(laestab)
        phase_code = school.get("phase", "")
        phase = level_of("phase", phase_code) if phase_code else None
        urn, _ = parse_whole(school.get("urn", ""))
        row = (number, native, laestab, area.code if area else None, phase, urn)
        for name, value in zip(rows, row, strict=True):
            rows[name].append(value)
    types = {"return_number": pa.int32(), "nativeid": pa.string(), "laestab": pa.int32(), "la_code": pa.string(),
             "phase": pa.string(), "urn": pa.int32()}  # fmt: skip
    work.map("map_school", rows, types)
    for group in work.returns:
        if not group.schools and not work.schools:
            work.draft(
                "school_table_missing", group.tables[group.main_table],
                "the return has no school table, so the phase of every school is Unknown.",
                fix="Add the school table of the return.",
            )  # fmt: skip
        counted: dict[str, list[int]] = {}
        for school in group.schools.values() if "school" in group.tables else ():
            code = school.get("phase", "")
            if code and level_of("phase", code) is None:
                counted.setdefault(code, []).append(int(school["#record"]))
        for code, places in counted.items():
            work.draft(
                "phase_code", group.tables["school"], f"'{show(code)}' is not a code for {CODE_LABELS['phase']}.",
                record=min(places), column="phase", value=show(code), count=len(places),
                allowed=allowed_codes("phase"), fix="It is read as Unknown.",
            )  # fmt: skip


def _map_upns(work: Work) -> None:
    """Check each new UPN once, and give it its pseudonym when there is a key."""
    codes = [
        code
        for (code,) in work.all(
            "SELECT code FROM (SELECT DISTINCT upper(trim(upn)) AS code FROM raw_pupil WHERE upn IS NOT NULL)"
            " ANTI JOIN map_upn USING (code)"
        )
    ]
    states = check_upns(codes)
    good = np.flatnonzero(states == 0)
    pseudonym: list[int | None] = [None] * len(codes)
    if work.key is not None:
        for place, value in zip(good.tolist(), pseudonyms((codes[i] for i in good), work.key), strict=True):
            pseudonym[place] = value
    table = pa.table({"code": pa.array(codes, pa.string()), "state": pa.array(states, pa.int8()),
                      "pseudonym": pa.array(pseudonym, pa.int64())})  # fmt: skip
    work.con.register("incoming", table)
    work.con.execute("INSERT INTO map_upn SELECT * FROM incoming")
    work.con.unregister("incoming")
