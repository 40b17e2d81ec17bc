"""Are the figures of printed cards possible, and do they follow from each other?

Each derived figure is worked out again from the other printed ones by ``metrics.cards``. As in
``metrics.reconciliation``, a finding is made only where no rounding of the printed digits explains the figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from attendance_toolkit.metrics import cards as formulas
from attendance_toolkit.metrics.reconciliation import PrintedFinding
from attendance_toolkit.vocabulary.calendar import parse_academic_year, show_academic_year
from attendance_toolkit.vocabulary.rounding import round_half_up, show_number

CARD_NAMES = {"overall": "Overall absence", "persistent": "Persistent absence", "severe": "Severe absence"}
#: What ``recompute_cards`` adds to the printed figures.
RECOMPUTED_COLUMNS = ("recomputed", "basis", "agrees")
TABLE = "Cards"

_PREVIOUS = "previous_year_"
_GROUPS = ("persistent", "severe")
_LABELS = {
    "no_absence_enrolments": "Enrolments with no absence",
    "no_absence": "Share with no absence",
    "overall_absence_without": "Overall absence without them",
    "three_year_mean": "Mean of three years",
}
#: The share of their own sessions absentees of each kind miss at least.
_LEAST_MISSED = {"persistent": 10, "severe": 50}
_UNITS = {"percent": "%", "percentage points": " percentage points"}
#: Floats of exact counts differ from the true quotient by far less than any printed digit.
_NOISE = 1e-9

Key = tuple[str, str]


@dataclass(frozen=True)
class _Recomputed:
    value: float
    basis: str
    low: float
    high: float
    """Between these the figure can lie, whatever was rounded before it was printed."""


def quantity_label(quantity: str) -> str:
    """Return the name of a figure as people read it.

    >>> quantity_label("sessions_missed"), quantity_label("previous_year_2022_23")
    ('Sessions missed', 'Rate in 2022/23')
    """
    if quantity.startswith(_PREVIOUS):
        year = parse_academic_year(quantity.removeprefix(_PREVIOUS).replace("_", "/"))
        return f"Rate in {show_academic_year(year)}"
    return _LABELS.get(quantity, quantity.replace("_", " ").capitalize())


def recompute_cards(cards: pd.DataFrame) -> pd.DataFrame:
    """Return the printed figures with each derived one worked out again.

    Parameters
    ----------
    cards
        Figures of one set of cards (``loaders.printed.CARD_COLUMNS``).

    Returns
    -------
    The rows and columns given and ``recomputed`` (unrounded, in the printed unit; missing for a figure that
    is an input or cannot be worked out), ``basis`` (from what, in words) and ``agrees`` (True where there is
    nothing to compare).
    """
    values = _Values(cards)
    made = dict(_derived(values))
    rows = cards.copy()
    keys = list(zip(rows["card"], rows["quantity"], strict=True))
    rows["recomputed"] = [made[key].value if key in made else math.nan for key in keys]
    rows["basis"] = [made[key].basis if key in made else _why_not(key, values) for key in keys]
    rows["agrees"] = [
        key not in made or math.isnan(value) or _can_be(value, int(decimals), made[key])
        for key, value, decimals in zip(keys, rows["value"], rows["decimals"], strict=True)
    ]
    return rows


def _can_be(printed: float, decimals: int, made: _Recomputed) -> bool:
    half = 0.5 * 10.0**-decimals + _NOISE
    return made.low - half <= printed <= made.high + half


def check_cards(cards: pd.DataFrame) -> tuple[PrintedFinding, ...]:
    """Find figures of printed cards that do not follow from the others, and inputs that cannot be true together.

    The cells of a finding are (number of the row, "printed").
    """
    rows = recompute_cards(cards).reset_index(drop=True)
    found = []
    for index, row in enumerate(rows.to_dict("records")):
        if row["agrees"]:
            continue
        decimals = int(row["decimals"])
        expected = _said(round_half_up(row["recomputed"], decimals), decimals, row["unit"])
        found.append(
            PrintedFinding(
                "card_recomputed",
                TABLE,
                ((index, "printed"),),
                row["printed"],
                expected,
                f"{_card(row['card'])}: {_lower(quantity_label(row['quantity']))} is printed as"
                f" {_said(row['value'], decimals, row['unit'])}, but {row['basis']} gives {expected}.",
            )
        )
    return (*found, *_impossible(rows))


class _Values:
    """The printed figures by card and quantity; a missing one is NaN."""

    def __init__(self, cards: pd.DataFrame) -> None:
        keys = list(zip(cards["card"], cards["quantity"], strict=True))
        self.values: Mapping[Key, float] = dict(zip(keys, cards["value"], strict=True))
        self.decimals: Mapping[Key, int] = dict(zip(keys, cards["decimals"], strict=True))
        self.previous = next((name for _, name in keys if name.startswith(_PREVIOUS)), f"{_PREVIOUS}unknown")

    def __call__(self, card: str, quantity: str) -> float:
        return float(self.values.get((card, quantity), math.nan))

    def missed(self, card: str) -> float:
        """Sessions missed by everybody or by a group of absentees."""
        if card == "overall":
            return self("overall", "sessions_missed")
        return self(card, "sessions_authorised") + self(card, "sessions_unauthorised")

    def rate(self, card: str) -> Key:
        return card, "overall_absence" if card == "overall" else "rate"


def _derived(values: _Values) -> Iterator[tuple[Key, _Recomputed]]:
    """Return every figure that can be worked out from the printed ones."""
    everybody, missed, possible = values("overall", "enrolments"), values.missed("overall"), _possible(values)
    none = values("overall", "no_absence_enrolments")
    yield from _one(
        "overall", "overall_absence", 100 * _ratio(missed, possible), f"{_n(missed)} of {_n(possible)} sessions"
    )
    mean = formulas.mean_sessions_missed_of(missed, everybody)
    yield from _one("overall", "mean_sessions_missed", mean, f"{_n(missed)} sessions over {_n(everybody)} enrolments")
    share = 100 * _ratio(none, everybody)
    yield from _one("overall", "no_absence", share, f"{_n(none)} of {_n(everybody)} enrolments")
    for card in _GROUPS:
        count, theirs, their_possible = values(card, "enrolments"), values.missed(card), _possible(values, card)
        others = f"{_n(missed - theirs)}"
        yield from _one(card, "rate", 100 * _ratio(count, everybody), f"{_n(count)} of {_n(everybody)} enrolments")
        mean = formulas.mean_sessions_missed_of(theirs, count)
        yield from _one(card, "mean_sessions_missed", mean, f"{_n(theirs)} sessions over {_n(count)} enrolments")
        extra = formulas.extra_sessions_missed(missed, everybody, theirs, count)
        basis = (
            f"{_n(theirs)} sessions over {_n(count)} enrolments less {others} over the other {_n(everybody - count)}"
        )
        yield from _one(card, "extra_sessions_missed", extra, basis)
        without = 100 * formulas.overall_absence_without(missed, possible, theirs, their_possible)
        basis = f"{others} of {_n(possible - their_possible)} sessions of everybody else"
        yield from _one(card, "overall_absence_without", without, basis)
        previous = values(card, values.previous)
        equivalent = formulas.equivalent_at_current_cohort(count, previous, everybody)
        basis = f"{_n(count)} less {previous:g}% of {_n(everybody)} enrolments"
        yield from _one(card, "equivalent_at_current_cohort", equivalent, basis)
    counted = {"overall": (missed, possible)} | {card: (values(card, "enrolments"), everybody) for card in _GROUPS}
    for card in ("overall", *_GROUPS):
        yield from _change(card, values, 100 * _ratio(*counted[card]))


def _change(card: str, values: _Values, exact: float) -> Iterator[tuple[Key, _Recomputed]]:
    """Return the change on the year before: cards subtract the rates as printed, others those not rounded."""
    key, previous = values.rate(card), (card, values.previous)
    now, before = values(*key), values(*previous)
    if math.isnan(now + before):
        return
    slack = 0.5 * 10.0 ** -values.decimals[previous]
    half = 0.5 * 10.0 ** -values.decimals[key]
    if math.isnan(exact):
        exact, slack = now, slack + half
    basis = f"{now:g}% less {before:g}%, both as printed"
    if abs(now - exact) > half + _NOISE:
        # The rate itself is misprinted: the change is held against the true one.
        now = exact
        basis = f"{exact:.2f}% less {before:g}%"
    change: Any = formulas.change_pp(now / 100, before / 100)
    centre = exact - before
    yield (card, "change"), _Recomputed(float(change), basis, centre - slack, centre + slack)


def _possible(values: _Values, card: str = "overall") -> float:
    return values(card, "sessions_possible")


def _ratio(top: float, bottom: float) -> Any:
    return formulas.ratio(top, bottom)


def _one(card: str, quantity: str, value: Any, basis: str) -> Iterator[tuple[Key, _Recomputed]]:
    if not math.isnan(value):
        yield (card, quantity), _Recomputed(float(value), basis, float(value), float(value))


def _why_not(key: Key, values: _Values) -> str:
    """Say what a figure is that is not worked out."""
    card, quantity = key
    span = _third_year(card, values) if quantity == "three_year_mean" else None
    if span is not None:
        return f"given; the year not printed would be {span[0]:.2f}% to {span[1]:.2f}%"
    return "given"


def _third_year(card: str, values: _Values) -> tuple[float, float] | None:
    """Return the lowest and highest rate the third year of a three-year mean can have had."""
    mean, now, before = (card, "three_year_mean"), values.rate(card), (card, values.previous)
    if not {mean, now, before} <= set(values.values):
        return None
    centre = 3 * values(*mean) - values(*now) - values(*before)
    slack = sum(n * 0.5 * 10.0 ** -values.decimals[key] for n, key in ((3, mean), (1, now), (1, before)))
    return centre - slack, centre + slack


def _impossible(rows: pd.DataFrame) -> Iterator[PrintedFinding]:
    """Find inputs that cannot be true together: a part above its whole, too little absence of absentees."""
    values = _Values(rows)
    places = {key: number for number, key in enumerate(zip(rows["card"], rows["quantity"], strict=True))}

    def finding(keys: list[Key], expected: str, says: str) -> PrintedFinding:
        cells = tuple((places[key], "printed") for key in keys if key in places)
        printed = " and ".join(str(rows.loc[places[key], "printed"]) for key in keys if key in places)
        return PrintedFinding("card_impossible", TABLE, cells, printed, expected, says)

    wholes: list[tuple[Key, Key]] = [
        (("overall", "sessions_missed"), ("overall", "sessions_possible")),
        (("overall", "no_absence_enrolments"), ("overall", "enrolments")),
        *(((card, name), ("overall", name)) for card in _GROUPS for name in ("enrolments", "sessions_possible")),
        *(
            (("severe", name), ("persistent", name))
            for name in ("enrolments", "sessions_authorised", "sessions_unauthorised", "sessions_possible")
        ),
    ]
    for part, whole in wholes:
        if values(*part) > values(*whole):
            yield finding(
                [part, whole],
                f"at most {_n(values(*whole))}",
                f"{_card(part[0])}: {_lower(quantity_label(part[1]))} is printed as {_n(values(*part))}, above the"
                f" {_n(values(*whole))} of {_lower(_card(whole[0]))} ({_lower(quantity_label(whole[1]))}), of which"
                " it is a part.",
            )
    for card in _GROUPS:
        missed, possible, least = values.missed(card), _possible(values, card), _LEAST_MISSED[card]
        keys = [(card, name) for name in ("sessions_authorised", "sessions_unauthorised")]
        if missed > values.missed("overall"):
            yield finding(
                keys,
                f"at most {_n(values.missed('overall'))}",
                f"{_card(card)}: {_n(missed)} sessions missed are more than the {_n(values.missed('overall'))} of all.",
            )
        if possible > 0 and not least * possible / 100 <= missed <= possible:
            yield finding(
                [*keys, (card, "sessions_possible")],
                f"{least}% to 100%",
                f"{_card(card)}: {_n(missed)} of {_n(possible)} sessions is {_n(100 * missed / possible, 1)}%; these"
                f" enrolments missed {least}% or more, so it must be {least}% to 100%.",
            )
    for card in ("overall", *_GROUPS):
        span = _third_year(card, values)
        if span is not None and (span[1] < 0 or span[0] > 100):
            yield finding(
                [(card, "three_year_mean")],
                "a mean of three possible rates",
                f"{_card(card)}: the three-year mean {_n(values(card, 'three_year_mean'), 1)}% would need"
                f" {_n(span[0], 1)}% to {_n(span[1], 1)}% in the year that is not printed, which no rate can be.",
            )


def _n(value: float, decimals: int = 0) -> str:
    return "an unknown number" if math.isnan(value) else show_number(value, decimals)


def _said(value: float, decimals: int, unit: str) -> str:
    return f"{show_number(value, decimals)}{_UNITS.get(unit, '')}"


def _card(card: str) -> str:
    return CARD_NAMES.get(card, card.capitalize())


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
