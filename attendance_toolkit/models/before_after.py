"""What became of schools that were met, beside what schools as low as these came to without a meeting.

Schools are met because their attendance was low. Part of that was the term: the lowest schools come back towards what
is usual for them whatever is done, so that a bare comparison of before and after flatters every meeting. Here the change is
never told without the one that was to be expected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.metrics.before_after import Array, SchoolChanges
from attendance_toolkit.models._units import variance_between
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.transition.regression_to_mean import SupportRefusedError

#: Fewer schools met than these that can be compared give no effect; nor do fewer others of a phase in the same terms.
FEWEST_MET, FEWEST_OTHERS = 3, 3
#: Schools of a phase that can vary freely beside the line fitted to them.
FEWEST_SPARE = 5
#: The level of the year before is used where so many are left beside it.
_SPARE_WITH_EARLIER = 15
_CONFIDENCE = 0.95
#: Absence below which schools are taken to vary no less.
_LEAST_ABSENCE = 0.01


@dataclass(frozen=True)
class MeetingEffect:
    """What became of schools that were met, and of others as low; attendance as shares, means over schools.

    Attributes
    ----------
    n, n_left_out
        Schools met that are compared; and those with sessions that are not, since too few others are of their phase.
    before, after
        Mean attendance of the schools met in the term before and in the terms after; each school counts once.
    change
        ``after`` less ``before``: what a bare comparison reports.
    expected_change
        The change of schools of the same phase and the same level before that were not met, with its interval (of the
        expected mean, not of single schools).
    effect
        ``change`` less ``expected_change`` with its 95% interval; above 0 is more attendance than expected.
    others_before, others_change
        Of all schools not met in the same terms, weighted by phase as the schools met.
    se, df
        Standard error of the effect and its degrees of freedom (Satterthwaite).
    spread
        Standard deviation of schools' attendance after around what their level before leads to expect.
    n_others
        Schools not met in the same terms.
    n_earlier
        School years without a meeting in the same terms of earlier years.
    years
        These years.
    uses_earlier_level
        Whether the level of the year before was used beside that of the term before, in any phase.
    phases
        Phases of the schools met that are compared.
    """

    n: int
    n_left_out: int
    before: float
    after: float
    change: float
    expected_change: Estimate
    effect: Estimate
    others_before: float
    others_change: float
    se: float
    df: float
    spread: float
    n_others: int
    n_earlier: int
    years: tuple[int, ...]
    uses_earlier_level: bool
    phases: tuple[str, ...]


@dataclass(frozen=True)
class _Phase:
    """What one phase gives: (n,) met schools, and the variance of the mean difference."""

    phase: str
    n: int
    before: float
    after: float
    expected: float
    variance_expected: float
    variance_schools: float
    spread: float
    df: int
    others_before: float
    others_change: float
    n_others: int
    n_earlier: int
    years: tuple[int, ...]
    uses_earlier: bool


def meeting_effect(changes: SchoolChanges) -> MeetingEffect:
    """Return the change of schools that were met beyond that of other schools of the same phase and level.

    Parameters
    ----------
    changes
        As ``metrics.before_after.school_changes`` gives them.

    Raises
    ------
    SupportRefusedError
        Fewer than three schools met can be compared, or no phase has enough schools that were not met.

    See Also
    --------
    school_effect
        The same from plain arrays, with the method.
    """
    return school_effect(
        changes.before, changes.after, changes.is_met,
        phase=changes.phase, academic_year=changes.academic_year, now=changes.round.academic_year,
        earlier=changes.earlier, authority=changes.laestab // 10_000,
    )  # fmt: skip


def school_effect(
    before: ArrayLike,
    after: ArrayLike,
    is_met: ArrayLike,
    *,
    phase: ArrayLike,
    academic_year: ArrayLike,
    now: int,
    earlier: ArrayLike | None = None,
    authority: ArrayLike | None = None,
) -> MeetingEffect:
    """Return the change of schools that were met beyond what was to be expected of schools as low.

    Parameters
    ----------
    before, after
        Attendance in the term before the meetings and in the terms after, shares, shape (N,), a row a school and year.
    is_met
        (N,) Whether the school was met; in the year ``now`` alone.
    phase, academic_year, authority
        (N,) labels. Schools are held against others of their phase; where there are several authorities, what an
        authority's schools did alike in a year is part of what varies.
    now
        The academic year of the meetings. Rows of other years are schools without a meeting in the same terms.
    earlier
        (N,) attendance in the year before, NaN where it is not known.

    Raises
    ------
    SupportRefusedError
        Too few schools that were met, or that were not, to tell what would have happened anyway.
    ParameterError
        Rates that are not from 0 to 1, shapes that do not fit, or a school met in another year.

    Notes
    -----
    In each phase a line through the schools that were not met, with a level of its own for each year (so that a year that
    was good for all is no effect) and a common slope, says what a school of a given level before comes to. Where the level of the
    year before is known for all schools met, it is used as well. The mean difference of the schools met from the line has the
    variance of a mean of n schools around it, of the line itself, and of authorities; the interval is Student's, with degrees of
    freedom by Satterthwaite (1946, Biometrics Bulletin 2, 110).

    >>> rng = np.random.default_rng(6)
    >>> usual = rng.normal(0.93, 0.012, 80)
    >>> autumn, summer = usual + rng.normal(0, 0.008, 80), usual + rng.normal(0, 0.008, 80)
    >>> lowest = autumn <= np.sort(autumn)[15]
    >>> found = school_effect(autumn, summer, lowest, phase=["Primary"] * 80, academic_year=[202324] * 80, now=202324)
    >>> round(found.change, 3), round(found.expected_change.value, 3), found.effect.is_clear_of(0)
    (0.009, 0.011, False)
    """
    x, y = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    met, year = np.asarray(is_met, dtype=bool), np.asarray(academic_year)
    kind = np.asarray(phase, dtype=object)
    z = np.full(len(x), math.nan) if earlier is None else np.asarray(earlier, dtype=float)
    place = np.zeros(len(x), dtype=object) if authority is None else np.asarray(authority, dtype=object)
    _check(x, y, met, year, kind, z, place, now)
    if not met.any() or met.sum() < FEWEST_MET:
        raise _too_few_met()
    parts: list[_Phase] = []
    for name in sorted(set(kind[met])):
        here = kind == name
        part = _phase(str(name), x[here], y[here], z[here], met[here], year[here], place[here], now)
        if part is not None:
            parts.append(part)
    n = sum(part.n for part in parts)
    if not parts:
        raise SupportRefusedError(
            "No effect of the meetings is stated: there are too few schools of the same school type that were not met to tell"
            " what would have happened anyway.",
            "Needed are some ten schools of the type without a meeting in the same terms, of this year and earlier ones:"
            " load earlier years.",
        )
    if n < FEWEST_MET:
        raise _too_few_met()
    return _together(parts, n, int(met.sum()) - n)


def _too_few_met() -> SupportRefusedError:
    return SupportRefusedError(
        "Too few of the schools that were met can be compared for a change beyond chance to be told.",
        "Three or more are needed with sessions in the terms before and after.",
    )


def _check(
    x: FloatArray, y: FloatArray, met: Array, year: Array, kind: Array, z: FloatArray, place: Array, now: int
) -> None:
    shapes = {array.shape for array in (x, y, met, year, kind, z, place)}
    if len(shapes) > 1 or x.ndim != 1:
        raise ParameterError(f"Give one value of each kind for a school and year; the shapes are {sorted(shapes)}.")
    for rates in (x, y, z[~np.isnan(z)]):
        if not ((rates >= 0) & (rates <= 1)).all():
            raise ParameterError("Attendance must be a share from 0 to 1: leave out schools without it.")
    if met.any() and set(year[met]) != {now}:
        raise ParameterError(f"Schools met are those of the year {now}; leave those of other years out.")


def _phase(
    name: str, x: FloatArray, y: FloatArray, z: FloatArray, met: Array, year: Array, place: Array, now: int
) -> _Phase | None:
    """Return what schools of one phase give, None where too few were not met."""
    others = ~met & (year == now)
    if others.sum() < FEWEST_OTHERS:
        return None
    keep = met | ~np.isnan(z)
    if not np.isnan(z[met]).any() and others[keep].sum() >= FEWEST_OTHERS:
        found = _fitted(name, x[keep], y[keep], z[keep], met[keep], year[keep], place[keep], now)
        if found is not None and found.df >= _SPARE_WITH_EARLIER:
            return found
    return _fitted(name, x, y, None, met, year, place, now)


def _fitted(
    name: str, x: FloatArray, y: FloatArray, z: FloatArray | None, met: Array, year: Array, place: Array, now: int
) -> _Phase | None:
    """Fit the line to the schools not met and hold those met against it."""
    years = [one for one in sorted(set(year)) if (~met & (year == one)).sum() >= FEWEST_OTHERS]
    keep = np.isin(year, years)
    x, y, met, year, place = x[keep], y[keep], met[keep], year[keep], place[keep]
    levels = (year[:, None] == np.array(years)[None, :]).astype(float)
    slopes = [x - x[met].mean()] if z is None else [x - x[met].mean(), z[keep] - z[keep][met].mean()]
    design = np.column_stack([levels, *slopes])
    # Schools of twice the absence vary twice as much around the line.
    scale = np.maximum(1 - x, _LEAST_ABSENCE)
    fit, target = design[~met] / scale[~met, None], y[~met] / scale[~met]
    inverse = np.linalg.pinv(fit.T @ fit)
    df = len(target) - int(np.linalg.matrix_rank(fit))
    if df < FEWEST_SPARE:
        return None
    beta = inverse @ fit.T @ target
    residual = target - fit @ beta
    variance = float(residual @ residual) / df
    mean = design[met].mean(axis=0)
    squared = float((scale[met] ** 2).mean())
    between, share = _authorities(residual, variance, place[~met], year[~met], place[met])
    others = ~met & (year == now)
    return _Phase(
        phase=name,
        n=int(met.sum()),
        before=float(x[met].mean()),
        after=float(y[met].mean()),
        expected=float(mean @ beta),
        variance_expected=float(mean @ inverse @ mean) * variance,
        variance_schools=variance * squared / int(met.sum()) + between * squared * share,
        spread=math.sqrt(variance * squared),
        df=df,
        others_before=float(x[others].mean()),
        others_change=float((y[others] - x[others]).mean()),
        n_others=int(others.sum()),
        n_earlier=int((~met & (year != now)).sum()),
        years=tuple(int(one) for one in years if one != now),
        uses_earlier=z is not None,
    )


def _authorities(
    residual: FloatArray, variance: float, place: Array, year: Array, of_met: Array
) -> tuple[float, float]:
    """Return the variance between authorities' years beyond chance, and the sum of squared shares of the schools met."""
    if len(set(place)) < 2:
        return 0.0, 0.0
    units = np.array([f"{la} {one}" for la, one in zip(place, year, strict=True)])
    _, codes = np.unique(units, return_inverse=True)
    count = np.bincount(codes)
    means = np.bincount(codes, weights=residual) / count
    precision = count / variance
    centre = float(precision @ means / precision.sum())
    between = variance_between(float(precision @ (means - centre) ** 2), precision)
    shares = np.unique(of_met.astype(str), return_counts=True)[1] / len(of_met)
    return between, float((shares**2).sum())


def _together(parts: Sequence[_Phase], n: int, left_out: int) -> MeetingEffect:
    """Put the phases together, each school met counting once."""
    share = [part.n / n for part in parts]

    def mean(values: Sequence[float]) -> float:
        return float(sum(weight * value for weight, value in zip(share, values, strict=True)))

    variances = [
        weight**2 * (part.variance_schools + part.variance_expected) for weight, part in zip(share, parts, strict=True)
    ]
    se = math.sqrt(sum(variances))
    df = (
        sum(variances) ** 2 / sum(value**2 / part.df for value, part in zip(variances, parts, strict=True))
        if se
        else 1.0
    )
    se_expected = math.sqrt(sum(weight**2 * part.variance_expected for weight, part in zip(share, parts, strict=True)))
    t = float(stats.t.ppf((1 + _CONFIDENCE) / 2, df))
    before, after, expected = (
        mean([getattr(part, name) for part in parts]) for name in ("before", "after", "expected")
    )
    effect = after - expected
    rise = expected - before
    return MeetingEffect(
        n=n,
        n_left_out=left_out,
        before=before,
        after=after,
        change=after - before,
        expected_change=Estimate(rise, rise - t * se_expected, rise + t * se_expected),
        effect=Estimate(effect, effect - t * se, effect + t * se),
        others_before=mean([part.others_before for part in parts]),
        others_change=mean([part.others_change for part in parts]),
        se=se,
        df=df,
        spread=math.sqrt(mean([part.spread**2 for part in parts])),
        n_others=sum(part.n_others for part in parts),
        n_earlier=sum(part.n_earlier for part in parts),
        years=tuple(sorted({year for part in parts for year in part.years})),
        uses_earlier_level=any(part.uses_earlier for part in parts),
        phases=tuple(part.phase for part in parts),
    )
