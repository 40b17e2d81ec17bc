"""Schools that were made to improve or deteriorate: how often the shrunken change finds them, and is right.

    python benchmarks/planted_schools.py            # about a minute: full size, two seeds

Synthetic authorities have schools whose absence was planted to fall or rise by 0.25 logits a year; all other schools move by
chance, and with all of them together. Persistent absence is counted by DfE's rules here, apart from the toolkit, and given to
``models.funnel.shrunken_change`` phase by phase as the page does. A school's true change is that of its planted effects and of
all schools of its phase. The alternative beside it is what is done by hand: naming a school whose rate fell, or whose interval
of the difference leaves out 0, with no shrinking.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from attendance_toolkit.intervals import newcombe_interval, wilson_interval
from attendance_toolkit.loaders.synthetic import generate
from attendance_toolkit.models.funnel import shrunken_change
from attendance_toolkit.vocabulary.directions import direction_of

AUTHORISED, UNAUTHORISED = list("IMRSTHEC"), list("GUON")
ATTENDED = ["/", "\\", *"LBJPVW"]
FIRST, LAST = 202122, 202324
PHASES = {"PS": "Primary", "SS": "Secondary"}


def school_counts(cohort) -> pd.DataFrame:
    """Return pupils and persistent absentees of each school in the first and the last year."""
    sessions = cohort.sessions[cohort.sessions["academic_year"].isin((FIRST, LAST))]
    stay = cohort.enrolments.iloc[sessions["enrolment"].to_numpy()]
    pupil = cohort.pupils.iloc[stay["pupil"].to_numpy()]
    year, half = sessions["academic_year"].to_numpy(), sessions["half_term"].astype(str).to_numpy()
    absent = sessions[[*AUTHORISED, *UNAUTHORISED]].sum(axis=1).to_numpy(int)
    covid = np.where((year == FIRST) & np.isin(half, ["1-2", "3-4"]), sessions["X"], 0)
    possible = sessions[ATTENDED].sum(axis=1).to_numpy(int) + absent + covid
    age = year // 100 - pupil["birth_date"].dt.year.to_numpy() - (pupil["birth_date"].dt.month >= 9).to_numpy()
    kept = (age >= 5) & (age <= 15) & ~pupil["is_boarder"].to_numpy() & ~((age == 15) & (half == "6")) & (possible > 0)
    rows = pd.DataFrame({"pupil": stay["pupil"].to_numpy(), "laestab": stay["laestab"].to_numpy(), "year": year})
    rows = rows.assign(absent=absent, possible=possible)[kept]
    pupils = rows.groupby(["laestab", "year", "pupil"])[["absent", "possible"]].sum()
    flag = (10 * pupils["absent"] >= pupils["possible"]).groupby(["laestab", "year"])
    return pd.DataFrame({"absent": flag.sum(), "pupils": flag.size()}).unstack("year").dropna()


def verdicts(counts: pd.DataFrame) -> pd.DataFrame:
    """Return each school's verdict by the written definition, and by its own interval alone."""
    (y0, y1), (n0, n1) = (counts[name][[FIRST, LAST]].to_numpy(float).T for name in ("absent", "pupils"))
    found = shrunken_change(y0, n0, y1, n1)
    least = direction_of("school").parameters["probability"] / 100
    named = np.where(found.probability_fell >= least, "fell", np.where(found.probability_rose >= least, "rose", ""))
    low, high = newcombe_interval(y1 / n1, wilson_interval(y1, n1), y0 / n0, wilson_interval(y0, n0))
    plain = np.where(high < 0, "fell", np.where(low > 0, "rose", ""))
    sign = np.where(y1 / n1 < y0 / n0, "fell", "rose")
    frame = pd.DataFrame(
        {
            "shrunken": named if found.has_variance else "",
            "interval alone": plain,
            "rate alone": sign,
            "lower": found.lower,
            "upper": found.upper,
        },
        index=counts.index,
    )
    logit = np.log(y1.sum() / (n1.sum() - y1.sum())) - np.log(y0.sum() / (n0.sum() - y0.sum()))
    return frame.assign(common=logit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="full", choices=("small", "sample", "full"))
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    parts = []
    for seed in range(1, options.seeds + 1):
        cohort = generate(options.size, seed)
        truth = cohort.truth["schools"].set_index("laestab")
        phase = cohort.schools.set_index("laestab")["phase"].astype(str)
        counts = school_counts(cohort)
        for code, name in PHASES.items():
            here = counts[phase.reindex(counts.index).eq(code)]
            own = (truth[f"effect_{LAST}"] - truth[f"effect_{FIRST}"]).reindex(here.index)
            frame = verdicts(here)
            # Effects are of absence; what all schools share is seen in all of them together.
            change = own - own.mean() + frame["common"]
            parts.append(frame.assign(phase=name, trend=truth["trend"].reindex(here.index), change=change))
    every = pd.concat(parts)
    print(f"{len(every):,} schools, {options.seeds} seeds of size {options.size}; {FIRST} to {LAST}\n")
    for name, here in every.groupby("phase"):
        print(f"{name}: {len(here):,} schools; all together {here['common'].mean():+.2f} logits")
        for rule in ("shrunken", "interval alone", "rate alone"):
            told = here[here[rule] != ""]
            right = np.where(told[rule] == "fell", told["change"] < 0, told["change"] > 0)
            improving, deteriorating = (here[here["trend"] == trend] for trend in ("improving", "deteriorating"))
            none = here[here["trend"] == "none"]
            print(
                f"  {rule}: planted improving told as fallen {(improving[rule] == 'fell').mean():.0%} of {len(improving)},"
                f" planted deteriorating told as risen {(deteriorating[rule] == 'rose').mean():.0%} of {len(deteriorating)};"
                f" others told {(none[rule] != '').mean():.0%} of {len(none)}; right of all told {right.mean():.1%}"
            )


if __name__ == "__main__":
    main()
