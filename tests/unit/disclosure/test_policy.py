"""Policies: what they say, what a file may set, what is refused."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path

import pytest

from attendance_toolkit.disclosure.policy import _KINDS, DFE, INTERNAL, SHARED, Policy, policy_for, read_policy
from attendance_toolkit.errors import DisclosureError

EXAMPLE = Path(__file__).parents[3] / "docs" / "policy.example.toml"


@pytest.fixture
def file(tmp_path):
    def write(text: str):
        path = tmp_path / "sdc.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_default_hides_below_ten_rounds_to_five_and_guards_a_width_of_five():
    assert (SHARED.threshold, SHARED.rounding, SHARED.width) == (10, 5, 5)
    assert not SHARED.is_weaker
    assert DFE.is_weaker
    assert INTERNAL.threshold is None


def test_a_rule_says_its_own_numbers():
    rule = Policy("shared", 12, 10, 7).rule
    assert "1 to 11 pupils" in rule
    assert "within 7" in rule
    assert "nearest 10" in rule
    assert "exact" in DFE.rule


def test_a_file_starts_from_a_profile(file):
    policy = read_policy(file('profile = "shared"\nthreshold = 15\nwidth = 8\nretention_days = 90\n'))
    assert (policy.threshold, policy.rounding, policy.width, policy.retention_days) == (15, 5, 8, 90)


def test_what_is_weaker_needs_an_approver_and_a_day(file):
    text = 'profile = "dfe"\n'
    with pytest.raises(DisclosureError, match=r"sdc\.toml: .*approver"):
        read_policy(file(text))
    with pytest.raises(DisclosureError, match="approver"):
        read_policy(file(text + 'approver = "  "\napproved_on = 2026-01-05\n'))
    with pytest.raises(DisclosureError, match="approver"):
        read_policy(file(text + 'approver = "A. Person"\n'))
    policy = read_policy(file(text + 'approver = "A. Person"\napproved_on = 2026-01-05\n'))
    assert (policy.rounding, policy.approver, policy.approved_on) == (1, "A. Person", "2026-01-05")


@pytest.mark.parametrize("weaker", ["threshold = 9", "rounding = 1", "width = 4"])
def test_every_number_below_the_default_is_weaker(file, weaker):
    with pytest.raises(DisclosureError, match="answer for it"):
        read_policy(file(f'profile = "shared"\n{weaker}\n'))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("threshold = 10", "profile: the key is missing"),
        ('profile = "internal"', "profile: 'internal' is not allowed. Give shared or dfe"),
        ('profile = "shared"\nthreshold = 4', "threshold: 4 is not allowed"),
        ('profile = "shared"\nthreshold = "ten"', "threshold: 'ten' is not allowed"),
        ('profile = "shared"\nthreshold = true', "threshold: 'True' is not allowed"),
        ('profile = "shared"\nthreshold = 10.5', "threshold: '10.5' is not allowed"),
        ('profile = "shared"\nrounding = 3', "rounding: 3 is not allowed"),
        ('profile = "shared"\nwidth = 2', "width: 2 is not allowed"),
        ('profile = "shared"\nretention_days = 0', "retention_days: 0 is not allowed"),
        ('profile = "shared"\ntreshold = 10', "'treshold' is not a key of a policy.*Did you mean 'threshold'"),
        ('profile = "shared"\nmerge_unknown = ["sex"]', "merge_unknown: 'sex' is not allowed"),
        ('profile = "shared"\napproved_on = "2026-01-05"', "approved_on: '2026-01-05' is not allowed"),
        ('profile = "shared"\napproved_on = 2999-01-05', "still to come"),
        ("profile = ", "this is not TOML"),
    ],
)
def test_errors_name_file_key_value_and_what_is_allowed(file, text, message):
    with pytest.raises(DisclosureError, match=message) as found:
        read_policy(file(text))
    assert "sdc.toml" in str(found.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DisclosureError, match=r"gone\.toml: the policy cannot be read"):
        read_policy(tmp_path / "gone.toml")


def test_the_floor_holds_for_policies_made_in_code():
    for given in ((4, 5, 5), (10, 2, 5), (10, 5, 2)):
        with pytest.raises(DisclosureError):
            Policy("low", *given)


def test_the_digest_is_that_of_the_canonical_document_and_tells_policies_apart():
    expected = hashlib.sha256(json.dumps(SHARED.to_dict(), sort_keys=True).encode()).hexdigest()
    assert SHARED.digest == expected
    assert Policy.from_dict(json.loads(json.dumps(SHARED.to_dict()))) == SHARED
    assert SHARED.digest != DFE.digest


def test_both_audiences_count_the_unknown_alike():
    policy = Policy("shared", 12, 5, merge_unknown=("fsm6",))
    assert policy_for("partner", policy) is policy
    inside = policy_for("internal", policy)
    assert inside.threshold is None
    assert inside.merge_unknown == ("fsm6",)
    assert "OFFICIAL-SENSITIVE" in inside.rule


def test_the_example_is_the_default_and_shows_every_key(file):
    example = EXAMPLE.read_text(encoding="utf-8")
    assert read_policy(EXAMPLE) == SHARED
    every = re.sub(r"^# (?=[a-z_]+ = )", "", example, flags=re.MULTILINE)
    assert set(tomllib.loads(every)) == set(_KINDS)
    policy = read_policy(file(every.replace("threshold = 10", "threshold = 8")))
    assert (policy.threshold, policy.approved_on) == (8, "2026-11-22")
    explained = EXAMPLE.with_name("sharing.md").read_text(encoding="utf-8")
    assert [key for key in _KINDS if f"`{key}`" not in explained] == []
