"""Is a rule scheme complete and sound? Every value must fall in one level, and in the right one.

Arithmetic is exact: a scheme that leaves out exactly 90% is found, however small the gap. Each finding gives a
value that shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from attendance_toolkit.metrics.reconciliation import PrintedFinding, check_lost_learning
from attendance_toolkit.vocabulary.rule_schemes import Level, Scheme

_UNIT_SIGNS = {"percent": "%", "percentage points": " percentage points", "share": ""}
#: Attendance and absence are quotients of sessions; bands of whole numbers leave out what lies between.
_FRACTIONAL = ("percent", "percentage points", "share")


def lint_scheme(scheme: Scheme) -> tuple[PrintedFinding, ...]:
    """Return what is wrong with a scheme, one sentence each; none for a sound one.

    Finds gaps and overlaps between levels and their ends, levels no value reaches, levels in the wrong direction,
    whole-number bands of a quantity with fractions, mixed units, no level for the rest, clauses that put one case
    in several levels, actions without a level and levels without an action, and wrong examples of lost learning.
    """
    return (
        *_units(scheme),
        *_unreachable(scheme),
        *_gaps(scheme),
        *_overlaps(scheme),
        *_whole_numbers(scheme),
        *_direction(scheme),
        *_combination(scheme),
        *_actions(scheme),
        *check_lost_learning((float(rate), weeks, days) for rate, weeks, days in scheme.examples),
    )


def _finding(scheme: Scheme, check: str, printed: str, expected: str, says: str) -> PrintedFinding:
    return PrintedFinding(check, scheme.name, (), printed, expected, says, flags=False)


def show_value(value: Fraction, unit: str) -> str:
    """Return a value in its unit.

    >>> show_value(Fraction(119, 2), "percent"), show_value(Fraction(10), "sessions")
    ('59.5%', '10 sessions')
    """
    text = f"{float(value):.4f}".rstrip("0").rstrip(".")
    return f"{text}{_UNIT_SIGNS.get(unit, f' {unit}')}"


def show_level(level: Level, unit: str) -> str:
    """Return the values of a level in words.

    >>> show_level(Level("Level 2", 2, Fraction(80), Fraction(90), True, False), "percent")
    'Level 2 (from 80% to below 90%)'
    """
    parts = []
    if level.low is not None:
        parts.append(f"{'from' if level.has_low else 'above'} {show_value(level.low, unit)}")
    if level.high is not None:
        parts.append(f"{'to' if level.has_high else 'to below'} {show_value(level.high, unit)}")
    return f"{level.name} ({' '.join(parts) or 'any value'})"


# --- where levels lie ----------------------------------------------------------------------------------


def is_in(level: Level, value: Fraction) -> bool:
    """Return whether a value belongs to a level."""
    above = level.low is None or value > level.low or (level.has_low and value == level.low)
    below = level.high is None or value < level.high or (level.has_high and value == level.high)
    return above and below


def _reachable(scheme: Scheme) -> list[Level]:
    probes = _probes(scheme)
    return [level for level in scheme.levels if any(is_in(level, value) for value, _ in probes)]


def _span_is_real(level: Level) -> bool:
    if level.low is None or level.high is None:
        return True
    return level.low < level.high or (level.low == level.high and level.has_low and level.has_high)


def _probes(scheme: Scheme) -> list[tuple[Fraction, bool]]:
    """Return every end and a value between each two neighbours, in order; True for an end.

    Beyond a last end without a limit, one more value stands for all of them.
    """
    ends = {end for level in scheme.levels for end in (level.low, level.high) if end is not None}
    ends |= {end for end in (scheme.low, scheme.high) if end is not None}
    inside = sorted(
        end for end in ends if (scheme.low is None or end >= scheme.low) and (scheme.high is None or end <= scheme.high)
    )
    if not inside:
        return [(Fraction(0), False)]
    probes: list[tuple[Fraction, bool]] = []
    if scheme.low is None:
        probes.append((inside[0] - 1, False))
    for left, right in pairwise(inside):
        probes += [(left, True), ((left + right) / 2, False)]
    probes.append((inside[-1], True))
    if scheme.high is None:
        probes.append((inside[-1] + 1, False))
    return probes


def _gaps(scheme: Scheme) -> Iterator[PrintedFinding]:
    """Find values in no level, each run of them once."""
    if scheme.default or not scheme.levels:
        return
    probes = _probes(scheme)
    run: list[tuple[Fraction, bool]] = []
    for number, probe in enumerate([*probes, None]):
        if probe is not None and not any(is_in(level, probe[0]) for level in scheme.levels):
            run.append(probe)
            continue
        if run:
            before = probes[number - len(run) - 1][0] if number > len(run) else None
            after = probe[0] if probe is not None else None
            yield _gap(scheme, run, before, after)
            run = []


def _gap(
    scheme: Scheme, run: list[tuple[Fraction, bool]], before: Fraction | None, after: Fraction | None
) -> PrintedFinding:
    unit = scheme.unit
    if len(run) == 1 and run[0][1]:
        value = show_value(run[0][0], unit)
        return _finding(scheme, "gap", value, "one level", f"Exactly {value} is in no level.")
    inner = next((value for value, is_end in run if not is_end), run[0][0])
    if before is None or after is None:
        low, high = run[0][0], run[-1][0]
        # Just beyond the level that stops short, as a reader would meet it.
        near = low if before is None else high
        edge = before if before is not None else after
        inner = _near(edge, near) if edge is not None else inner
        says = f"No level is given for {_beyond(scheme, run, before, after)}, for example {show_value(inner, unit)}"
        says += "; name a level for the rest."
        return _finding(scheme, "no_default", show_value(inner, unit), "a level for every value", says)
    span = f"between {show_value(before, unit)} and {show_value(after, unit)}"
    return _finding(
        scheme,
        "gap",
        show_value(inner, unit),
        "one level",
        f"Values {span} are in no level, for example {show_value(inner, unit)}.",
    )


def _near(edge: Fraction, far: Fraction) -> Fraction:
    """Return a value close to an edge on the way to another: a tenth beyond it, if there is room."""
    step = Fraction(1, 10) if far > edge else Fraction(-1, 10)
    return edge + step if abs(far - edge) > Fraction(1, 10) else (edge + far) / 2


def _beyond(scheme: Scheme, run: list[tuple[Fraction, bool]], before: Fraction | None, after: Fraction | None) -> str:
    if before is not None:
        return f"values above {show_value(before, scheme.unit)}"
    if after is not None:
        return f"values below {show_value(after, scheme.unit)}"
    return "any value"


def _overlaps(scheme: Scheme) -> Iterator[PrintedFinding]:
    """Find pairs of levels that share values; one shared end is said as such."""
    probes = _probes(scheme)
    levels = _reachable(scheme)
    for number, first in enumerate(levels):
        for second in levels[number + 1 :]:
            shared = [probe for probe in probes if is_in(first, probe[0]) and is_in(second, probe[0])]
            if not shared:
                continue
            value = show_value(next((v for v, is_end in shared if not is_end), shared[0][0]), scheme.unit)
            both = f"{show_level(first, scheme.unit)} and {show_level(second, scheme.unit)}"
            if len(shared) == 1 and shared[0][1]:
                says = f"Exactly {value} is in both {both}; say to which of the two it belongs."
                yield _finding(scheme, "shared_end", value, "one level", says)
            else:
                yield _finding(scheme, "overlap", value, "one level", f"{both} overlap, for example at {value}.")


def _unreachable(scheme: Scheme) -> Iterator[PrintedFinding]:
    probes = _probes(scheme)
    for number, level in enumerate(scheme.levels):
        shown = show_level(level, scheme.unit)
        if not _span_is_real(level):
            yield _finding(scheme, "unreachable", shown, "a level with values", f"{shown} holds no value.")
            continue
        own = [value for value, _ in probes if is_in(level, value)]
        if not own:
            says = f"{shown} lies outside the range of the quantity."
            yield _finding(scheme, "unreachable", shown, "a level with values", says)
        elif all(any(is_in(other, value) for other in scheme.levels[:number]) for value in own):
            says = f"{shown} is never reached: every value of it is in a level tried before."
            yield _finding(scheme, "unreachable", shown, "a level with values", says)


# --- what levels mean ----------------------------------------------------------------------------------


def _units(scheme: Scheme) -> Iterator[PrintedFinding]:
    for level in scheme.levels:
        if level.unit and level.unit != scheme.unit:
            says = f"{level.name} is in {level.unit}, the scheme in {scheme.unit}."
            yield _finding(scheme, "mixed_units", level.unit, scheme.unit, says)
    ends = [(level, end) for level in scheme.levels for end in (level.low, level.high) if end not in (None, 0)]
    small = [(level, end) for level, end in ends if end is not None and abs(end) <= 1]
    if scheme.unit == "percent" and small and any(end is not None and abs(end) > 1 for _, end in ends):
        level, end = small[0]
        assert end is not None
        says = f"{level.name} ends at {float(end):g} where others end at whole percentages: a share of 1 among percentages."
        yield _finding(scheme, "mixed_units", f"{float(end):g}", f"{float(100 * end):g}%", says)


def _whole_numbers(scheme: Scheme) -> Iterator[PrintedFinding]:
    """Find bands written in whole numbers (60 to 79, 80 to 95) for a quantity with fractions."""
    if scheme.unit not in _FRACTIONAL:
        return
    levels = sorted((level for level in _reachable(scheme) if level.low is not None), key=lambda level: level.low or 0)
    pairs = [
        (low, high)
        for low, high in pairwise(levels)
        if low.high is not None and high.low is not None and low.has_high and high.has_low and high.low - low.high == 1
    ]
    if pairs:
        says = (
            f"The bands are written in whole numbers ({', '.join(show_level(b, scheme.unit) for b, _ in pairs)}), but"
            f" {scheme.quantity or 'the quantity'} has fractions; write each band up to below the next one."
        )
        low, high = pairs[0]
        assert high.low is not None
        yield _finding(scheme, "whole_numbers", show_level(low, scheme.unit), show_value(high.low, scheme.unit), says)


def _direction(scheme: Scheme) -> Iterator[PrintedFinding]:
    """Find schemes in which better values have the worse rank."""
    ranked = [level for level in _reachable(scheme) if level.rank is not None]
    ordered = sorted(ranked, key=_middle)
    pairs = [(low, high) for low, high in pairwise(ordered) if low.rank != high.rank]
    if not pairs:
        return
    sign = -1 if scheme.direction == "higher is better" else 1
    wrong = [(low, high) for low, high in pairs if ((high.rank or 0) - (low.rank or 0)) * sign < 0]
    if len(wrong) == len(pairs):
        best, worst = min(ordered, key=lambda v: v.rank or 0), max(ordered, key=lambda v: v.rank or 0)
        says = (
            f"The levels run the wrong way: {scheme.direction} for {scheme.quantity or 'the quantity'}, yet"
            f" {show_level(worst, scheme.unit)} is the worst level and {show_level(best, scheme.unit)} the best; the"
            " criteria fit the opposite quantity (attendance in place of absence, or the other way about)."
        )
        yield _finding(scheme, "direction", worst.name, best.name, says)
        return
    for low, high in wrong:
        says = (
            f"{show_level(low, scheme.unit)} and {show_level(high, scheme.unit)} are in the wrong order for"
            f" '{scheme.direction}'."
        )
        yield _finding(scheme, "direction", low.name, high.name, says)


def _middle(level: Level) -> Fraction:
    if level.low is None:
        return (level.high or Fraction(0)) - 10**6
    if level.high is None:
        return level.low + 10**6
    return (level.low + level.high) / 2


def _combination(scheme: Scheme) -> Iterator[PrintedFinding]:
    if scheme.combine != "any" or len(scheme.groups) < 2 or len(scheme.levels) < 2:
        return
    names = [level.name for level in scheme.levels]
    shown = f"{', '.join(names[:-1])} and {names[-1]}"
    says = (
        f"A level applies if any of {len(scheme.groups)} groups meets it, so one case can be {shown} at once; let the"
        " worst group set the level, or one group alone."
    )
    yield _finding(scheme, "several_levels", " or ".join(scheme.groups), "one level", says)


def _actions(scheme: Scheme) -> Iterator[PrintedFinding]:
    names = [level.name for level in scheme.levels] + ([scheme.default] if scheme.default else [])
    for action, level in scheme.actions:
        if level not in names:
            says = f"The action '{action}' is for '{level or 'no level'}', which is no level of the scheme."
            yield _finding(scheme, "action_without_level", level, ", ".join(names), says)
    if scheme.actions:
        acted = {level for _, level in scheme.actions}
        worse = [level.name for level in scheme.levels if level.name not in acted and level.rank not in (0, None)]
        for name in worse:
            yield _finding(scheme, "level_without_action", name, "an action", f"Nothing is to be done at {name}.")
    doubled = sorted({name for name in names if names.count(name) > 1})
    for name in doubled:
        yield _finding(scheme, "level_twice", name, "one level", f"There are two levels named {name}.")
