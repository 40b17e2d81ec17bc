"""True effects of the intersections of sex, free school meals, special needs and ethnic group."""

from __future__ import annotations

import numpy as np

from attendance_toolkit.loaders.synthetic._parameters import Array, parameters

SEX_LEVELS = ("Male", "Female")
FSM_LEVELS = ("Not known to be FSM eligible", "FSM eligible")
SEN_LEVELS = ("No SEN", "SEN support", "EHC plan")
ETHNIC_LEVELS = ("Asian", "Black", "Mixed", "White", "Any other ethnic group")
SHAPE = (2, 2, 3, 5)


def stratum(girl: Array, fsm: Array, sen: Array, ethnic: Array) -> Array:
    """Return the number of the stratum, 0 to 59."""
    found: Array = ((girl.astype(np.int16) * 2 + fsm) * 3 + sen) * 5 + ethnic
    return found


def expected_shares() -> Array:
    """Return the share of pupils in each of the 60 strata, over the ten authorities (60,)."""
    spec, people = parameters(), parameters()["population"]
    total = sum(about["roll"] for about in spec["areas"].values())
    shares = np.zeros(SHAPE)
    for about in spec["areas"].values():
        for girl in (0, 1):
            special = people["special_girl"] if girl else people["special_boy"]
            for fsm in (0, 1):
                factor = people["sen_girl" if girl else "sen_boy"] * people["sen_fsm" if fsm else "sen_not_fsm"]
                ehc = special + (1 - special) * people["ehc"] * factor
                support = (1 - special) * people["sen_support"] * factor
                base = (people["girl"] if girl else 1 - people["girl"]) * (about["fsm"] if fsm else 1 - about["fsm"])
                cell = base * np.array([1 - ehc - support, support, ehc])
                shares[girl, fsm] += about["roll"] / total * cell[:, None] * np.array(about["ethnicity"])[None, :]
    return shares.ravel()


def stratum_effects(seed: int) -> tuple[Array, Array]:
    """Return (all, drawn): the true effect of each stratum with and without the planted group.

    The normal draws have no main effects left in them (weighted by the expected population), so the
    margins stay as calibrated whatever the seed; the addition for girls with both free school meals and
    special needs comes on top.
    """
    spec = parameters()["strata"]
    draws = np.random.default_rng([seed, 60]).normal(0, spec["spread"], np.prod(SHAPE))
    index = np.stack(np.unravel_index(np.arange(draws.size), SHAPE), axis=1)
    columns = [np.ones(draws.size)]
    for factor, levels in enumerate(SHAPE):
        columns += [(index[:, factor] == level).astype(float) for level in range(1, levels)]
    design, weight = np.stack(columns, axis=1), expected_shares()
    fitted = design @ np.linalg.solve(design.T @ (weight[:, None] * design), design.T @ (weight * draws))
    drawn = draws - fitted
    planted = (index[:, 0] == 1) & (index[:, 1] == 1) & (index[:, 2] > 0)
    return drawn + spec["girl_fsm_sen"] * planted, drawn
