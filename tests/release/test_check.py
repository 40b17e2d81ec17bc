"""``attendance check``: a clean folder may leave, and every way of spoiling it is refused under a rule that names why."""

from __future__ import annotations

import re
import zipfile
import zlib

import openpyxl
import pytest

from tests.release.conftest import attendance


def check(copy, made, path, *more):
    return attendance("check", path, "--store", made.store, "--key", made.key, "--restricted", copy.restricted, *more)


def some_page(copy):
    return copy.out / "irwell-bank" / "2023-24" / "overview"


def test_a_clean_release_may_leave(made):
    """The whole folder, a page's folder, and the folder in an archive."""
    answer = check(made, made, made.out)
    assert (answer.exit_code, answer.output) == (0, "reports: nothing speaks against sending it.\n")


def test_an_archive_of_a_page_may_leave(copy, made, tmp_path):
    page = some_page(copy)
    with zipfile.ZipFile(tmp_path / "page.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(page.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(page).as_posix())
    answer = check(copy, made, tmp_path / "page.zip")
    assert answer.exit_code == 0, answer.output


def a_digit(copy):
    path = some_page(copy) / "index.html"
    text = path.read_text(encoding="utf-8")
    at = re.search(r'<td[^>]*data-cell="[^"]+"[^>]*>[\d,.]*?([1-8])[\d,.]*</td>', text)
    path.write_text(f"{text[: at.start(1)]}{int(at[1]) + 1}{text[at.end(1) :]}", encoding="utf-8")
    return path.parent


def a_table(copy):
    path = some_page(copy) / "tables" / "by-pupil-group.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(",c,", ",7,", 1), encoding="utf-8", newline="")
    return path.parent.parent


def a_result(copy):
    path = some_page(copy) / "result.json"
    path.write_text(re.sub(r'("numerator": )null', r"\g<1>7.0", path.read_text(encoding="utf-8"), count=1), "utf-8")
    return path.parent


def a_formula(copy):
    book = openpyxl.Workbook()
    book.active.append(["School", '=HYPERLINK("http://x","y")'])
    book.save(copy.out / "schools.xlsx")
    return copy.out / "schools.xlsx"


def a_hidden_sheet(copy):
    book = openpyxl.Workbook()
    book.active.append(["School", "Rate"])
    book.create_sheet("notes").sheet_state = "hidden"
    book.save(copy.out / "schools.xlsx")
    return copy.out / "schools.xlsx"


def a_number_in_an_archive(copy):
    with zipfile.ZipFile(copy.out / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/list.csv", f"pupil,rate\n{copy.canaries[0].upn},5\n")
    return copy.out / "all.zip"


def a_name_in_a_pdf(copy):
    words = f"BT /F1 12 Tf 20 20 Td ({copy.canaries[0].forename} {copy.canaries[0].surname}) Tj ET".encode()
    packed = zlib.compress(words)
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n" % len(packed) + packed + b"\nendstream",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]  # fmt: skip
    body = b"%PDF-1.4\n" + b"".join(b"%d 0 obj" % n + part + b"endobj\n" for n, part in enumerate(parts, 1))
    (copy.out / "summary.pdf").write_bytes(body + b"trailer<</Root 1 0 R>>\n%%EOF\n")
    return copy.out / "summary.pdf"


def a_file_name(copy):
    pupil = copy.canaries[1]
    path = some_page(copy) / "tables" / f"{pupil.forename} {pupil.surname}.csv"
    path.write_text("School,Rate\nOak,5\n", encoding="utf-8")
    return copy.out


def a_birthday(copy):
    path = copy.out / "notes.csv"
    path.write_text(f"School,Seen\nOak,{copy.canaries[2].born:%d %B %Y}\n", encoding="utf-8")
    return path


def a_postcode(copy):
    path = copy.out / "places.csv"
    path.write_text(f"School,Place\nOak,{copy.canaries[0].postcode}\n", encoding="utf-8")
    return path


def a_notebook(copy):
    (copy.out / "overview.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    return copy.out


def a_comment(copy):
    path = some_page(copy) / "index.html"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("</main>", "<!-- seven pupils --></main>"), encoding="utf-8")
    return path.parent


def an_internal_page(copy):
    return copy.restricted / "pages" / "irwell-bank" / "2023-24" / "overview"


@pytest.mark.parametrize(
    ("spoil", "rules"),
    [
        (a_digit, ("changed", "cell_value", "cell", "unexplained_number")),
        (a_table, ("unknown_table", "changed")),
        (a_result, ("changed", "result")),
        (a_formula, ("formula",)),
        (a_hidden_sheet, ("hidden_sheet", "hidden")),
        (a_number_in_an_archive, ("known_upn", "upn_shape")),
        (a_name_in_a_pdf, ("known_name",)),
        (a_file_name, ("known_name",)),
        (a_birthday, ("known_date_of_birth", "date")),
        (a_postcode, ("postcode", "known_postcode")),
        (a_notebook, ("notebook",)),
        (a_comment, ("comment",)),
        (an_internal_page, ("hidden_cell_shown", "unverified")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_spoilt_is_refused_by_name(copy, made, spoil, rules):
    answer = check(copy, made, spoil(copy))
    assert answer.exit_code == 1, answer.output
    found = set(re.findall(r"\[(\w+)\]", answer.output))
    assert found & set(rules), answer.output
    assert re.search(r"reasons? speaks? against sending it", answer.output)
    for canary in copy.canaries:
        for secret in (canary.upn, canary.forename, canary.surname):
            assert secret not in answer.output, "the reason does not repeat what it found"
    assert "Traceback" not in answer.output


def test_patterns_only_asks_for_no_numbers(made, tmp_path):
    """Somebody else's table of rates: nothing is known of its numbers, and nothing of its shape is a pupil's."""
    (tmp_path / "rates.csv").write_text("School,Rate\nOak,5.5\n", encoding="utf-8")
    assert attendance("check", tmp_path / "rates.csv", "--patterns-only").exit_code == 0
    answer = attendance("check", tmp_path / "rates.csv", "--store", made.store, "--key", made.key)
    assert answer.exit_code == 1
    assert "[unverified]" in answer.output
    (tmp_path / "rates.csv").write_text(f"School,Rate\n{made.canaries[0].upn},5.5\n", encoding="utf-8")
    answer = attendance("check", tmp_path / "rates.csv", "--patterns-only")
    assert answer.exit_code == 1
    assert "[upn_shape]" in answer.output


def test_without_the_store_a_check_says_what_it_could_not_look_for(made):
    answer = attendance("check", made.out, "--restricted", made.restricted)
    assert answer.exit_code == 1
    assert "Name it with --store." in answer.output


def test_a_path_that_is_not_there_is_said(tmp_path):
    answer = attendance("check", tmp_path / "none", "--patterns-only")
    assert answer.exit_code == 1
    assert "There is no such file or folder." in answer.output
