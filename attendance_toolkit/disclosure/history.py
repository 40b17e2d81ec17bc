"""What earlier releases have shown and hidden: differences over time must not give away a hidden figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure.clearing import IS_SHOWN, KNOWN, NEVER, Past
from attendance_toolkit.disclosure.lines import REST, texts
from attendance_toolkit.disclosure.policy import Policy
from attendance_toolkit.disclosure.registry import Registry
from attendance_toolkit.errors import DisclosureError

if TYPE_CHECKING:
    from attendance_toolkit.disclosure.cleared import ClearedRelease

_NOT_GROUPS = (
    "id", "group", "count", "value", "status", "why", "low", "high", "width", "width_ok", "from_known", "tables",
    "is_asked", REST,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Earlier:
    """An earlier release: its cells as saved, and what they are of."""

    release_id: str
    vintage: str
    policy: Policy
    order: int
    cells: pd.DataFrame


@dataclass(eq=False)
class History:
    """The earlier releases of one restricted folder, oldest first."""

    folder: Path
    releases: list[Earlier]

    @classmethod
    def read(cls, folder: Path | str) -> History:
        """Read the releases of a restricted folder; there may be none.

        Raises
        ------
        DisclosureError
            A release cannot be read: without it, nobody knows what readers have.
        """
        found: list[Earlier] = []
        for place in sorted((Path(folder) / "releases").glob("*/release.json")):
            try:
                document = json.loads(place.read_text(encoding="utf-8"))
                cells = pd.read_parquet(place.with_name("cells.parquet"))
                found.append(
                    Earlier(
                        document["release_id"],
                        document["vintage"],
                        Policy.from_dict(document["policy"]),
                        int(document["order"]),
                        cells,
                    )
                )
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise DisclosureError(
                    f"The earlier release '{place.parent.name}' cannot be read ({type(error).__name__}). Bring its folder back"
                    " from a backup: without it nobody can tell what readers have already."
                ) from None
        return cls(Path(folder), sorted(found, key=lambda release: release.order))

    def append(self, cleared: ClearedRelease) -> Path:
        """Save a release in the folder, and return its place. The same release made again replaces itself."""
        orders = {release.release_id: release.order for release in self.releases}
        order = orders.get(cleared.release_id, max(orders.values(), default=0) + 1)
        place = cleared.save_vault(self.folder)
        path = place / "release.json"
        document = {**json.loads(path.read_text(encoding="utf-8")), "order": order}
        path.write_text(json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        self.releases = History.read(self.folder).releases
        return place

    def _before(self, release_id: str) -> Sequence[Earlier]:
        """Return the releases made before the one of this name, or all if there is none of it."""
        orders = [release.order for release in self.releases if release.release_id == release_id]
        return [release for release in self.releases if not orders or release.order < orders[0]]

    def with_earlier(
        self, claimed: pd.DataFrame, groups: pd.DataFrame, vintage: str, release_id: str
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the claims and groups with those of earlier releases of the same data that are not among them."""
        for earlier in self._before(release_id):
            if earlier.vintage != vintage or not vintage:
                continue
            cells = earlier.cells[earlier.cells["is_asked"] & (earlier.cells["status"] != NEVER)]
            about = cells[[name for name in cells.columns if name not in _NOT_GROUPS]].drop_duplicates()
            every = pd.concat([groups, about], ignore_index=True).fillna("")
            groups = every[~texts(every).duplicated()].reset_index(drop=True)
            place = pd.Series(groups.index.to_numpy(), index=texts(groups).to_numpy())
            new = pd.DataFrame(
                {
                    "group": place.loc[cells["group"].to_numpy()].to_numpy(), "count": cells["count"].to_numpy(),
                    "value": cells["value"].to_numpy(), "contributors": np.nan, "concentration": np.nan,
                    "table": f"release {earlier.release_id}",
                }
            )  # fmt: skip
            keys = pd.MultiIndex.from_frame(claimed[["group", "count"]])
            is_new = ~pd.MultiIndex.from_frame(new[["group", "count"]]).isin(keys)
            claimed = pd.concat([claimed, new[is_new]], ignore_index=True)
        return claimed, groups

    def past(self, registry: Registry, policy: Policy, release_id: str) -> Past:
        """Return what earlier releases say of the cells of a registry."""
        found = Past.nothing(len(registry.cells))
        keys = pd.MultiIndex.from_arrays(
            [registry.group_texts().iloc[registry.cells["group"].to_numpy()], registry.cells["count"]]
        )
        values = registry.cells["value"].to_numpy()
        for earlier in self._before(release_id):
            cells = earlier.cells.set_index(["group", "count"])
            place = cells.index.get_indexer(keys)
            hit = place >= 0
            before = np.full(len(keys), np.nan)
            before[hit] = cells["value"].to_numpy()[place[hit]]
            status = np.full(len(keys), "", dtype=object)
            status[hit] = cells["status"].to_numpy()[place[hit]]
            asked = np.zeros(len(keys), dtype=bool)
            asked[hit] = cells["is_asked"].to_numpy()[place[hit]]
            was_shown = asked & np.isin(status.astype(str), [IS_SHOWN, KNOWN])
            difference = np.where(hit, np.abs(values - before), np.inf)
            found.shown[was_shown & (difference == 0)] = True
            found.hidden[asked & hit & ~was_shown & (status.astype(str) != NEVER)] = True
            few = policy.threshold or 1
            if earlier.policy.rounding == 1:
                found.changed[was_shown & (difference > 0) & (difference < few)] = True
        return found
