"""What may be shown to whom. Profiles come from here or a file of the user's, never from a notebook cell."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from attendance_toolkit.errors import DisclosureError, did_you_mean

#: No profile that hides anything may go below these.
FLOOR = 5
WIDTH_FLOOR = 3
ROUNDINGS = (1, 5, 10)
#: Characteristics whose few unknown pupils may be counted with another level: of these, one level asserts nothing.
MERGEABLE = ("fsm_eligible", "fsm6", "sen_provision")


@dataclass(frozen=True)
class Policy:
    """A disclosure policy.

    Attributes
    ----------
    threshold
        A group of 1 to threshold - 1 pupils is hidden, and so is a status that fewer than threshold pupils of a
        group have, or do not have: nobody and everybody say something about each member. None hides nothing.
    rounding
        Shown counts are rounded to a multiple of this, and rates are computed from the rounded counts.
    width
        From all that is shown nobody can work a hidden count out more closely than to a range of this many.
    approver, approved_on
        Who approved it, and when (2026-11-22): needed for whatever is weaker than the profile "shared".
    merge_unknown
        Characteristics whose unknown pupils are counted with the level that asserts nothing of them.
    retention_days
        How long restricted files are kept unless they say otherwise.
    """

    name: str
    threshold: int | None
    rounding: int
    width: int = 5
    approver: str = ""
    approved_on: str = ""
    merge_unknown: tuple[str, ...] = MERGEABLE
    restricted_folder: str = ""
    retention_days: int = 365
    contact: str = ""

    def __post_init__(self) -> None:
        if self.threshold is not None and self.threshold < FLOOR:
            raise DisclosureError(f"A threshold of {self.threshold} is below the floor of {FLOOR}.")
        if self.rounding not in ROUNDINGS:
            raise DisclosureError(f"Counts cannot be rounded to {self.rounding}. Use one of: {_words(ROUNDINGS)}.")
        if self.width < WIDTH_FLOOR:
            raise DisclosureError(f"A width of {self.width} is below the floor of {WIDTH_FLOOR}.")

    @property
    def rule(self) -> str:
        """The policy in a few words, for a page's footer."""
        if self.name == "published":
            return "Figures the Department for Education has published are shown as published."
        if self.threshold is None:
            return "Nothing is hidden: OFFICIAL-SENSITIVE, for use inside the local authority only."
        shown = (
            f"Counts are rounded to the nearest {self.rounding} and rates are computed from the rounded counts."
            if self.rounding > 1
            else "Counts that are shown are exact."
        )
        return (
            f"Figures that rest on 1 to {self.threshold - 1} pupils, and those that fewer than {self.threshold} of a group"
            " are counted in or left out of, are hidden and shown as c; so are others from which a hidden one could be"
            f" worked out to within {self.width}, on this page or another of the same release. {shown}"
        )

    @property
    def is_weaker(self) -> bool:
        """Whether it protects less than the profile "shared", so that somebody has to answer for it."""
        return (
            self.threshold is None
            or SHARED.threshold is None
            or self.threshold < SHARED.threshold
            or self.rounding < SHARED.rounding
            or self.width < SHARED.width
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the policy: the same for the same rules and the same approval."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as plain values."""
        return {**asdict(self), "merge_unknown": list(self.merge_unknown)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Policy:
        """Return the policy of ``to_dict``."""
        return cls(**{**document, "merge_unknown": tuple(document["merge_unknown"])})


SHARED = Policy("shared", 10, 5)
#: As the Department for Education publishes: exact counts, small ones hidden. Needs an approver.
DFE = Policy("dfe", 10, 1)
INTERNAL = Policy("internal", None, 1)
PUBLISHED = Policy("published", None, 1)

#: What a file may start from. Nothing else can be shown to a partner.
PROFILES = {"shared": SHARED, "dfe": DFE}
AUDIENCES = ("internal", "partner")

_KINDS: dict[str, tuple[type, str]] = {
    "profile": (str, "shared or dfe"),
    "approver": (str, "a name"),
    "approved_on": (date, "a day without quotes, such as 2026-11-22"),
    "threshold": (int, f"a whole number from {FLOOR}"),
    "rounding": (int, f"one of {', '.join(map(str, ROUNDINGS))}"),
    "width": (int, f"a whole number from {WIDTH_FLOOR}"),
    "merge_unknown": (list, f"a list of some of {', '.join(MERGEABLE)}"),
    "restricted_folder": (str, "a folder"),
    "retention_days": (int, "a whole number from 1"),
    "contact": (str, "text"),
}


def policy_for(audience: str, policy: Policy = SHARED) -> Policy:
    """Return the policy for an audience: the one given for partners, "internal" inside the authority.

    >>> policy_for("partner").threshold
    10
    >>> policy_for("press")
    Traceback (most recent call last):
        ...
    attendance_toolkit.errors.DisclosureError: 'press' is not an audience. Use one of: internal, partner.
    """
    if audience not in AUDIENCES:
        raise DisclosureError(f"'{audience}' is not an audience. Use one of: {', '.join(AUDIENCES)}.")
    if audience == "partner":
        return policy
    # Both audiences are shown the same cells, so the unknown are counted in the same place.
    return replace(policy, name=INTERNAL.name, threshold=None, rounding=INTERNAL.rounding, approver="", approved_on="")


def read_policy(path: Path) -> Policy:
    """Return the policy of a TOML file.

    Raises
    ------
    DisclosureError
        The file cannot be read, a key is unknown, a value is of the wrong kind or below the floor, or what is weaker
        than the profile "shared" names no approver and day. The message says the key and what is allowed.
    """
    given = _read(path)
    for key, value in given.items():
        if key not in _KINDS:
            raise DisclosureError(
                f"{path.name}: '{key}' is not a key of a policy. Use: {', '.join(_KINDS)}.{did_you_mean(key, _KINDS)}"
            )
        kind, allowed = _KINDS[key]
        # A date and time is a date to Python, and True is a whole number.
        if not isinstance(value, kind) or isinstance(value, (bool, datetime)):
            raise DisclosureError(f"{path.name}, {key}: '{value}' is not allowed. Give {allowed}.")
    _check_values(path.name, given)
    profile = PROFILES[given.pop("profile")]
    if "approved_on" in given:
        given["approved_on"] = given["approved_on"].isoformat()
    if "merge_unknown" in given:
        given["merge_unknown"] = tuple(given["merge_unknown"])
    policy = replace(profile, **given)
    if policy.is_weaker and not (policy.approver.strip() and policy.approved_on):
        raise DisclosureError(
            f"{path.name}: this protects less than the profile shared (threshold {SHARED.threshold}, rounding"
            f' {SHARED.rounding}, width {SHARED.width}), so somebody has to answer for it. Add approver = "name" and'
            " approved_on = the day, or leave the profile as it is."
        )
    return policy


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DisclosureError(f"{path.name}: the policy cannot be read ({error.strerror}). Check its path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DisclosureError(f"{path.name}: this is not TOML ({error}). Write lines such as threshold = 10.") from None


def _check_values(name: str, given: Mapping[str, Any]) -> None:
    profile = given.get("profile")
    if profile not in PROFILES:
        shown = f"'{profile}' is not allowed" if profile is not None else "the key is missing"
        raise DisclosureError(f"{name}, profile: {shown}. Give {_KINDS['profile'][1]}.")
    lowest = {"threshold": FLOOR, "width": WIDTH_FLOOR, "retention_days": 1}
    for key, floor in lowest.items():
        if key in given and given[key] < floor:
            raise DisclosureError(f"{name}, {key}: {given[key]} is not allowed. Give {_KINDS[key][1]}.")
    if "rounding" in given and given["rounding"] not in ROUNDINGS:
        raise DisclosureError(f"{name}, rounding: {given['rounding']} is not allowed. Give {_KINDS['rounding'][1]}.")
    if "approved_on" in given and given["approved_on"] > date.today():
        raise DisclosureError(
            f"{name}, approved_on: {given['approved_on']} is still to come. Give the day of approval."
        )
    for value in given.get("merge_unknown", []):
        if value not in MERGEABLE:
            raise DisclosureError(
                f"{name}, merge_unknown: '{value}' is not allowed. Give {_KINDS['merge_unknown'][1]}."
            )


def _words(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))
