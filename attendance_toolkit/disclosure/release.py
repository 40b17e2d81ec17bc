"""A release: all tables of all pages of one run, protected together.

release = Release(policy)
release.add("overview", "E08000003", "groups", ExactTable(rows, source="Local extract."))
cleared = release.clear()                       # raises if something cannot be protected
cleared.table("overview", "E08000003", "groups")   # a ProtectedTable
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure import counts
from attendance_toolkit.disclosure.cleared import Asked, ClearedRelease, ClearedTables
from attendance_toolkit.disclosure.clearing import Past, clear_cells
from attendance_toolkit.disclosure.cutting import row_ids, row_keys
from attendance_toolkit.disclosure.lines import TOPIC, texts
from attendance_toolkit.disclosure.policy import Policy
from attendance_toolkit.disclosure.published import added_up, known_values
from attendance_toolkit.disclosure.registry import Registry, build
from attendance_toolkit.errors import DisclosureError
from attendance_toolkit.vocabulary.columns import MEASURE_CORE

if TYPE_CHECKING:
    from attendance_toolkit.disclosure.history import History

_CLAIM = ["count", "value", "contributors", "concentration", "table"]

__all__ = ["ClearedRelease", "ClearedTables", "ExactTable", "Release"]


@dataclass(frozen=True, eq=False)
class ExactTable:
    """MEASURE rows with exact figures, on their way to being cleared.

    Attributes
    ----------
    rows
        Group columns and ``vocabulary.columns.MEASURE_CORE``; unless published also ``enrolments`` (the size of each
        row's group) and, where known, ``contributors`` (pupils with some of the numerator's sessions) and
        ``concentration`` (sum of their squares over the square of their sum). ``withheld`` is true of rows no partner is
        to be shown, whatever is in them.
    source
        Where the figures come from, in words.
    topic
        Which population is counted: figures of different topics never add up.
    is_published
        The figures are public: they are shown as they are, and count as known.
    """

    rows: pd.DataFrame
    source: str
    topic: str = "absence"
    is_published: bool = False
    is_synthetic: bool = False

    def __post_init__(self) -> None:
        needed = MEASURE_CORE if self.is_published else (*MEASURE_CORE, counts.ENROLMENTS)
        missing = [name for name in needed if name not in self.rows.columns]
        if missing:
            raise DisclosureError(f"Rows to be protected need the columns {', '.join(missing)}.")


class Release:
    """Collects the exact tables of a release; ``clear`` protects them together.

    Parameters
    ----------
    policy
        What partners may be shown.
    release_id
        Name of the release; by default made of the policy, the vintage and what is added, so that the same run has
        the same name.
    vintage
        Which data the figures are of: releases of the same vintage have the same exact figures.
    history
        What earlier releases have shown and hidden.
    secret
        Key of the name: pages for partners carry it, and without a key a reader could try hidden values out on it.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        release_id: str = "",
        vintage: str = "",
        history: History | None = None,
        secret: bytes = b"",
    ) -> None:
        self.policy = policy
        self.vintage = vintage
        self._id = release_id
        self._history = history
        self._secret = secret
        self._tables: dict[tuple[str, str, str], ExactTable] = {}
        self._missing: dict[tuple[str, str, str], str] = {}
        self._known: list[pd.DataFrame] = []
        self._members: dict[str, tuple[str, ...]] = {}

    def add(self, report: str, area_code: str, name: str, table: ExactTable) -> None:
        """Add a table of a report on an area.

        Raises
        ------
        DisclosureError
            There is another table of this name already.
        """
        key = (report, area_code, name)
        if key in self._tables or key in self._missing:
            raise DisclosureError(f"The table {'/'.join(key)} is in the release twice. Give each table its own name.")
        self._tables[key] = ExactTable(
            table.rows.reset_index(drop=True), table.source, table.topic, table.is_published, table.is_synthetic
        )

    def add_missing(self, report: str, area_code: str, name: str, reason: str) -> None:
        """Enter that the inputs have nothing for a table, with the reason its page gives."""
        key = (report, area_code, name)
        if key in self._tables:
            raise DisclosureError(f"The table {'/'.join(key)} is in the release already.")
        self._missing[key] = reason

    def add_known(self, rows: pd.DataFrame) -> None:
        """Enter counts that readers can look up: published MEASURE rows, or published CELLS."""
        if len(rows):
            self._known.append(rows if "measure" in rows.columns else added_up(rows))

    def add_members(self, total_code: str, part_codes: Sequence[str]) -> None:
        """Enter which areas add up to an area."""
        parts = tuple(code for code in part_codes if code != total_code)
        before = self._members.get(total_code, parts)
        self._members[total_code] = tuple(dict.fromkeys((*before, *parts)))

    def clear(self, *, audit: bool = True, workers: int = 1) -> ClearedRelease:
        """Protect all tables together.

        Parameters
        ----------
        audit
            Let the attacker try each hidden figure. False for work on one page: the protection is proved all the same.
        workers
            Processes to search areas in; with more than one, a script that calls this needs ``if __name__ == "__main__"``.

        Raises
        ------
        DisclosureError
            A figure has two values, its measure is not known, or something cannot be protected. The message names
            tables and groups, never a value.
        """
        claimed, needs, groups, asked = self._gather()
        if self._history is not None:
            claimed, groups = self._history.with_earlier(claimed, groups, self.vintage, self._release_id())
        registry = build(claimed, groups, self._members)
        past = self._past(registry)
        found = clear_cells(registry, self.policy, past, audit=audit, workers=workers)
        return ClearedRelease(
            policy=self.policy,
            release_id=self._release_id(),
            vintage=self.vintage,
            registry=registry,
            found=found,
            past=past,
            tables=asked,
            missing=self._missing,
            needs=needs,
        )

    def _gather(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[tuple[str, str, str], Asked]]:
        """Return what all tables claim, what each row needs, the groups, and the tables with their rows' ids."""
        claims: list[pd.DataFrame] = [pd.DataFrame(columns=[*_CLAIM, "place"])]
        needs: list[pd.DataFrame] = [pd.DataFrame(columns=["row", "count", "place", "number"])]
        frames: list[pd.DataFrame] = [pd.DataFrame({TOPIC: []}, dtype=object)]
        asked: dict[tuple[str, str, str], Asked] = {}
        before = 0
        # In the order of their names: what is hidden must not depend on which page was made first.
        for number, (key, table) in enumerate(sorted(self._tables.items(), key=lambda item: item[0])):
            about = counts.groups(table.rows, key[1]).assign(**{TOPIC: table.topic})
            ids = row_ids(row_keys(table.rows, texts(about), is_published=table.is_published))
            asked[key] = Asked(table, ids, number)
            if table.is_published:
                continue
            kept = np.flatnonzero(~counts.withheld(table.rows))
            claimed, wanted = counts.claims(table.rows.iloc[kept])
            values, wanted, about = _with_unknown(claimed, wanted, about.iloc[kept].reset_index(drop=True))
            claims.append(values.assign(place=values["place"] + before, table="/".join(key)))
            row = kept[wanted["row"].to_numpy(dtype=int)]
            needs.append(wanted.assign(row=row, place=wanted["place"] + before, number=number))
            frames.append(about)
            before += len(about)
        groups = pd.concat(frames, ignore_index=True).fillna("")
        keys = texts(groups)
        place = pd.factorize(keys)[0]
        claimed = pd.concat(claims, ignore_index=True)
        wanted = pd.concat(needs, ignore_index=True)
        claimed = claimed.assign(group=place[claimed["place"].to_numpy(dtype=int)])
        wanted = wanted.assign(group=place[wanted["place"].to_numpy(dtype=int)])
        groups = groups[~keys.duplicated()].reset_index(drop=True)
        return claimed[[*_CLAIM, "group"]], wanted.drop(columns="place"), groups, asked

    def _past(self, registry: Registry) -> Past:
        past = Past.nothing(len(registry.cells))
        frames = [*self._known, *(t.rows for t in self._tables.values() if t.is_published and t.topic == "absence")]
        published = known_values(registry, frames)
        if self._history is not None:
            past = self._history.past(registry, self.policy, self._release_id())
        return Past(published, past.shown, past.hidden, past.changed)

    def _release_id(self) -> str:
        """Return the name of the release: the same for the same policy, data and tables."""
        if not self._id:
            made = hmac.new(self._secret, f"{self.policy.digest}|{self.vintage}".encode(), "sha256")
            for key, table in sorted(self._tables.items(), key=lambda item: item[0]):
                made.update("/".join(key).encode())
                made.update(
                    pd.util.hash_pandas_object(table.rows.astype("object").astype(str), index=False)
                    .to_numpy()
                    .tobytes()
                )
            self._id = made.hexdigest()[:16]
        return self._id


def _with_unknown(
    values: pd.DataFrame, wanted: pd.DataFrame, about: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return claims and needs with the ``place`` of their group, and the groups with those of unknown characteristic.

    "2% of enrolments are of unknown sex" tells the enrolments of the group of unknown sex: a cell like any other.
    """
    unknown = values[values["count"].str.startswith(counts.UNKNOWN)]
    rows = unknown["row"].to_numpy(dtype=int)
    extra = counts.unknown_groups(about.iloc[rows].reset_index(drop=True), unknown["count"].reset_index(drop=True))
    place = pd.Series(len(about) + np.arange(len(rows)), index=rows)
    found = []
    for frame in (values, wanted):
        is_unknown = frame["count"].str.startswith(counts.UNKNOWN)
        at = frame["row"].astype(int).where(~is_unknown, frame["row"].map(place))
        named = frame["count"].where(~is_unknown, counts.ENROLMENTS)
        found.append(frame.assign(count=named, place=at)[at.notna()].astype({"place": int}))
    return found[0], found[1], pd.concat([about, extra], ignore_index=True).fillna("")
