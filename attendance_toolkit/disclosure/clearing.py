"""From the cells of a release to their status: small, hidden with them, shown, known; with the proof of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attendance_toolkit.disclosure import primary
from attendance_toolkit.disclosure.attack import attack
from attendance_toolkit.disclosure.linear import System
from attendance_toolkit.disclosure.lines import texts
from attendance_toolkit.disclosure.linked import Places, suppress_linked
from attendance_toolkit.disclosure.policy import Policy
from attendance_toolkit.disclosure.registry import SHOWN, Registry
from attendance_toolkit.disclosure.suppress import Suppression, check_witnesses, suppress
from attendance_toolkit.errors import DisclosureError

BoolArray = NDArray[np.bool_]

SMALL, SECONDARY, IS_SHOWN, KNOWN, NEVER = "small", "closes a line", "shown", "known", "never shown"
WITH_PUPILS = "its group or its pupils are hidden"
HIDDEN_BEFORE = "hidden in an earlier release"
CHANGED = "changed by few since an earlier release showed it"
#: Rounds of attack and mending before a release is given up.
_ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Past:
    """What readers have from elsewhere, by cell of the registry (all false, if nothing).

    Attributes
    ----------
    published, shown
        The exact value is public; an earlier release shows this very value.
    hidden, changed
        An earlier release hides the cell; it showed a value that differs by few.
    """

    published: BoolArray
    shown: BoolArray
    hidden: BoolArray
    changed: BoolArray

    @classmethod
    def nothing(cls, cells: int) -> Past:
        """Return that nothing is known of any cell."""
        return cls(*(np.zeros(cells, dtype=bool) for _ in range(4)))

    @property
    def known(self) -> BoolArray:
        """Cells readers have the value of."""
        return self.published | self.shown


@dataclass(frozen=True, eq=False)
class Solved:
    """One system of a release (pupils, or sessions) with its protection.

    Attributes
    ----------
    cells
        Where its cells are in the registry.
    """

    cells: NDArray[np.intp]
    system: System
    suppression: Suppression


@dataclass(eq=False)
class Cleared:
    """The status of every cell of a registry.

    Attributes
    ----------
    hidden
        Cells that must not be shown.
    why
        The rule that hides a cell by itself; empty for the others.
    low, high
        What the attacker could reach for a hidden cell; missing where it was not asked.
    from_known
        Cells that what readers have from elsewhere gives away, whatever this release does.
    solved
        The systems, each with its witnesses.
    """

    hidden: BoolArray
    why: pd.Series
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    width: NDArray[np.float64]
    from_known: BoolArray
    solved: list[Solved] = field(default_factory=list)


def clear_cells(registry: Registry, policy: Policy, past: Past, *, audit: bool = True, workers: int = 1) -> Cleared:
    """Return the status of every cell: the rules, what closes the lines, the proof, and the attack.

    Parameters
    ----------
    audit
        Let the attacker try every hidden cell. Without it, the witnesses alone prove the protection.
    workers
        Processes to search areas in.

    Raises
    ------
    DisclosureError
        Something cannot be protected; the message names the groups and says what may help.
    """
    n = len(registry.cells)
    empty = primary.empty(registry).to_numpy(dtype=bool)
    why = primary.small_pupils(registry, policy)
    found = Cleared(
        np.zeros(n, dtype=bool), why, np.full(n, np.nan), np.full(n, np.nan), np.full(n, float(policy.width)),
        np.zeros(n, dtype=bool),
    )  # fmt: skip
    if policy.threshold is None:
        return found
    asked = (registry.cells["kind"] == SHOWN).to_numpy()
    sessions = registry.cells["is_sessions"].to_numpy(dtype=bool)
    # What everybody can look up is not hidden: that would protect nobody.
    why[past.published & asked] = ""
    why[past.changed & (why == "")] = CHANGED
    why[past.hidden & (why == "")] = HIDDEN_BEFORE
    small = (why != "").to_numpy() & ~empty
    # Of what nobody is shown by itself, a wide interval is enough, wherever it lies.
    by_rule = small & asked & (why != HIDDEN_BEFORE).to_numpy() & ~sessions
    _protect(registry, found, past, ~sessions, by_rule, small & ~by_rule & ~sessions, ~asked, empty, audit, workers)

    follow = primary.follows(registry, pd.Series(found.hidden)).to_numpy() & ~empty
    of_small = primary.follows(registry, pd.Series(small & (why != HIDDEN_BEFORE).to_numpy())).to_numpy() & ~empty
    own = primary.small_sessions(registry, policy)
    own[past.published] = ""
    own[follow] = ""
    why[follow & sessions & (why == "")] = WITH_PUPILS
    why[own != ""] = own
    found.width[sessions] = primary.session_width(registry, policy)[sessions]
    strict = (own != "").to_numpy() & sessions & ~empty
    # All sessions of a hidden group are hidden; of a small one nobody may come near them.
    near = of_small & asked
    gone = (follow | past.hidden) & sessions
    _protect(registry, found, past, sessions, strict, near & ~strict, ~asked | (gone & ~near), empty, audit, workers)
    found.hidden |= gone
    return found


def _protect(
    registry: Registry,
    found: Cleared,
    past: Past,
    chosen: BoolArray,
    strict: BoolArray,
    sliding: BoolArray,
    free: BoolArray,
    empty: BoolArray,
    audit: bool,
    workers: int,
) -> None:
    """Protect the chosen cells, which no sum ties to others, and enter what was found."""
    cells = np.flatnonzero(chosen)
    if not len(cells) or not (strict | sliding)[cells].any():
        return
    rows = np.flatnonzero(np.diff(registry.equations[:, cells].indptr))
    system = System(
        registry.cells["value"].to_numpy(dtype=float)[cells],
        registry.equations[rows][:, cells],
        ~(empty | past.known)[cells],
        free[cells],
        _weights(registry)[cells],
    )
    places = _places(registry, cells)
    width = found.width[cells]
    given = (strict[cells], (sliding & ~past.known)[cells])
    for _ in range(_ROUNDS):
        result = suppress_linked(system, given[0], places, width=width, sliding=given[1], workers=workers)
        _check(system, result)
        blamed = _blame(registry, cells, system, result, ~empty[cells], past.known[cells])
        found.from_known[cells[list(blamed)]] = True
        if not audit:
            break
        low, high = attack_hidden(system, result.hidden, enough_if_large=width, witnesses=result.witnesses)
        excused = np.zeros(len(cells), dtype=bool)
        excused[[*blamed, *result.unprotected]] = True
        narrow = result.hidden & ~system.free & (high - low < width * (1 - 1e-6)) & ~given[0] & ~given[1] & ~excused
        found.low[cells], found.high[cells] = low, high
        if not narrow.any():
            break
        given = (given[0], given[1] | narrow)
    found.hidden[cells] |= result.hidden
    found.solved.append(Solved(cells, system, result))


def attack_hidden(
    system: System,
    hidden: BoolArray,
    *,
    rounding: int = 1,
    enough_if_large: NDArray[np.float64] | None = None,
    witnesses: Any = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest value of each hidden cell that fits all that is shown.

    Parameters
    ----------
    rounding
        What shown figures are rounded to. 1 gives the attacker exact figures: the worst case.
    enough_if_large
        (n,) Width at which the attacker stops in large connected parts; its intervals there are parts of the whole ones.
    witnesses
        (w, n) Movements; the tables they make are put before the attacker, who holds each against what is shown.
    """
    unknown = (hidden | system.free) & system.movable
    shown = np.floor(system.values / rounding + 0.5) * rounding
    slack = np.where(system.movable, rounding / 2 if rounding > 1 else 0.0, 0.0)
    shown = np.where(system.movable, shown, system.values)
    lower = np.where(unknown, 0.0, np.maximum(shown - slack, 0.0))
    upper = np.where(unknown, np.inf, shown + slack)
    targets = np.flatnonzero(hidden & system.movable)
    low, high = np.full(len(hidden), np.nan), np.full(len(hidden), np.nan)
    if len(targets):
        wide = None if enough_if_large is None else enough_if_large[targets]
        tables = _tables(system.values, witnesses) if witnesses is not None else ()
        low[targets], high[targets] = attack(
            lower, upper, system.equations, targets, enough_if_large=wide, tables=tables
        )
    return low, high


def _tables(values: NDArray[np.float64], witnesses: Any) -> Iterator[NDArray[np.float64]]:
    """Give the tables the witnesses make, so many at once as fit into a little memory."""
    step = max(1, 4_000_000 // max(1, len(values)))
    for start in range(0, witnesses.shape[0], step):
        yield values + witnesses[start : start + step].toarray()


def _places(registry: Registry, cells: NDArray[np.intp]) -> Places:
    """Return the area of each cell, and which figure of its area it is."""
    chosen = registry.cells.iloc[cells]
    groups = registry.groups.iloc[chosen["group"].to_numpy()]
    area = groups["area_code"] if "area_code" in groups else pd.Series("", index=groups.index)
    figure = texts(groups.drop(columns="area_code", errors="ignore")).to_numpy() + "|" + chosen["count"].to_numpy()
    return Places(pd.factorize(area)[0], pd.factorize(figure)[0])


def _weights(registry: Registry) -> NDArray[np.float64]:
    """Return what hiding each cell costs readers: more for large counts, for totals, and for what many rows rest on."""
    cells = registry.cells
    # The fewer dimensions a group names, the more is built on it.
    named = (registry.groups.drop(columns=["topic"]) != "").sum(axis=1)
    level = cells["group"].map(named).to_numpy(dtype=float)
    size = 1 + np.log1p(cells["value"].to_numpy(dtype=float))
    # The size of a group is in every one of its rows: hidden, it takes them all with it.
    rows = np.clip(cells["asked"].to_numpy(dtype=float), 1.0, 20.0)
    return size * rows * 6.0 ** np.clip(level.max() - level, 0, 4)


def _check(system: System, result: Suppression) -> None:
    failures = check_witnesses(system, result)
    if failures:
        raise DisclosureError(
            f"The protection of {len(failures)} figures is not proved ({failures[0].reason}). Nothing is shown. Please report"
            " this with the number of reports, areas and tables of the release."
        )


def _blame(
    registry: Registry,
    cells: NDArray[Any],
    system: System,
    result: Suppression,
    could_move: BoolArray,
    known: BoolArray,
) -> Sequence[int]:
    """Return the unprotected cells that only what is known from elsewhere gives away.

    Raises
    ------
    DisclosureError
        Others cannot be protected either.
    """
    if not result.unprotected:
        return ()
    blamed: set[int] = set()
    if known.any():
        alone = System(system.values, system.equations, could_move, system.free, system.weight)
        again = suppress(alone, result.primary, width=result.width, sliding=result.sliding)
        blamed = set(result.unprotected) - set(again.unprotected)
    left = [cell for cell in result.unprotected if cell not in blamed]
    if left:
        raise DisclosureError(_advice(registry, cells[left]))
    return sorted(blamed)


def _advice(registry: Registry, cells: NDArray[Any]) -> str:
    """Say which groups cannot be protected and what may help, without any value."""
    chosen = registry.cells.iloc[cells]
    groups = registry.groups.iloc[chosen["group"].to_numpy()]
    names = [
        f"{count} of {text}"
        for count, text in zip(chosen["count"], registry.group_texts().iloc[chosen["group"].to_numpy()], strict=True)
    ]
    dimensions = [name for name in groups.columns if name not in ("topic", "area_code", "academic_year", "rest_of")]
    used = [name for name in dimensions if (groups[name] != "").any()]
    merge = f" or merge small levels of {', '.join(used)}" if used else ""
    return (
        f"{len(names)} figures cannot be protected: too much around them is known or of empty groups. The first:"
        f" {'; '.join(names[:5])}. Leave out a table that shows them{merge}."
    )
