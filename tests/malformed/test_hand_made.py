"""Every input spoilt in every way that somebody in an LA has met."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.malformed.exceptions import ANOTHER_GOOD_FILE, KNOWN_DEFECTS, may_differ
from tests.malformed.inputs import INPUTS
from tests.malformed.laws import EVERYTHING, Input, Outcome, check, run
from tests.malformed.mutations import ON_BYTES, ON_TABLES, ON_XML, ON_YAML, Mutation

KINDS = {kind.name: kind for kind in INPUTS}


def suited(kind: Input) -> tuple[Mutation, ...]:
    """Return the mutations that make sense for an input."""
    more = {"csv": ON_TABLES if kind.has_header else (), "xml": ON_XML, "yaml": ON_YAML}.get(kind.shape, ())
    turn, every = list(KINDS).index(kind.name), 1 if EVERYTHING else kind.every
    spared = () if kind.shape == "xml" else more
    chosen = [m for i, m in enumerate((*ON_BYTES, *spared)) if (i + turn) % every == 0]
    # XML has few mutations of its own: of the two kinds of XML each gets every other one.
    own = more if kind.shape == "xml" else ()
    return (*chosen, *(m for i, m in enumerate(own) if EVERYTHING or (i + turn) % 2 == 0))


CASES = [(kind.name, mutation) for kind in INPUTS for mutation in suited(kind)]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    @cache
    def outcome(name: str) -> Outcome:
        return run(KINDS[name], KINDS[name].make(), tmp_path_factory.mktemp(name))

    return outcome


@pytest.mark.parametrize("name", KINDS)
def test_the_good_file_is_good(good, name: str) -> None:
    outcome = good(name)
    assert outcome.error is None, outcome.said
    assert outcome.numbers
    assert not outcome.blocking
    check(KINDS[name], outcome, outcome, KINDS[name].make(), same=True)


def test_there_are_four_hundred_different_files() -> None:
    made = {name: kind.make() for name, kind in KINDS.items()}
    contents = {name: next(iter(files.values())) for name, files in made.items()}
    spoilt = {(name, mutation.apply(contents[name], KINDS[name])) for name, mutation in CASES}
    assert len([1 for name, content in spoilt if content != contents[name]]) >= 400


def test_every_exception_names_an_input_and_a_mutation() -> None:
    known = {m.name for m in (*ON_BYTES, *ON_TABLES, *ON_XML, *ON_YAML)}
    pairs = [(n, m) for inputs in ANOTHER_GOOD_FILE.values() for n, ms in inputs.items() for m in ms] + [*KNOWN_DEFECTS]
    assert not [pair for pair in pairs if pair[0] not in KINDS or pair[1] not in known]


@pytest.mark.parametrize(("name", "mutation"), CASES, ids=[f"{name}-{mutation.name}" for name, mutation in CASES])
def test_a_spoilt_file_ends_in_a_finding_or_an_error(
    good, request, tmp_path: Path, name: str, mutation: Mutation
) -> None:
    kind = KINDS[name]
    if defect := KNOWN_DEFECTS.get((name, mutation.name)):
        request.applymarker(pytest.mark.xfail(reason=defect, strict=False))
    files = kind.make()
    main = next(iter(files))
    spoilt = {**files, main: mutation.apply(files[main], kind)}
    outcome = run(kind, spoilt, tmp_path)
    check(kind, outcome, good(name), spoilt, same=not may_differ(name, mutation.name))
    if mutation.changes == "nothing" and outcome.error is None and not outcome.blocking:
        assert outcome.numbers == good(name).numbers
