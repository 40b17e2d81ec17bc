from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import random
import zipfile
import zlib

import pandas as pd
import pytest
from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.workbook.defined_name import DefinedName

from attendance_toolkit.disclosure.gate.decode import Limits
from attendance_toolkit.disclosure.gate.search import search_file, search_folder
from tests.unit.disclosure.gate.poisons import (
    BORN,
    CSV,
    KNOWN,
    NAME,
    UNKNOWN,
    UPN,
    b64,
    jpeg,
    nested,
    page,
    png,
    zipped,
)


def rules(found) -> set[str]:
    return {finding.rule for finding in found}


# ---- workbooks ------------------------------------------------------------------------------------------


def saved(book: Workbook) -> bytes:
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def workbook(change=lambda book: None) -> bytes:
    """Return a workbook of one sheet, as openpyxl (not the toolkit) writes it."""
    book = Workbook()
    sheet = book.active
    sheet.append(["Phase", "Enrolments", "Rate"])
    sheet.append(["Primary", 12345, 7.1])
    sheet.append(["Secondary", "c", -0.5])
    change(book)
    return saved(book)


def with_member(data: bytes, name: str, content: bytes) -> bytes:
    target = io.BytesIO(data)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(name, content)
    return target.getvalue()


def _hidden(state):
    def change(book):
        sheet = book.create_sheet("Pupils")
        sheet.append([NAME])
        sheet.sheet_state = state

    return change


def _set(cell, value):
    return lambda book: book.active.__setitem__(cell, value)


def _name(book):
    book.defined_names["Pupils"] = DefinedName("Pupils", attr_text=f'"{NAME}"')


def _comment(book):
    book.active["A1"].comment = Comment(NAME, "A Teacher")


def _author(book):
    book.properties.creator = "A Teacher"


def _hidden_row(book):
    book.active.row_dimensions[2].hidden = True


def _text(text):
    def change(book):
        book.active["A4"].value = text
        book.active["A4"].data_type = "s"

    return change


WORKBOOKS = {
    "hidden sheet": (workbook(_hidden("hidden")), {"hidden_sheet", "known_name"}),
    "very hidden sheet": (workbook(_hidden("veryHidden")), {"hidden_sheet", "known_name"}),
    "hidden row": (workbook(_hidden_row), {"hidden_sheet"}),
    "formula": (workbook(_set("A4", "=1+1")), {"formula"}),
    "text like a formula": (workbook(_text("=cmd|' /C calc'!A0")), {"formula"}),
    "text after at": (workbook(_text("@SUM(1)")), {"formula"}),
    "text after plus": (workbook(_text("+1+cmd")), {"formula"}),
    "text after minus": (workbook(_text("-1+cmd")), {"formula"}),
    "UPN in a cell": (workbook(_set("A4", UPN)), {"known_upn"}),
    "defined name": (workbook(_name), {"defined_name", "known_name"}),
    "comment": (workbook(_comment), {"workbook_part", "known_name"}),
    "author": (workbook(_author), {"document_properties"}),
    "pivot cache": (with_member(workbook(), "xl/pivotCache/pivotCacheRecords1.xml", f"<a v='{UPN}'/>".encode()),
                    {"workbook_part", "known_upn"}),
    "external link": (with_member(workbook(), "xl/externalLinks/externalLink1.xml", b"<a/>"), {"workbook_part"}),
    "program": (with_member(workbook(), "xl/vbaProject.bin", UPN.encode()), {"workbook_part", "known_upn"}),
    "printer": (with_member(workbook(), "xl/printerSettings/printerSettings1.bin", UPN.encode("utf-16-le")),
                {"workbook_part", "known_upn"}),
    "custom properties": (with_member(workbook(), "docProps/custom.xml", f"<a>{NAME}</a>".encode()),
                          {"workbook_part", "known_name"}),
    "image with a name": (with_member(workbook(), "xl/media/image1.png", png((b"tEXt", b"Author\0" + NAME.encode()))),
                          {"image_metadata", "known_name"}),
    "entities": (with_member(workbook(), "xl/worksheets/sheet9.xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"),
                 {"workbook_part"}),
    "unknown part": (with_member(workbook(), "xl/secret.xml", b"<a/>"), {"workbook_part"}),
    "something after the end": (workbook() + UPN.encode(), {"archive"}),
}  # fmt: skip


@pytest.mark.parametrize("name", WORKBOOKS)
def test_a_poisoned_workbook_is_refused(name):
    data, wanted = WORKBOOKS[name]
    assert wanted <= rules(search_file(data, "tables.xlsx", KNOWN))


def test_a_plain_workbook_passes_whoever_wrote_it():
    assert search_file(workbook(), "tables.xlsx", KNOWN) == []
    target = io.BytesIO()
    pd.DataFrame({"Phase": ["Primary"], "Rate": [7.5]}).to_excel(target, engine="openpyxl", index=False)
    assert search_file(target.getvalue(), "tables.xlsx", KNOWN) == []


# ---- PDF ------------------------------------------------------------------------------------------------


def pdf(*objects: bytes, info: bytes = b"") -> bytes:
    body = b"%PDF-1.7\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % (n, o) for n, o in enumerate(objects, start=1))
    return body + b"trailer << /Root 1 0 R /Info << " + info + b" >> >>\n%%EOF\n"


def stream(content: bytes, more: bytes = b"", *, packed: bool = True) -> bytes:
    data = zlib.compress(content) if packed else content
    filters = b"/Filter /FlateDecode" if packed else b""
    return b"<< " + filters + b" /Length %d " % len(data) + more + b" >>\nstream\n" + data + b"\nendstream"


FONT = b"<< /Type /Font /Subtype /TrueType /BaseFont /Arial /Encoding /WinAnsiEncoding >>"
CODED = b"<< /Type /Font /Subtype /Type0 /BaseFont /AAAAAA+Arial /Encoding /Identity-H %s>>"
GLYPHS = {letter: number for number, letter in enumerate(sorted(set(NAME)), start=3)}
TABLE = b"beginbfchar\n" + b"".join(b"<%04x> <%04x>\n" % (n, ord(c)) for c, n in GLYPHS.items()) + b"endbfchar"
DRAWN = b"BT /F1 9 Tf <" + b"".join(b"%04x" % GLYPHS[c] for c in NAME) + b"> Tj ET"
KERNED = b"BT [(Zephy) 12 (rine) -300 (Quill) 5 (feather)] TJ ET"

PDFS = {
    "text": (pdf(FONT, stream(b"BT (" + NAME.encode() + b") Tj ET")), "known_name"),
    "text not packed": (pdf(FONT, stream(b"BT (" + UPN.encode() + b") Tj ET", packed=False)), "known_upn"),
    "text in hexadecimal": (pdf(FONT, stream(b"BT <" + UPN.encode().hex().encode() + b"> Tj ET")), "known_upn"),
    "text with octal escapes": (pdf(FONT, stream(b"BT (" + b"".join(b"\\%03o" % c for c in UPN.encode()) + b") Tj ET")), "known_upn"),
    "text with gaps": (pdf(FONT, stream(KERNED)), "known_name"),
    "a letter at a time": (pdf(FONT, stream(b"BT " + b"".join(b"(%c) Tj 1 0 Td " % c for c in UPN.encode()) + b"ET")), "known_upn"),
    "text by glyphs": (pdf(CODED % b"/ToUnicode 3 0 R ", stream(DRAWN), stream(TABLE)), "known_name"),
    "font without letters": (pdf(CODED % b"", stream(DRAWN)), "unreadable"),
    "author": (pdf(FONT, info=b"/Author (A Teacher)"), "document_properties"),
    "title": (pdf(FONT, info=b"/Title (" + NAME.encode() + b")"), "known_name"),
    "title in UTF-16": (pdf(FONT, info=b"/Title <FEFF" + NAME.encode("utf-16-be").hex().encode() + b">"), "known_name"),
    "metadata": (pdf(FONT, stream(f"<x:xmpmeta>{NAME}</x:xmpmeta>".encode(), b"/Type /Metadata")), "known_name"),
    "list of objects": (pdf(stream(b"9 0 << /Title (" + UPN.encode() + b") >>", b"/Type /ObjStm /N 1 /First 4")), "known_upn"),
    "program": (pdf(b"<< /S /JavaScript /JS (app.alert) >>"), "pdf_part"),
    "program in disguise": (pdf(b"<< /S /#4aavaScript >>"), "pdf_part"),
    "attached file": (pdf(stream(UPN.encode(), b"/Type /EmbeddedFile")), "known_upn"),
    "attachment": (pdf(b"<< /Names << /EmbeddedFiles 2 0 R >> >>"), "pdf_part"),
    "password": (pdf(FONT, info=b"/Encrypt 5 0 R"), "pdf_part"),
    "image": (pdf(stream(b"\0\0\0", b"/Subtype /Image")), "image"),
    "other compression": (pdf(b"<< /Filter /LZWDecode >>\nstream\nabc\nendstream"), "unreadable"),
    "layers": (pdf(b"<< /OCProperties << >> >>"), "pdf_part"),
    "comment": (pdf(FONT) + b"% " + UPN.encode(), "known_upn"),
    "broken off": (pdf(FONT, stream(b"BT ET")).partition(b"endstream")[0], "unreadable"),
}  # fmt: skip


@pytest.mark.parametrize("name", PDFS)
def test_a_poisoned_pdf_is_refused(name):
    data, rule = PDFS[name]
    assert rule in rules(search_file(data, "page.pdf", KNOWN))


def test_a_plain_pdf_passes():
    clean = pdf(
        FONT, stream(b"BT (Absence in Bury, 2023/24: 7.7%) Tj ET"), info=b"/Producer (Chromium) /Title (Absence)"
    )
    assert search_file(clean, "page.pdf", KNOWN) == []
    glyphs = pdf(CODED % b"/ToUnicode 3 0 R ", stream(b"BT <0003> Tj ET"), stream(TABLE))
    assert search_file(glyphs, "page.pdf", KNOWN) == []


# ---- other files ----------------------------------------------------------------------------------------

NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def parquet() -> bytes:
    target = io.BytesIO()
    pd.DataFrame({"a": [1]}).to_parquet(target)
    return target.getvalue()


def pickled() -> bytes:
    target = io.BytesIO()
    pd.to_pickle([1], target, compression=None)
    return target.getvalue()


FILES = {
    "CSV with a UPN": (CSV.encode() + f"{UPN},Bury,Primary,1,2\n".encode(), {"known_upn"}),
    "CSV with a formula": (CSV.encode() + b"E08000002,=1+1,Primary,1,2\n", {"formula"}),
    "CSV with a command": (CSV.encode() + b'E08000002,"@SUM(1)",Primary,1,2\n', {"formula"}),
    "CSV with a tab": (CSV.encode() + b'E08000002,"\t=1",Primary,1,2\n', {"formula"}),
    "CSV with a wide equals sign": (CSV.encode() + "E08000002,＝1+1,Primary,1,2\n".encode(), {"formula"}),
    "CSV in UTF-16": (f"a,b\n{NAME},1\n".encode("utf-16"), {"encoding", "known_name"}),
    "CSV name and surname": (b"forename,surname\nZephyrine,Quillfeather\n", {"known_name"}),
    "CSV date of birth": (f"a,b\n1,{BORN}\n".encode(), {"known_date_of_birth"}),
    "JSON": (json.dumps([{"id": NAME}]).encode(), {"known_name"}),
    "JSON escapes": (b'{"id": "' + "".join(f"\\u{ord(c):04x}" for c in NAME).encode() + b'"}', {"known_name"}),
    "JSON key": (json.dumps({UPN: 1}).encode(), {"known_upn"}),
    "not JSON": (b'{"a": ', {"file_type"}),
    "notebook": (NOTEBOOK, {"notebook"}),
    "plain text": (b"Dear colleague\nhere it is, as promised\n", {"file_type"}),
    "unknown": (bytes(range(256)) * 4, {"file_type"}),
    "parquet": (parquet(), {"file_type"}),
    "pickle": (pickled(), {"file_type"}),
    "DuckDB": (b"\0" * 8 + b"DUCK" + b"\0" * 50, {"file_type"}),
    "SQLite": (b"SQLite format 3\0" + b"\0" * 50, {"file_type"}),
    "old office": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 50, {"file_type"}),
    "gzip": (gzip.compress(page()), {"file_type"}),
    "document": (zipped({"[Content_Types].xml": b"<a/>", "word/document.xml": b"<a/>"}), {"file_type"}),
    "PNG with an author": (png((b"tEXt", b"Author\0A Teacher")), {"image_metadata"}),
    "PNG with a date": (png((b"tIME", b"\x07\xe8\1\1\0\0\0")), {"image_metadata"}),
    "JPEG with a comment": (jpeg(NAME.encode()), {"image_metadata", "known_name"}),
    "zip": (zipped({"a/index.html": page(f"<p>{UPN}</p>")}), {"known_upn"}),
    "zip in a zip": (zipped({"a.zip": zipped({"index.html": page(f"<p>{UPN}</p>")})}), {"known_upn"}),
    "zip names": (zipped({f"{UPN}.html": page()}), {"known_upn"}),
    "zip slip": (zipped({"../index.html": page()}), {"archive"}),
    "zip of a notebook": (zipped({"a.html": NOTEBOOK}), {"notebook"}),
    "damaged zip": (zipped({"index.html": page()})[:-30], {"unreadable"}),
    "before a zip": (b"PK\x03\x04" + UPN.encode(), {"unreadable"}),
    "page inside an SVG": (f"<svg><!-- {NAME} --></svg>".encode(), {"known_name"}),
    "control characters": (page("\x01"), {"encoding"}),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_poisoned_file_is_refused(name):
    data, wanted = FILES[name]
    assert wanted <= rules(search_file(data, "file.bin", KNOWN))


@pytest.mark.parametrize(
    "name",
    [f"{UPN}.html", "Zephyrine Quillfeather.csv", "zephyrine_quillfeather.csv", "2012-05-01.csv", f"{b64(UPN)}.csv",
     ".~lock.tables.csv#", ".ipynb_checkpoints/a.csv", "~$book.xlsx", ".DS_Store", "a.csv.bak", "a\u202e.csv",
     "Zephyrine%20Quillfeather/a.csv", hashlib.md5(UPN.encode()).hexdigest() + ".csv"],
)  # fmt: skip
def test_the_name_of_a_file_is_searched_and_masked(name):
    found = search_file(CSV.encode(), name, KNOWN)
    assert found
    assert not any(secret in str(finding).lower() for finding in found for secret in (UPN.lower(), "quill"))


def test_a_type_is_told_by_content_and_not_by_name():
    assert "notebook" in rules(search_file(NOTEBOOK, "index.html", KNOWN))
    assert "notebook" not in rules(search_file(page(), "overview.ipynb", KNOWN))


# ---- bounds ---------------------------------------------------------------------------------------------


def test_what_is_not_read_to_the_end_is_refused():
    assert "too_deep" in rules(search_file(page(nested(NAME, 14)), "index.html", KNOWN))
    assert "too_large" in rules(search_file(page(b64(gzip.compress(b"a" * 70_000_000))), "index.html", KNOWN))
    assert "too_large" in rules(search_file(zipped({"a.csv": b"a,b\n" * 20_000_000}), "a.zip", KNOWN))
    bomb = zipped({"a.csv": b"a,b\n" * 50_000})
    for _ in range(4):
        bomb = zipped({"a.zip": bomb})
    assert rules(search_file(bomb, "a.zip", KNOWN)) & {"too_deep", "too_large"}
    assert "too_long" in rules(search_file(page(), "index.html", KNOWN, limits=Limits(seconds=0)))
    assert "too_large" in rules(search_file(page(), "index.html", KNOWN, limits=Limits(characters=1000)))


# ---- identifiers and what is allowed --------------------------------------------------------------------


def test_without_identifiers_shapes_are_still_refused_and_their_absence_is_said():
    assert "upn_shape" in rules(search_file(page(f"<p>{UPN}</p>"), "index.html", UNKNOWN))
    assert search_file(page(f"<p>{NAME}</p>"), "index.html", UNKNOWN) == []
    assert UNKNOWN.finding().rule == "identifiers_unknown"
    assert KNOWN.finding() is None


def test_places_and_seasons_are_no_pupils_where_they_are_allowed():
    text = page("<p>Absence in summer, Bury. In summer Bury rose.</p><p>Summer | Bury</p>")
    assert "known_name" in rules(search_file(text, "index.html", KNOWN))
    assert search_file(text, "index.html", KNOWN, ["Bury"]) == []
    # A surname or a forename alone is never looked for; a whole name beside an allowed word is.
    assert search_file(page("<p>Quillfeather School, Zephyrine Road</p>"), "index.html", KNOWN) == []
    assert "known_name" in rules(search_file(page("<p>Bury Zephyrine Quillfeather</p>"), "index.html", KNOWN, ["Bury"]))
    assert "known_name" in rules(search_file(page("<p>will grant</p>"), "index.html", KNOWN))
    assert search_file(page("<p>It will grant leave.</p>"), "index.html", KNOWN, ["will grant leave"]) == []


def test_what_a_page_states_of_itself_is_allowed_and_a_upn_never_is():
    text = page("<p>Made on 2024-09-12. Ask data@bury.gov.uk or 0161 253 0000.</p>")
    assert rules(search_file(text, "index.html", KNOWN)) == {"date", "email", "phone"}
    contact = ["2024-09-12", "Data team, data@bury.gov.uk, 0161 253 0000"]
    assert search_file(text, "index.html", KNOWN, contact) == []
    assert "known_upn" in rules(search_file(page(UPN), "index.html", KNOWN, [UPN]))
    digest = hashlib.sha256(UPN.encode()).hexdigest()
    assert rules(search_file(page(digest), "index.html", KNOWN, [digest])) == {"known_upn_hash"}


def test_the_id_of_a_cleared_row_is_no_telephone_number_even_with_decimal_digits_alone():
    dice = random.Random(3)
    ids = ["c0711614714", *(f"c0{dice.randrange(10**8, 10**9)}" for _ in range(500))]
    cells = "".join(f'<tr><td data-cell="{one}">72.8</td><td class="n" data-cell="{one}">7</td></tr>' for one in ids)
    assert rules(search_file(page(f"<table>{cells}</table>"), "index.html", KNOWN)) == set()
    for number in ("0711614714", "07116147141", "+44 161 253 0000"):
        assert rules(search_file(page(f"<p>Ring {number}</p>"), "index.html", KNOWN)) == {"phone"}


def test_a_folder_is_searched_whole_and_its_own_sums_may_stand_in_it(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "index.html").write_bytes(page())
    (tmp_path / "tables" / "a.csv").write_text(CSV, encoding="utf-8")
    sums = {p.relative_to(tmp_path).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(tmp_path.rglob("*")) if p.is_file()}  # fmt: skip
    manifest = {"made_on": "2024-09-12", "notebook_sha256": hashlib.sha256(b"n").hexdigest(), "files": sums}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (tmp_path / "sums.txt").write_text("".join(f"{s}  {n}\n" for n, s in sums.items()), encoding="utf-8")
    assert search_folder(tmp_path, KNOWN) == []
    (tmp_path / "tables" / "b.csv").write_text(f"a,b\n{NAME},1\n", encoding="utf-8")
    (tmp_path / "tables" / "c.csv").symlink_to(tmp_path / "index.html")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    other = {**manifest, "seed": hashlib.sha256(b"seed").hexdigest()}
    (tmp_path / "manifest.json").write_text(json.dumps(other), encoding="utf-8")
    found = search_folder(tmp_path, KNOWN)
    assert {(f.file, f.rule) for f in found} == {
        ("tables/b.csv", "known_name"), ("tables/c.csv", "file_type"), (".ipynb_checkpoints", "stray_file"),
        ("manifest.json", "hash"),
    }  # fmt: skip


def test_no_text_of_a_finding_holds_what_was_found():
    found = search_file(
        page(f"<p>{UPN} {NAME} {BORN}</p>" + base64.b64encode(NAME.encode()).decode()), "index.html", KNOWN
    )
    assert {"known_upn", "known_name", "known_date_of_birth"} <= rules(found)
    assert not any(secret in str(f) for f in found for secret in (UPN, "Quillfeather", "Zephyrine", BORN))


def test_a_hidden_cell_and_ticks_side_by_side_are_no_upn():
    ticks = "c -1.5 -1.0 -0.5 0.0 0.5 1.0"
    assert "upn_shape" not in rules(
        search_file(page(f"<p>{ticks.replace(' ', '</p><p>')}</p>"), "index.html", KNOWN, [])
    )
    # One whose check letter is right is somebody's, known here or not.
    assert "upn_shape" in rules(search_file(page(" ".join("B801200005001")), "index.html", KNOWN, []))


def test_hidden_cells_and_ticks_side_by_side_are_no_hash():
    cells = "".join(f"<td>{text}</td>" for text in [*"cccc0002040608", *"10cc"])
    assert "hash" not in rules(search_file(page(f"<table><tr>{cells}</tr></table>"), "index.html", KNOWN, []))
    digest = hashlib.md5(b"somebody else").hexdigest()
    assert "hash" in rules(search_file(page(" ".join(digest)), "index.html", KNOWN, []))
