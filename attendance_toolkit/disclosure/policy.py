"""What may be shown to whom. Profiles come from here or a file of the user's, never from a notebook cell."""

from __future__ import annotations

from dataclasses import dataclass

from attendance_toolkit.errors import DisclosureError

#: No profile that hides anything may go below this.
FLOOR = 5


@dataclass(frozen=True)
class Policy:
    """A disclosure policy.

    Attributes
    ----------
    threshold
        A count of pupils from 1 to threshold - 1 is hidden; so is 0 of a group (nobody) and the whole
        group (everybody), which say something about each of its members. None hides nothing.
    rounding
        Shown counts are rounded to a multiple of this, and rates are computed from the rounded counts.
    """

    name: str
    threshold: int | None
    rounding: int
    rule: str

    def __post_init__(self) -> None:
        if self.threshold is not None and self.threshold < FLOOR:
            raise DisclosureError(f"A threshold of {self.threshold} is below the floor of {FLOOR}.")


SHARED = Policy(
    "shared",
    10,
    5,
    "Figures that rest on 1 to 9 pupils, on no pupil or on every pupil of a group are hidden and shown as c;"
    " where a total would give one away, the next smallest figure of the same breakdown is hidden too. Counts are"
    " rounded to the nearest 5 and rates are computed from the rounded counts.",
)
INTERNAL = Policy(
    "internal", None, 1, "Nothing is hidden: OFFICIAL-SENSITIVE, for use inside the local authority only."
)
PUBLISHED = Policy("published", None, 1, "Figures the Department for Education has published are shown as published.")

POLICIES = {"partner": SHARED, "internal": INTERNAL}


def policy_for(audience: str) -> Policy:
    """Return the policy for an audience.

    >>> policy_for("partner").threshold
    10
    >>> policy_for("press")
    Traceback (most recent call last):
        ...
    attendance_toolkit.errors.DisclosureError: 'press' is not an audience. Use one of: internal, partner.
    """
    if audience not in POLICIES:
        raise DisclosureError(f"'{audience}' is not an audience. Use one of: {', '.join(sorted(POLICIES))}.")
    return POLICIES[audience]
