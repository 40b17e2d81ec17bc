"""Write the list of meetings an authority had with its schools: with those whose attendance had just been lowest.

The meetings do nothing: attendance after them is what it would have been. Since the schools were chosen for one low
term, most of them are higher afterwards all the same.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from attendance_toolkit.loaders.synthetic._attendance import possible_sessions
from attendance_toolkit.loaders.synthetic._cohort import SyntheticCohort
from attendance_toolkit.loaders.synthetic._parameters import AUTHORISED, CODES, UNAUTHORISED
from attendance_toolkit.loaders.synthetic._pupil_lists import _write

MEETINGS_STREAM = 16
MEETING_YEAR = 202324
#: One school in so many is met.
_ONE_IN = 5
_FIRST_DAY, _SCHOOL_DAYS, _WEEKEND = date(2024, 1, 9), 14, 5


def write_meetings(cohort: SyntheticCohort, folder: Path | str) -> list[Path]:
    """Write which schools each authority met in January 2024, and return the paths.

    ``<dfe code>_meetings.csv`` has about a fifth of the schools, one or more: those furthest below the attendance of
    their phase in the authority in autumn 2023. The lower half of them were met in person (Red), the others online
    (Amber). The true effect is zero. A cohort without 2023/24 has no such list.

    Parameters
    ----------
    cohort
        Of any years and authorities; a list does not depend on which others are asked for.
    folder
        Made if it is not there.
    """
    if MEETING_YEAR not in cohort.years:
        return []
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    levels = _autumn_levels(cohort)
    paths = []
    for area in cohort.areas:
        rng = np.random.default_rng([cohort.seed, int(area.dfe_code), MEETINGS_STREAM])
        here = levels[levels["dfe_code"] == area.dfe_code].sort_values(["difference", "laestab"])
        met = here["laestab"].to_numpy()[: max(len(here) // _ONE_IN, 1)]
        rows = []
        for place, laestab in enumerate(met):
            step = int(rng.integers(_SCHOOL_DAYS))
            # 9 January 2024 is a Tuesday: count working days from there.
            weeks, days = divmod(step + 1, _WEEKEND)
            day = _FIRST_DAY + timedelta(days=7 * weeks + days - 1)
            is_lower = 2 * place < len(met)
            rows.append(
                (laestab, day.isoformat(), "in person" if is_lower else "online", "Red" if is_lower else "Amber")
            )
        paths.append(_write(target / f"{area.dfe_code}_meetings.csv", ("laestab", "date", "kind", "colour"), rows))
    return paths


def _autumn_levels(cohort: SyntheticCohort) -> pd.DataFrame:
    """Return laestab, dfe_code and by how much attendance in the autumn differs from that of the phase in the authority."""
    sessions = cohort.sessions
    rows = sessions[(sessions["academic_year"] == MEETING_YEAR) & (sessions["half_term"] == "1-2")]
    marks = rows[list(CODES)].to_numpy()
    counts = pd.DataFrame(
        {
            "laestab": cohort.enrolments["laestab"].to_numpy()[rows["enrolment"].to_numpy()],
            "possible": possible_sessions(marks, covid=False).astype(np.int64),
            "missed": marks[:, AUTHORISED].sum(1, dtype=np.int64) + marks[:, UNAUTHORISED].sum(1, dtype=np.int64),
        }
    )
    schools = cohort.schools[["laestab", "dfe_code", "phase"]].astype({"phase": "str"})
    totals = counts.groupby("laestab", as_index=False).sum().merge(schools, on="laestab")
    totals = totals[totals["possible"] > 0]
    of_phase = totals.groupby(["dfe_code", "phase"])[["possible", "missed"]].transform("sum")
    # Less attendance than the phase is more absence than it.
    totals["difference"] = of_phase["missed"] / of_phase["possible"] - totals["missed"] / totals["possible"]
    return totals
