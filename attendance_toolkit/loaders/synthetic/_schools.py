"""Invented schools of the ten fictitious authorities, with their true effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from attendance_toolkit.loaders.synthetic._parameters import (
    PRIMARY,
    REFERRAL,
    SECONDARY,
    SPECIAL,
    YEARS,
    Array,
    parameters,
)

# Made up; every school name ends in "(synthetic)" as well.
_FIRST = (
    *("Larkmoss", "Thornbeck", "Quillow", "Emberly", "Wrenholt", "Dunmarsh", "Oakhurn", "Fallowick"),
    *("Brindlegh", "Copperstow", "Mistlow", "Hazelden", "Rookmere", "Silverhay", "Tarnwick", "Ashlowby"),
    *("Pellowen", "Marrowby", "Stonelark", "Fernwhit", "Gorsebank", "Heronsley", "Ivelmoor", "Juniperton"),
)
_SECOND = (
    *("Lane", "Road", "Green", "Park", "Brook", "Hill", "Fold", "Bridge"),
    *("Meadow", "Clough", "Rise", "Common", "Wood", "Cross", "Field", "View"),
)
_KINDS = {
    PRIMARY: ("Primary School", "Community Primary School", "CE Primary School", "RC Primary School", "Academy"),
    SECONDARY: ("High School", "School", "Academy", "RC High School", "College"),
    SPECIAL: ("Special School",),
    REFERRAL: ("Pupil Referral Unit",),
}
_FIRST_ESTABLISHMENT = {PRIMARY: 2001, SECONDARY: 4001, SPECIAL: 7001, REFERRAL: 1101}
_ACADEMY_SHARE = {PRIMARY: 0.4, SECONDARY: 0.75, SPECIAL: 0.35, REFERRAL: 0.0}


@dataclass(frozen=True)
class Schools:
    """All schools of the ten authorities, one position per school in every array."""

    laestab: Array
    urn: Array
    name: Array
    phase: Array
    """0 primary, 1 secondary, 2 special, 3 pupil referral unit."""
    area: Array
    """Index of the authority, 0 to 9."""
    is_academy: Array
    weight: Array
    """Relative size within authority and phase."""
    effect: Array
    """True effect on the logit of missing a session."""
    year_effect: Array
    """True departure of each of the three years (schools, 3), planted trend included."""
    year7_dip: Array
    slope: Array
    """Planted trend, logits a year; 0 for most schools."""
    sends_year11: Array
    """The school also returns the second half of the summer term for Year 11."""

    def of(self, area: int, phase: int) -> Array:
        """Return the positions of one authority's schools of a phase."""
        found: Array = np.flatnonzero((self.area == area) & (self.phase == phase))
        return found


def make_schools(seed: int, size: str) -> Schools:
    """Return the schools of all ten authorities; each authority has its own random stream."""
    spec = parameters()
    process = spec["school_process"]
    parts: list[dict[str, Any]] = []
    for area, (dfe_code, about) in enumerate(spec["areas"].items()):
        rng = np.random.default_rng([seed, int(dfe_code), 1])
        sizes = spec["sizes"][size]
        roll = sizes.get("roll") or about["roll"] * sizes["scale"]
        cohort = roll / 11
        special_share = 0.023
        counts = {
            PRIMARY: max(sizes["least"][0], round(7 * cohort * (1 - special_share) / sizes["primary"])),
            SECONDARY: max(sizes["least"][1], round(5 * cohort * (1 - special_share) / sizes["secondary"])),
            SPECIAL: max(sizes["least"][2], round(12 * cohort * special_share / sizes["special"])),
            REFERRAL: 1,
        }
        serial = 0
        names = rng.permutation(len(_FIRST) * len(_SECOND))
        for phase, count in counts.items():
            place = [f"{_FIRST[k % len(_FIRST)]} {_SECOND[k // len(_FIRST)]}" for k in names[serial : serial + count]]
            kinds = _KINDS[phase]
            kind = rng.integers(0, len(kinds), count)
            weight = np.exp(rng.normal(0, 0.25, count))
            weight = weight / weight.sum()
            spread = process["spread"][min(phase, SPECIAL)]
            effect = rng.normal(0, spread, count)
            dip = rng.normal(0, process["year7_dip_spread"], count) * (phase == SECONDARY)
            yearly = rng.normal(0, process["year_spread"], (count, len(YEARS)))
            # Effects are departures from the authority's own mean, so that its level is what was calibrated.
            effect -= (weight * effect).sum()
            dip -= (weight * dip).sum()
            yearly -= weight @ yearly
            slope = np.zeros(count)
            if phase in (PRIMARY, SECONDARY) and count >= 3:
                slope[:2] = (-process["planted_slope"], process["planted_slope"])
            yearly += slope[:, None] * (np.arange(len(YEARS)) - 1)
            name = [f"{p} {kinds[k]} (synthetic)" for p, k in zip(place, kind, strict=True)]
            academy = rng.random(count) < _ACADEMY_SHARE[phase]
            if phase in (PRIMARY, SECONDARY):
                academy[0], academy[-1] = True, False
            parts.append(
                {
                    "laestab": int(dfe_code) * 10000 + _FIRST_ESTABLISHMENT[phase] + np.arange(count),
                    "urn": 900000 + area * 1000 + serial + np.arange(count),
                    "name": np.array(name, dtype=object),
                    "phase": np.full(count, phase, np.int8),
                    "area": np.full(count, area, np.int8),
                    "is_academy": academy,
                    "weight": weight,
                    "effect": effect,
                    "year_effect": yearly,
                    "year7_dip": dip,
                    "slope": slope,
                    "sends_year11": (np.arange(count) == count - 1) & (phase == SECONDARY) & (count >= 3),
                }
            )
            serial += count
    return Schools(**{key: np.concatenate([part[key] for part in parts]) for key in parts[0]})
