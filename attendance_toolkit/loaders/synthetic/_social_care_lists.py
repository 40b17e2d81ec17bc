"""What an authority knows of its pupils from social care: child protection plans, young carers, who looks after a child.

Nothing here acts on anybody's attendance. The draws depend on the pupil, the year and the seed alone, so that a list does not
depend on what else is generated, and the other files of a cohort are the same with these columns and without them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from attendance_toolkit.loaders.synthetic._cohort import SyntheticCohort
from attendance_toolkit.loaders.synthetic._parameters import Array
from attendance_toolkit.vocabulary.areas import all_areas

PLAN_STREAM, CARER_STREAM, AUTHORITY_STREAM = 13, 14, 15
#: Share of the children with a social worker who are not looked after that are on a child protection plan: about 0.5% of all.
ON_PLAN = 0.18
YOUNG_CARERS = 0.006
#: Share of looked-after children whom another authority looks after than the one whose roll they were first on.
PLACED = 0.15


def social_care_columns(cohort: SyntheticCohort, year: int, pupil: pd.DataFrame) -> dict[str, Array]:
    """Return the columns of a list of flags that follow the two of the cohort itself.

    Parameters
    ----------
    cohort
        Its seed is used.
    year
        Academic year: plans begin and end, so each year has its own.
    pupil
        Rows of ``cohort.pupils``.

    Returns
    -------
    ``protection_plan`` and ``young_carer`` (Yes or No), and ``responsible_la``, the name of the authority that looks after the
    child, empty for children who are not looked after.
    """
    identity = pupil["pupil_id"].to_numpy()
    looked_after = pupil["is_looked_after"].to_numpy()
    is_known = pupil["has_social_worker"].to_numpy() & ~looked_after
    on_plan = is_known & (_uniform(cohort.seed, PLAN_STREAM, identity, year) < ON_PLAN)
    is_carer = _uniform(cohort.seed, CARER_STREAM, identity) < YOUNG_CARERS
    return {
        "protection_plan": np.where(on_plan, "Yes", "No").astype(object),
        "young_carer": np.where(is_carer, "Yes", "No").astype(object),
        "responsible_la": np.where(looked_after, _authorities(cohort, pupil), "").astype(object),
    }


def _authorities(cohort: SyntheticCohort, pupil: pd.DataFrame) -> Array:
    """Return the name of the authority that would look after each pupil: mostly that of its first school."""
    listed = [area for area in all_areas() if area.is_synthetic and area.level == "Local authority"]
    listed.sort(key=lambda area: area.code)
    names = np.array([area.name for area in listed], dtype=object)
    # The second to fourth characters of a UPN are the code of the authority of the pupil's first school.
    first = pupil["upn"].astype(str).str[1:4]
    home = first.map({area.dfe_code: place for place, area in enumerate(listed)}).fillna(0).astype(int).to_numpy()
    identity = pupil["pupil_id"].to_numpy()
    draw = _uniform(cohort.seed, AUTHORITY_STREAM, identity)
    step = 1 + np.floor(draw / PLACED * (len(listed) - 1)).astype(int)
    found: Array = names[np.where(draw < PLACED, home + step, home) % len(listed)]
    return found


def _uniform(seed: int, stream: int, identity: Array, year: int = 0) -> Array:
    """Return a number in [0, 1) for each pupil that depends on nothing else (the mixing function of SplitMix64)."""
    mixed = identity.astype(np.uint64) + np.uint64(((seed * 64 + stream) * 1_000_003 + year) % 2**63)
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    found: Array = ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)).astype(float) / 2**53
    return found
