"""Whole pages, and whatever lies on a disk: what passes, what is refused, and that failures refuse."""

from __future__ import annotations

import hashlib
import json
import zipfile

import pytest

from attendance_toolkit.disclosure.gate import Evidence, check_path, check_release_page, evidence_file
from attendance_toolkit.disclosure.gate import release_page as release_page_module
from attendance_toolkit.disclosure.gate.identifiers import Identifiers
from attendance_toolkit.errors import DisclosureError
from tests.unit.disclosure.gate.pages import make_page

NOBODY = Identifiers.from_values(b"k" * 32, upns=["B801200005001"], names=[("Zephyrine", "Quillfeather")])
ALLOWED = ("Aldermoor", "attendance@example.org")


@pytest.fixture(scope="module")
def made():
    return make_page()


@pytest.fixture
def release(made, tmp_path):
    """Write the page into a folder and its evidence into a restricted one, as the runner does."""
    folder = tmp_path / "reports" / "aldermoor" / "2023-24" / "overview"
    (folder / "tables").mkdir(parents=True)
    files = {"index.html": made.outputs.html, "result.json": json.dumps(made.outputs.result)}
    files |= {f"tables/{name}": text for name, text in made.outputs.tables.items()}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    (folder / "manifest.json").write_text(json.dumps({"report": "overview", "files": sums}), encoding="utf-8")
    evidence = Evidence(**_fields(made.evidence, files=sums))
    evidence.save(evidence_file(tmp_path / "restricted" / "releases", "r1", "overview", "E90000001", 202324))
    return folder, tmp_path / "restricted" / "releases"


def _fields(evidence, **changes):
    names = ("cells", "said", "drawings", "styles", "words", "texts", "derived", "tables", "threshold", "page", "files")
    return {name: getattr(evidence, name) for name in names} | changes


def rules(findings):
    return {finding.rule for finding in findings}


def test_a_whole_page_passes(made, release):
    folder, _ = release
    assert [str(f) for f in check_release_page(folder, made.evidence, NOBODY, allowed=ALLOWED)] == []


def test_a_file_too_many_or_too_few_is_refused(made, release):
    folder, _ = release
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    assert "unknown_file" in rules(check_release_page(folder, made.evidence, NOBODY, allowed=ALLOWED))
    (folder / "notes.txt").unlink()
    (folder / "result.json").unlink()
    assert "missing_file" in rules(check_release_page(folder, made.evidence, NOBODY, allowed=ALLOWED))


def test_a_changed_table_beside_the_page_is_refused(made, release):
    folder, _ = release
    path = folder / "tables" / "by-phase.csv"
    path.write_text(path.read_text(encoding="utf-8") + "More,7\n", encoding="utf-8")
    assert "unknown_table" in rules(check_release_page(folder, made.evidence, NOBODY, allowed=ALLOWED))


def test_an_identifier_on_the_page_is_refused(made, release):
    folder, _ = release
    path = folder / "index.html"
    path.write_text(path.read_text(encoding="utf-8").replace("</main>", "<p>Zephyrine Quillfeather</p>\n</main>"))
    assert "known_name" in rules(check_release_page(folder, made.evidence, NOBODY, allowed=ALLOWED))


def test_unknown_identifiers_are_said(made, release):
    folder, _ = release
    found = check_release_page(folder, made.evidence, Identifiers.missing("Load the files again."), allowed=ALLOWED)
    assert "identifiers_unknown" in rules(found)


@pytest.mark.parametrize("place", ["check_page", "_search"])
def test_a_gate_that_fails_refuses_and_quotes_nothing(made, release, monkeypatch, place):
    def fail(*args):
        raise RuntimeError("pupil B801200005001")

    monkeypatch.setattr(release_page_module, place, fail)
    found = check_release_page(release[0], made.evidence, NOBODY, allowed=ALLOWED)
    assert "gate_failed" in rules(found)
    assert not any("B8012" in str(finding) for finding in found)
    assert any("RuntimeError" in finding.says for finding in found)


# -- from a disk --------------------------------------------------------------------------------------------


def test_a_folder_of_pages_passes_with_its_evidence(release):
    folder, releases = release
    assert [str(f) for f in check_path(folder.parents[2], releases, NOBODY, allowed=ALLOWED)] == []


def test_without_evidence_numbers_cannot_be_verified(release, tmp_path):
    folder, _ = release
    found = check_path(folder, None, NOBODY, allowed=ALLOWED)
    assert rules(found) == {"unverified"}
    assert check_path(folder, None, NOBODY, allowed=ALLOWED, patterns_only=True) == []
    assert rules(check_path(folder, tmp_path / "elsewhere", NOBODY, allowed=ALLOWED)) == {"unverified"}


def test_a_page_changed_after_it_was_made_is_refused(release):
    folder, releases = release
    path = folder / "index.html"
    path.write_text(path.read_text(encoding="utf-8").replace("</main>", "<p>There were 7 girls.</p>\n</main>"))
    assert {"changed", "unexplained_number"} <= rules(check_path(folder, releases, NOBODY, allowed=ALLOWED))


def test_an_archive_of_pages_is_checked_inside(release, tmp_path):
    folder, releases = release
    good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
    for target, extra in ((good, ""), (bad, "<p>There were 7 girls.</p>")):
        with zipfile.ZipFile(target, "w") as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    text = path.read_text(encoding="utf-8")
                    archive.writestr(
                        f"overview/{path.relative_to(folder).as_posix()}",
                        text.replace("</main>", f"{extra}\n</main>") if extra else text,
                    )
    assert [str(f) for f in check_path(good, releases, NOBODY, allowed=ALLOWED)] == []
    assert "unexplained_number" in rules(check_path(bad, releases, NOBODY, allowed=ALLOWED))


def test_a_table_by_itself_is_known_again(release, tmp_path):
    folder, releases = release
    copy = tmp_path / "aldermoor-2023-24-by-phase.csv"
    text = (folder / "tables" / "by-phase.csv").read_text(encoding="utf-8")
    copy.write_text(text, encoding="utf-8-sig")
    assert [str(f) for f in check_path(copy, releases, NOBODY, allowed=ALLOWED)] == []
    copy.write_text(text + "More,7\n", encoding="utf-8-sig")
    assert "unverified" in rules(check_path(copy, releases, NOBODY, allowed=ALLOWED))


def test_a_path_that_is_not_there_is_refused(tmp_path):
    assert rules(check_path(tmp_path / "no.html", None, NOBODY)) == {"missing_file"}


def test_evidence_comes_back_as_it_was_saved(made, tmp_path):
    made.evidence.save(tmp_path / "a.json")
    again = Evidence.open(tmp_path / "a.json")
    assert _fields(again) == _fields(made.evidence)
    # Only what partners may see: no number of a hidden row.
    hidden = [row for row in again.cells.values() if row["symbol"] == "c"]
    assert hidden
    assert all(row[name] is None for row in hidden for name in ("numerator", "denominator", "rate", "lower", "upper"))


def test_damaged_evidence_is_refused(release):
    folder, releases = release
    path = next(releases.rglob("*.json"))
    path.write_text(path.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    with pytest.raises(DisclosureError, match="cannot be read as a page's evidence"):
        Evidence.open(path)
    assert {"evidence", "unverified"} <= rules(check_path(folder, releases, NOBODY, allowed=ALLOWED))
