"""Canary pupils, planted in files of every kind that is loaded, are found by the gate and lie nowhere in the store in plain."""

from __future__ import annotations

import json

import pytest

from attendance_toolkit.disclosure.gate.identifiers import Identifiers
from attendance_toolkit.disclosure.gate.search import search_file
from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.schema import digests
from attendance_toolkit.store import Store
from attendance_toolkit.store.identifiers import key_files_of, read_identifiers
from tests.unit.disclosure.gate.poisons import page

UPN, FORMER = "B801200005001", "M80120000500A"
CENSUS = f"""UPN,FormerUPN,Surname,Forename,MiddleNames,DOB,Gender,LAEstab,EntryDate,NCyearActual,EnrolStatus,TermlySessionsPossible,TermlySessionsAuthorised,TermlySessionsUnauthorised
{UPN},{FORMER},O'Quillfeather,Zéphyrine,Ada,2012-05-01,F,3582000,2023-09-04,6,C,120,3,1
"""  # noqa: E501 -- one header of one file


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("canary")
    (folder / "spring.csv").write_text(CENSUS, encoding="utf-8")
    result = load_files(
        [folder / "spring.csv"], folder / "store", key_file=folder / "pseudonym.key", census="spring 2024"
    )
    assert result.rows_in == 1
    return folder


def stored(folder):
    store = Store.open(folder / "store")
    found = read_identifiers(store.path, store.manifest, key_files_of(store.path))
    return Identifiers(found.key, found.known, found.unknown)


def test_a_planted_pupil_is_found_by_every_identifier(loaded):
    known = stored(loaded)
    for text, rule in (
        (UPN, "known_upn"),
        (FORMER, "known_upn"),
        ("Zephyrine O’Quillfeather", "known_name"),
        ("oquillfeather zephyrine", "known_name"),
        ("Zéphyrine Ada O'Quillfeather", "known_name"),
        ("1 May 2012", "known_date_of_birth"),
    ):
        rules = {finding.rule for finding in search_file(page(f"<p>{text}</p>"), "index.html", known)}
        assert rule in rules, text
    assert search_file(page("<p>Zephyrine Smith, Ada O'Brien, 2 May 2012</p>"), "index.html", known) == []


def test_the_store_holds_no_plain_identifier_and_counts_its_digests(loaded):
    for path in (loaded / "store").rglob("*"):
        if path.is_file() and "quarantine" not in path.parts:
            data = path.read_bytes().lower()
            assert not any(
                secret.encode() in data for secret in (UPN.lower(), FORMER.lower(), "quillfeather", "2012-05-01")
            )
    manifest = json.loads((loaded / "store" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["identifiers"] == {
        "upn": 2, "upn_hash": 6, "name": 2, "name_word": 3, "date_of_birth": 1, "postcode": 0, "is_complete": True,
    }  # fmt: skip


def test_duckdb_digests_as_python_does(loaded):
    known, secret = (
        stored(loaded).known,
        digests.search_key(bytes.fromhex((loaded / "pseudonym.key").read_text().strip())),
    )
    names = digests.name_spellings("Zéphyrine", "O'Quillfeather", "Ada")
    for kind, values in (
        ("upn", [UPN, FORMER]),
        ("upn_hash", [*digests.hash_spellings(UPN), *digests.hash_spellings(FORMER)]),
        ("name", names),
        ("date_of_birth", ["2012-05-01"]),
    ):
        assert set(digests.digests(kind, values, secret).tolist()) == set(known[kind].tolist()), kind


def test_without_the_key_or_the_digests_it_is_said_why(loaded, tmp_path):
    store = Store.open(loaded / "store")
    other = tmp_path / "other.key"
    other.write_text("ab" * 32, encoding="ascii")
    for keys in ([tmp_path / "none"], [other]):
        assert "--key" in read_identifiers(store.path, store.manifest, keys).unknown
    assert "Load its files again" in read_identifiers(tmp_path, store.manifest, [loaded / "pseudonym.key"]).unknown
    old = {**store.manifest, "identifiers": {"is_complete": False}}
    assert "into a new folder" in read_identifiers(store.path, old, [loaded / "pseudonym.key"]).unknown
