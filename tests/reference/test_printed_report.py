"""``attendance reconcile`` on the tables of the two seed documents: every cell on the page, every misprint marked."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from attendance_toolkit.cli import main
from attendance_toolkit.reporting.page_lint import lint_page

TABLES = [f"trafford_table{number}_as_printed.csv" for number in (1, 2, 3)]
BLANK = "–"
#: (table, names of the row, column) of every misprint of the audit.
MISPRINTS = {
    (1, ("Secondary", "Unauthorised absence"), "national_2022_23"),
    (1, ("Special", "Authorised absence"), "trafford_2022_23"),
    (1, ("Special", "Unauthorised absence"), "trafford_2022_23"),
    (2, ("Secondary", "Girls"), "pa_rate"),
    *((2, (phase, sex), "enrolments") for phase in ("Primary", "Secondary", "Special") for sex in ("Boys", "Girls")),
    *((2, (phase, sex), "pa_number") for phase in ("Primary", "Special") for sex in ("Boys", "Girls")),
}
#: What each sentence of the audit must say: printed value and true one.
SAID = (
    "Table 2: Secondary, Girls: persistent absence is printed as 1.6%, but 1,323 of 8,507 is 15.6%.",
    "unauthorised absence 3.2 = 99.8, not 100.",
    "unauthorised absence 1.3 = 94.4, not 100.",
    "unauthorised absence is printed as 3.2%; DfE school census, full year gives 3.4%.",
    "authorised absence is printed as 4.6%; DfE school census, full year gives 6.9%.",
    "unauthorised absence is printed as 1.3%; DfE school census, full year gives 4.6%.",
    "add up to 18,053 of 18,430 enrolments; 377 are",
    "add up to 1,909 of 1,935 persistent absentees; 26 are",
    "add up to 17,533 of 17,535 enrolments; 2 are",
    "add up to 849 of 850 enrolments; 1 is",
    "add up to 222 of 223 persistent absentees; 1 is",
    "England 2022/23 is DfE school census, full year; England 2023/24 is DfE attendance series",
    "Trafford 2022/23 is DfE school census, full year; Trafford 2023/24 is DfE attendance series",
)


class _Page(HTMLParser):
    """Tables by the id of their box: rows of (section, header, cells); a cell is (text, notes' numbers)."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: dict[str, list[tuple[str, str, list[tuple[str, str]]]]] = {}
        self.notes: dict[str, list[str]] = {}
        self.items: list[str] = []
        self._box = self._section = self._header = self._text = self._note = ""
        self._cells: list[tuple[str, str]] = []
        self._in_note = self._is_rowgroup = False

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "div" and given.get("class") == "table":
            self._box, self._section = given["id"], ""
            self.tables[self._box], self.notes[self._box] = [], []
        if tag == "tr":
            self._header, self._cells = "", []
        if tag in ("td", "th", "li", "p"):
            self._text = self._note = ""
            self._is_rowgroup = given.get("scope") == "rowgroup"
        if tag == "span" and given.get("class") == "ref":
            self._in_note = True

    def handle_endtag(self, tag):
        text = " ".join(self._text.split())
        if tag == "span":
            self._in_note = False
        elif tag == "th" and self._is_rowgroup:
            self._section = text
        elif tag == "th":
            self._header = text
        elif tag == "td":
            self._cells.append((text, self._note.strip("[] ")))
        elif tag == "li":
            self.items.append(text)
        elif tag == "p" and text.startswith("Note ") and self._box:
            self.notes[self._box].append(text)
        elif tag == "tr" and self._cells:
            self.tables[self._box].append((self._section, self._header, self._cells))

    def handle_data(self, data):
        if self._in_note:
            self._note += data
        else:
            self._text += data


def parsed(path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def rows_of(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def run(out, files, area, *more):
    arguments = ["reconcile", *map(str, files), "--area", area, "--out", str(out), *map(str, more)]
    return CliRunner().invoke(main, arguments)


@pytest.fixture(scope="module")
def trafford(tmp_path_factory, shared):
    out = tmp_path_factory.mktemp("trafford")
    golden = shared / "golden"
    result = run(out, [*(golden / name for name in TABLES), golden / "southampton_cards.csv"], "Trafford")
    return result, out / "trafford" / "2023-24" / "printed_tables"


@pytest.fixture(scope="module")
def page(trafford):
    return parsed(trafford[1] / "index.html")


def test_findings_give_status_1_and_a_page_that_passes_the_lint(trafford):
    result, folder = trafford
    assert result.exit_code == 1, result.output
    assert lint_page((folder / "index.html").read_text(encoding="utf-8")) == []
    assert str(folder / "index.html") in result.output
    assert (folder.parents[2] / "index.html").is_file()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_cell_is_on_the_page_as_printed_and_the_misprints_alone_are_marked(number, page, shared):
    printed = rows_of(shared / "golden" / TABLES[number - 1])
    keys = 1 if number == 3 else 2
    shown = page.tables[f"printed-table-{number}"]
    assert len(shown) == len(printed)
    marked = set()
    for (section, header, cells), row in zip(shown, printed, strict=True):
        names, columns = tuple(row.values())[:keys], list(row)[keys:]
        assert (section, header) == (("", *names)[-2:] if number == 3 else names)
        assert [text for text, _ in cells] == [row[column] or BLANK for column in columns]
        marked |= {(number, names, column) for column, (_, note) in zip(columns, cells, strict=True) if note}
        for text, note in cells:
            assert not note or any(
                line.startswith(f"Note {note.split()[1]}: ") for line in page.notes[f"printed-table-{number}"]
            ), text
    assert marked == {place for place in MISPRINTS if place[0] == number}


def test_the_notes_say_what_the_figure_should_be(page):
    one, two = page.notes["printed-table-1"], page.notes["printed-table-2"]
    assert "gives 3.4%." in one[0]
    assert "gives 6.9%." in one[1]
    assert "gives 4.6%." in one[2]
    assert any("1.6%, but 1,323 of 8,507 is 15.6%." in note for note in two)
    assert (len(one), len(two)) == (3, 6)


def test_every_finding_is_a_sentence_on_page_and_terminal(trafford, page):
    result, folder = trafford
    lines = [line.removeprefix("- ") for line in result.output.splitlines() if line.startswith("- ")]
    assert len(lines) == len(SAID)
    for words in SAID:
        assert sum(words in line for line in lines) == 1, words
    assert set(lines) <= set(page.items)
    assert sum(item.startswith(("Table ", "Cards")) for item in page.items) == len(SAID)
    result_rows = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert [row["says"] for row in result_rows if row["measure"] == "printed_finding"] == lines
    counts = {row["measure"]: row["numerator"] for row in result_rows if row["numerator"] is not None}
    assert counts == {"printed_figures": 392, "printed_figures_marked": len(MISPRINTS), "printed_findings": 13}


def test_every_figure_of_the_southampton_cards_stands_beside_its_recomputed_one(page, shared):
    printed = rows_of(shared / "golden" / "southampton_cards.csv")
    shown = page.tables["cards"]
    assert len(shown) == len(printed) == 32
    for (_, _, cells), row in zip(shown, printed, strict=True):
        (text, note), (again, _), (unit, _), (basis, _) = cells
        assert (text, note, unit) == (row["printed"], "", row["unit"])
        assert row["derived_from"] in basis
        assert (again == BLANK) == (row["derived_from"] == "given")
        if again != BLANK:
            digits = len(text.partition(".")[2])
            difference = abs(float(again.replace("−", "-").replace(",", "")) - float(text))
            assert difference <= 0.5 * 10**-digits + 1e-9, row["quantity"]


def test_the_same_with_published_files_and_the_same_bytes_again(trafford, tmp_path, shared):
    golden = shared / "golden"
    files = [golden / name for name in TABLES]
    published = ["--published", shared / "data" / "real", "--contact", "attendance@council.example"]
    result = run(tmp_path, files, "Trafford", *published)
    sentences = [line for line in result.output.splitlines() if line.startswith("- ")]
    assert sentences == [line for line in trafford[0].output.splitlines() if line.startswith("- ")]
    page = tmp_path / "trafford" / "2023-24" / "printed_tables"
    text = (page / "index.html").read_bytes()
    assert b"attendance@council.example" in text
    assert str(tmp_path) not in (page / "manifest.json").read_text(encoding="utf-8")
    assert str(golden) not in (page / "manifest.json").read_text(encoding="utf-8")
    run(tmp_path, reversed(files), "Trafford", *published)
    assert (page / "index.html").read_bytes() == text


def test_clean_files_give_status_0(tmp_path, shared):
    golden = shared / "golden"
    result = run(tmp_path, [golden / "southampton_cards.csv"], "Southampton")
    assert (result.exit_code, result.output.splitlines()[0]) == (
        0,
        "Nothing was found against the 32 figures of a set of cards.",
    )
    result = run(tmp_path, [golden / TABLES[2]], "Trafford", "--year", "2024/25")
    assert result.exit_code == 0, result.output
    assert "Nothing was found against the 33 figures of 1 table." in result.output
    table = (golden / TABLES[1]).read_text(encoding="utf-8").replace(",1.60,", ",15.60,")
    repaired = tmp_path / "table2.csv"
    kept = [line for line in table.splitlines() if line.split(",")[1] != "Boys"]
    repaired.write_text("\n".join(kept), encoding="utf-8")
    assert run(tmp_path, [repaired], "Trafford").exit_code == 0


def test_a_misprinted_card_is_marked_on_the_page(tmp_path, shared):
    text = (shared / "golden" / "southampton_cards.csv").read_text(encoding="utf-8")
    wrong = tmp_path / "cards.csv"
    wrong.write_text(text.replace("persistent,rate,21.4", "persistent,rate,24.1"), encoding="utf-8")
    result = run(tmp_path, [wrong], "Southampton")
    assert result.exit_code == 1
    said = "Cards: Persistent absence: rate is printed as 24.1%, but 6,885 of 32,144 enrolments gives 21.4%."
    assert f"- {said}" in result.output
    page = parsed(tmp_path / "southampton" / "2023-24" / "printed_tables" / "index.html")
    assert said in page.items
    marked = [cells[0] for _, _, cells in page.tables["cards"] if cells[0][1]]
    assert marked == [("24.1", "note 1")]


@pytest.mark.parametrize(
    ("name", "area", "status", "message"),
    [
        ("wrong.csv", "Trafford", 2, "wrong.csv is not a printed table this toolkit knows. Its columns are: a, b."),
        ("none.csv", "Trafford", 2, "none.csv: the file cannot be opened"),
        ("binary.xlsx", "Trafford", 2, "binary.xlsx: the file is a zip file or a damaged Excel workbook."),
        ("table.csv", "Bury", 5, "table.csv prints figures of Trafford (column trafford_2022_23), not of Bury."),
        ("table.csv", "Traford", 3, "Did you mean 'Trafford'?"),
    ],
)
def test_a_wrong_file_gives_one_sentence_and_no_page(tmp_path, shared, name, area, status, message):
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (tmp_path / "binary.xlsx").write_bytes(b"PK\x03\x04\x80\xff\xfe")
    (tmp_path / "table.csv").write_bytes((shared / "golden" / TABLES[0]).read_bytes())
    out = tmp_path / "out"
    result = run(out, [tmp_path / name], area)
    assert result.exit_code == status, result.output
    assert message in result.output
    assert len(result.output.splitlines()) == 1
    assert not out.exists()
