"""A cleared release: tables as they may be shown, files for notebooks, and the audit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure import counts
from attendance_toolkit.disclosure.audit import Audit, make_audit
from attendance_toolkit.disclosure.clearing import Cleared, Past, attack_hidden
from attendance_toolkit.disclosure.cutting import cut
from attendance_toolkit.disclosure.lines import REST
from attendance_toolkit.disclosure.modelled import hidden_together
from attendance_toolkit.disclosure.policy import PUBLISHED, Policy, policy_for
from attendance_toolkit.disclosure.registry import Registry
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import DisclosureError, NoDataError, did_you_mean

if TYPE_CHECKING:
    from attendance_toolkit.disclosure.release import ExactTable

Key = tuple[str, str, str]
RELEASE = "release.json"
#: Raised when the layout of saved tables changes.
FORMAT = 1


@dataclass(frozen=True, eq=False)
class Asked:
    """A table of a release: its exact rows, the id of each, and its number."""

    table: ExactTable
    ids: list[str]
    number: int


@dataclass(frozen=True, eq=False)
class ClearedRelease:
    """All tables of a release with the status of every cell. Holds exact figures: it stays where they are.

    Attributes
    ----------
    registry, found, past
        The cells, what was decided of each, what readers have from elsewhere.
    needs
        Which cells each row would give away: ``number`` (of the table), ``row``, ``group``, ``count``.
    """

    policy: Policy
    release_id: str
    vintage: str
    registry: Registry
    found: Cleared
    past: Past
    tables: Mapping[Key, Asked]
    missing: Mapping[Key, str]
    needs: pd.DataFrame

    def table(self, report: str, area_code: str, name: str, *, audience: str = "partner") -> ProtectedTable:
        """Return a table as an audience may see it; its rows have their ids in the column ``cell``.

        Raises
        ------
        NoDataError
            The inputs have nothing for the table.
        DisclosureError
            The table was never added, so that nobody has cleared it.
        """
        key = (report, area_code, name)
        if key in self.missing:
            raise NoDataError(self.missing[key])
        if key not in self.tables:
            names = sorted({table for _, _, table in self.tables})
            raise DisclosureError(
                f"The table {'/'.join(key)} is not in this release, so it was not cleared.{did_you_mean(name, names)}"
                " Declare it where the other tables are."
            )
        asked = self.tables[key]
        table = asked.table
        policy = policy_for(audience, self.policy)
        if table.is_published:
            policy = PUBLISHED
        rows = cut(table.rows, self.hidden_rows(key), policy)
        return ProtectedTable(rows.assign(cell=asked.ids), policy.rule, table.source, table.is_synthetic)

    def hidden_rows(self, key: Key) -> pd.Series:
        """Return which rows of a table must not be shown to partners."""
        asked = self.tables[key]
        hidden = np.zeros(len(asked.table.rows), dtype=bool)
        if not asked.table.is_published and self.policy.threshold is not None:
            # Rows of unknown size could be of a handful.
            hidden |= self._without_size(asked.table.rows) | counts.withheld(asked.table.rows).to_numpy()
            hidden[self._hidden_rows.get(asked.number, np.zeros(0, dtype=int))] = True
            hidden = hidden_together(asked.table.rows, hidden, counts_are_exact=self.policy.rounding <= 1)
        return pd.Series(hidden, index=asked.table.rows.index)

    @staticmethod
    def _without_size(rows: pd.DataFrame) -> Any:
        return (rows["enrolments"].isna() & (rows["symbol"] == "")).to_numpy()

    @cached_property
    def _hidden_rows(self) -> dict[int, Any]:
        cells = self.registry.cells.assign(hidden=self.found.hidden)
        chosen = cells.loc[cells["hidden"], ["group", "count"]]
        hit = self.needs.merge(chosen, on=["group", "count"])
        return {
            number: hit.loc[hit["number"] == number, "row"].to_numpy(dtype=int) for number in hit["number"].unique()
        }

    def attacked(self, *, as_shown: bool = False) -> pd.DataFrame:
        """Let the attacker try every hidden cell again, and return what was reached: ``cell``, ``low``, ``high``.

        Parameters
        ----------
        as_shown
            The attacker has what pages show, rounded figures. By default exact ones: the worst case.
        """
        found = []
        for solved in self.found.solved:
            base = self.policy.rounding if as_shown else 1
            low, high = attack_hidden(solved.system, solved.suppression.hidden, rounding=base)
            found.append(pd.DataFrame({"cell": solved.cells, "low": low, "high": high}))
        every = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["cell", "low", "high"])
        return every[every["high"].notna()].reset_index(drop=True)

    @cached_property
    def audit(self) -> Audit:
        """What was hidden and why, and what the attacker reached."""
        return make_audit(self)

    # -- files ---------------------------------------------------------------------------------------

    def save_for(self, folder: Path, report: str, area_code: str, audience: str) -> Path:
        """Write the tables of one page, cut for its audience, and return the folder a notebook opens.

        No exact figure of a hidden cell is in a partner's folder.
        """
        place = Path(folder) / "_".join((report, area_code, audience))
        place.mkdir(parents=True, exist_ok=True)
        entries: dict[str, Any] = {}
        for key in [*self.tables, *self.missing]:
            if key[:2] != (report, area_code):
                continue
            if key in self.missing:
                entries[key[2]] = {"missing": self.missing[key]}
                continue
            table = self.table(*key, audience=audience)
            file = f"{len(entries)}.parquet"
            # Not compressed: what is in the file can be searched for.
            table.rows.to_parquet(place / file, index=False, compression=None)
            entries[key[2]] = {
                "file": file, "rule": table.rule, "source": table.source, "is_synthetic": table.is_synthetic,
            }  # fmt: skip
        document = {
            "format": FORMAT, "release_id": self.release_id, "report": report, "area_code": area_code,
            "audience": audience, "policy": self.policy.to_dict(), "tables": entries,
        }  # fmt: skip
        _write_json(place / RELEASE, document)
        return place

    def save_vault(self, folder: Path) -> Path:
        """Write the exact cells and their status under the restricted folder, and return the release's own folder.

        What is written is the same each time the same release is made.
        """
        place = Path(folder) / "releases" / self.release_id
        place.mkdir(parents=True, exist_ok=True)
        self.cell_frame().to_parquet(place / "cells.parquet", index=False)
        _write_json(place / RELEASE, self.describe())
        return place

    def describe(self) -> dict[str, Any]:
        """Return what the release is, without a single figure of it."""
        return {
            "format": FORMAT,
            "release_id": self.release_id,
            "vintage": self.vintage,
            "policy": self.policy.to_dict(),
            "policy_digest": self.policy.digest,
            "tables": ["/".join(key) for key in self.tables],
            "missing": {"/".join(key): reason for key, reason in self.missing.items()},
        }

    def cell_frame(self) -> pd.DataFrame:
        """Return every cell with its exact value and status: for the restricted folder only."""
        frame = self.audit.cells.copy()
        rest = self.registry.groups[REST].iloc[self.registry.cells["group"].to_numpy()]
        frame[REST] = rest.to_numpy()
        frame["is_asked"] = (self.registry.cells["kind"] == "asked for").to_numpy()
        return frame


@dataclass(frozen=True, eq=False)
class ClearedTables:
    """The tables of one page, as a notebook opens them.

    Attributes
    ----------
    policy
        The policy of the release (what partners may see).
    """

    folder: Path
    policy: Policy
    release_id: str
    audience: str
    _entries: Mapping[str, Mapping[str, Any]]

    @classmethod
    def open(cls, folder: Path | str) -> ClearedTables:
        """Open a folder that ``ClearedRelease.save_for`` has written.

        Raises
        ------
        DisclosureError
            It is not such a folder.
        """
        place = Path(folder)
        try:
            document = json.loads((place / RELEASE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise DisclosureError(
                f"'{place.name}' is not a folder of cleared figures. Run the page with: attendance report."
            ) from None
        if document.get("format") != FORMAT or "audience" not in document:
            raise DisclosureError(f"'{place.name}' holds cleared figures of another version. Run: attendance report.")
        policy = Policy.from_dict(document["policy"])
        return cls(place, policy, document["release_id"], document["audience"], document["tables"])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tables, those without figures included."""
        return tuple(self._entries)

    def table(self, name: str) -> ProtectedTable:
        """Return a table.

        Raises
        ------
        NoDataError
            The inputs have nothing for it.
        DisclosureError
            It was not declared when the release was made.
        """
        if name not in self._entries:
            raise DisclosureError(
                f"The table '{name}' was not cleared with this release.{did_you_mean(name, self._entries)} Declare it where"
                " the other tables of the page are."
            )
        entry = self._entries[name]
        if "missing" in entry:
            raise NoDataError(entry["missing"])
        rows = pd.read_parquet(self.folder / entry["file"])
        return ProtectedTable(rows, entry["rule"], entry["source"], entry["is_synthetic"])


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
