"""Ways to spoil an input. Each has a name and a reason of one line: what goes wrong like this in an LA."""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.malformed.laws import Input

Rows = list[list[str]]
Bytes = Callable[[bytes, Input], bytes]


@dataclass(frozen=True)
class Mutation:
    """One way to spoil the first file of an input.

    Attributes
    ----------
    changes
        "nothing": the numbers must be those of the good file, or it must be refused. "something": as
        before, or a finding must tell.
    """

    name: str
    reason: str
    apply: Bytes
    changes: str = "something"


def rows_of(content: bytes) -> Rows:
    """Return the cells of a good CSV file."""
    return [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")) if row]


def bytes_of(rows: Rows, **more: object) -> bytes:
    """Return rows as a CSV file."""
    out = io.StringIO(newline="")
    csv.writer(out, **{"lineterminator": "\n", **more}).writerows(rows)  # type: ignore[arg-type]
    return out.getvalue().encode()


def on_rows(edit: Callable[[Rows, Input], Rows | None]) -> Bytes:
    """Return a mutation of a table's rows; ``edit`` changes them in place or returns new ones."""

    def apply(content: bytes, kind: Input) -> bytes:
        rows = rows_of(content)
        found = edit(rows, kind)
        return bytes_of(rows if found is None else found)

    return apply


def place_of(rows: Rows, column: str) -> int:
    """Return where a column is; the last one if the input does not name it."""
    return rows[0].index(column) if column in rows[0] else len(rows[0]) - 1


def cell(role: str, value: str | Callable[[str], str], row: int = 1) -> Bytes:
    """Return a mutation of one cell: of the input's number, key or code column."""

    def edit(rows: Rows, kind: Input) -> None:
        place = place_of(rows, getattr(kind, role))
        old = rows[row][place]
        rows[row][place] = value(old) if callable(value) else value

    return on_rows(edit)


def column(role: str, value: Callable[[str], str]) -> Bytes:
    """Return a mutation of every cell of a column."""

    def edit(rows: Rows, kind: Input) -> None:
        place = place_of(rows, getattr(kind, role))
        for row in rows[1:]:
            row[place] = value(row[place])

    return on_rows(edit)


def _drop(place: int) -> Bytes:
    return on_rows(lambda rows, kind: [[c for i, c in enumerate(row) if i != place % len(rows[0])] for row in rows])


def _drop_role(role: str) -> Bytes:
    def edit(rows: Rows, kind: Input) -> Rows:
        place = place_of(rows, getattr(kind, role))
        return [[c for i, c in enumerate(row) if i != place] for row in rows]

    return on_rows(edit)


def _rename_role(role: str) -> Bytes:
    def edit(rows: Rows, kind: Input) -> None:
        rows[0][place_of(rows, getattr(kind, role))] += "x"

    return on_rows(edit)


def _shuffle(rows: Rows, kind: Input) -> Rows:
    order = list(range(len(rows[0])))
    random.Random(7).shuffle(order)
    return [[row[i] for i in order] for row in rows]


def _twice(role: str, *, same_values: bool) -> Bytes:
    def edit(rows: Rows, kind: Input) -> None:
        place = place_of(rows, getattr(kind, role))
        for number, row in enumerate(rows):
            row.append(row[place] if same_values or number == 0 else "7")

    return on_rows(edit)


def _swap_headers(rows: Rows, kind: Input) -> None:
    a, b = place_of(rows, kind.number), place_of(rows, kind.key)
    rows[0][a], rows[0][b] = rows[0][b], rows[0][a]


def _line_break(rows: Rows, kind: Input) -> None:
    place = place_of(rows, kind.code)
    rows[1][place] += "\n"


def _insert(at: int, *cells: str) -> Callable[[Rows, Input], None]:
    def edit(rows: Rows, kind: Input) -> None:
        row = list(cells) + [""] * (len(rows[0]) - len(cells))
        rows.insert(at if at >= 0 else len(rows), row)

    return edit


def _merged(rows: Rows, kind: Input) -> None:
    place = place_of(rows, kind.key)
    for row in rows[2:]:
        row[place] = ""


def _again(rows: Rows, kind: Input) -> None:
    rows.insert(2, list(rows[0]))


def _delimiter(mark: str) -> Bytes:
    return lambda content, kind: bytes_of(rows_of(content), delimiter=mark)


def _unbalanced(content: bytes, kind: Input) -> bytes:
    lines = content.split(b"\n")
    first, _, rest = lines[1].partition(b",")
    lines[1] = b'"' + first + b"," + rest
    return b"\n".join(lines)


def _stray_quote(content: bytes, kind: Input) -> bytes:
    lines = content.split(b"\n")
    first, _, rest = lines[1].partition(b",")
    lines[1] = first + b'"x",' + rest
    return b"\n".join(lines)


def _cut(content: bytes, share: float) -> bytes:
    return content[: max(1, int(len(content) * share))]


BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]><Message>&d;</Message>"""

REFERENCES = b"a: &a [x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (n + 1, n + 1, b", ".join([b"*%c" % n] * 7)) for n in b"abcdef"
)


def swap(*pairs: tuple[bytes, bytes]) -> Bytes:
    """Return a mutation that puts bytes in the place of others."""

    def apply(content: bytes, kind: Input) -> bytes:
        for old, new in pairs:
            content = content.replace(old, new)
        return content

    return apply


_NAMESPACE = swap((b"<Message", b'<Message xmlns="urn:x"'), (b"<CTfile", b'<CTfile xmlns="urn:x"'))


def _more(*titles: str) -> Bytes:
    return on_rows(
        lambda rows, kind: [[*row, *(titles if n == 0 else ["x"] * len(titles))] for n, row in enumerate(rows)]
    )


def _commas(content: bytes, kind: Input) -> bytes:
    empty = b"," * (len(rows_of(content)[0]) - 1) + b"\n"
    return content.rstrip(b"\n") + b"\n" + empty * 3


def _external(content: bytes, kind: Input) -> bytes:
    start = b'<?xml version="1.0"?><!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    return start + content[content.find(b"?>") + 2 :].replace(b"</UPN>", b"&x;</UPN>", 1)


def _deep(content: bytes, kind: Input) -> bytes:
    return content.replace(b"</UPN>", b"</UPN>" + b"<x>" * 5000 + b"</x>" * 5000, 1)


def _huge(content: bytes, kind: Input) -> bytes:
    return content.replace(b"<UPN>", b'<UPN a="' + b"x" * 1_000_000 + b'">', 1)


#: For any file at all.
ON_BYTES = (
    Mutation("empty", "an export that failed leaves a file of no bytes", lambda b, k: b""),
    Mutation("blank", "a file of blanks and line ends", lambda b, k: b" \r\n \n\n"),
    Mutation("one_byte", "a copy that stopped at once", lambda b, k: b[:1]),
    Mutation("cut_in_half", "a download that was cut off", lambda b, k: _cut(b, 0.5)),
    Mutation("cut_in_the_last_row", "a copy that ran out of disk", lambda b, k: b.rstrip()[:-3]),
    Mutation("nul_inside", "a disk error", lambda b, k: b[: len(b) // 2] + b"\0" + b[len(b) // 2 :]),
    Mutation("nuls_at_the_end", "a file system that filled the last block", lambda b, k: b + b"\0" * 64),
    Mutation("invalid_utf8", "a byte that is no letter in any usual encoding", lambda b, k: b[:-4] + b"\x81\x8d" + b[-4:]),
    Mutation("gzip_cut_off", "half a gzip file under the old name", lambda b, k: _cut(gzip.compress(b * 9), 0.6)),
    Mutation("gzip_of_noise", "a gzip file of something else", lambda b, k: gzip.compress(b"\x01\x02\x03" * 50)),
    Mutation("zip", "a zip file under another name", lambda b, k: b"PK\x03\x04" + b),
    Mutation("old_workbook", "an old Excel workbook under another name", lambda b, k: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b),
    Mutation("pdf", "a PDF under another name", lambda b, k: b"%PDF-1.7\n" + b),
    Mutation("png", "a picture under another name", lambda b, k: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) + b),
    Mutation("parquet_magic", "four bytes of Parquet before text", lambda b, k: b"PAR1" + b),
    Mutation("html", "the page that asks to sign in, saved as data", lambda b, k: b"<!DOCTYPE html><html><body>Sign in</body></html>"),
    Mutation("json", "the answer of a web service that refused", lambda b, k: b'{"error": {"code": 401, "message": "x"}}'),
    Mutation("entity_bomb", "XML whose entities fill the memory", lambda b, k: BOMB),
    Mutation("deep_xml", "XML of ten thousand levels", lambda b, k: b"<a>" * 10_000),
    Mutation("deep_json", "JSON of ten thousand levels", lambda b, k: b"[" * 10_000),
    Mutation("noise", "bytes of no meaning", lambda b, k: random.Random(3).randbytes(3000)),
    Mutation("text", "a letter saved as data", lambda b, k: b"Dear all,\nplease find attached the data.\nRegards\n"),
)  # fmt: skip

#: For tables in CSV with a header.
ON_TABLES = (
    Mutation("bom", "Excel's UTF-8", lambda b, k: b"\xef\xbb\xbf" + b.removeprefix(b"\xef\xbb\xbf"), "nothing"),
    Mutation("windows_line_ends", "a file from Windows", lambda b, k: b.replace(b"\n", b"\r\n"), "nothing"),
    Mutation("old_mac_line_ends", "a file from a very old system", lambda b, k: b.replace(b"\n", b"\r")),
    Mutation("mixed_line_ends", "two files pasted together", lambda b, k: b.replace(b"\n", b"\r\n", 1), "nothing"),
    Mutation("no_last_line_end", "an editor that leaves out the last line end", lambda b, k: b.rstrip(b"\n"), "nothing"),
    Mutation("all_quoted", "a system that quotes every cell", lambda b, k: bytes_of(rows_of(b), quoting=csv.QUOTE_ALL), "nothing"),
    Mutation("utf_16", "Excel's 'Unicode text' with commas", lambda b, k: b.decode("utf-8-sig").encode("utf-16")),
    Mutation("utf_16_without_mark", "UTF-16 without its mark", lambda b, k: b.decode("utf-8-sig").encode("utf-16-le")),
    Mutation("utf_32", "four bytes a letter", lambda b, k: b.decode("utf-8-sig").encode("utf-32")),
    Mutation("semicolons", "a computer set to German", _delimiter(";")),
    Mutation("tabs", "text with tabs under .csv", _delimiter("\t")),
    Mutation("bars", "vertical bars", _delimiter("|")),
    Mutation("header_only", "an export of nobody", on_rows(lambda r, k: r[:1])),
    Mutation("no_header", "an export without its header", on_rows(lambda r, k: r[1:])),
    Mutation("header_last", "rows sorted with the header among them", on_rows(lambda r, k: [*r[1:], r[0]])),
    Mutation("header_again", "two exports pasted under each other", on_rows(_again)),
    Mutation("header_upper_case", "another system's capitals", on_rows(lambda r, k: [[c.upper() for c in r[0]], *r[1:]])),
    Mutation("header_with_blanks", "blanks around the names", on_rows(lambda r, k: [[f" {c} " for c in r[0]], *r[1:]])),
    Mutation("columns_shuffled", "somebody moved the columns", on_rows(_shuffle), "nothing"),
    Mutation("first_column_dropped", "the first column was deleted", _drop(0)),
    Mutation("second_column_dropped", "the second column was deleted", _drop(1)),
    Mutation("last_column_dropped", "the last column was deleted", _drop(-1)),
    Mutation("number_column_dropped", "the column of numbers was deleted", _drop_role("number")),
    Mutation("key_column_dropped", "the identifiers were deleted to be on the safe side", _drop_role("key")),
    Mutation("code_column_dropped", "the column of codes was deleted", _drop_role("code")),
    Mutation("number_column_renamed", "the column of numbers is misspelt", _rename_role("number")),
    Mutation("key_column_renamed", "the column of identifiers is misspelt", _rename_role("key")),
    Mutation("code_column_renamed", "the column of codes is misspelt", _rename_role("code")),
    Mutation("number_column_twice", "the column of numbers was copied", _twice("number", same_values=True)),
    Mutation("number_column_twice_differing", "two columns of one name, with different numbers", _twice("number", same_values=False)),
    Mutation("key_column_twice", "the column of identifiers was copied", _twice("key", same_values=True)),
    Mutation("two_headers_swapped", "two names were exchanged", on_rows(_swap_headers)),
    Mutation("extra_column", "a column nobody asked for", _more("note")),
    Mutation("nameless_column", "values without a name", _more("")),
    Mutation("blank_columns", "Excel's empty columns at the right", on_rows(lambda r, k: [[*row, "", "", ""] for row in r])),
    Mutation("five_hundred_columns", "a pivot table beside the data", _more(*(f"c{i}" for i in range(500)))),
    Mutation("row_too_long", "an unquoted comma in a cell", on_rows(lambda r, k: r[1].append("1"))),
    Mutation("row_too_short", "a row that lost its end", on_rows(lambda r, k: r[1].__delitem__(slice(-2, None)))),
    Mutation("blank_lines", "blank lines between rows", lambda b, k: b.replace(b"\n", b"\n\n")),
    Mutation("row_of_commas", "a row that was emptied", on_rows(_insert(2))),
    Mutation("rows_of_commas_at_the_end", "Excel's empty rows at the end", _commas),
    Mutation("blank_lines_first", "blank lines above the header", lambda b, k: b"\n\n" + b),
    Mutation("title_first", "a title above the header", lambda b, k: b"Attendance export, run by the service desk\n" + b),
    Mutation("footnote", "a source line below the data", lambda b, k: b.rstrip(b"\n") + b"\nSource: school census\n"),
    Mutation("footnote_with_commas", "a note in the first cell of a last row", on_rows(_insert(-1, "Notes: provisional"))),
    Mutation("total_row", "a total below the data", on_rows(_insert(-1, "Total"))),
    Mutation("sep_line", "Excel's first line that names the delimiter", lambda b, k: b"sep=,\n" + b),
    Mutation("row_twice", "a row that was pasted twice", on_rows(lambda r, k: r.append(list(r[1])))),
    Mutation("all_rows_twice", "an export appended to itself", on_rows(lambda r, k: r.extend([list(x) for x in r[1:]]))),
    Mutation("line_break_in_cell", "a line break typed into a cell", on_rows(_line_break)),
    Mutation("quote_not_closed", "a quotation mark that is never closed", _unbalanced),
    Mutation("stray_quote", "a quotation mark inside a cell", _stray_quote),
    Mutation("cells_merged", "merged cells: only the first row has the identifier", on_rows(_merged)),
    Mutation("number_negative", "a minus sign", cell("number", lambda v: "-" + (v or "1"))),
    Mutation("number_negative_with_true_minus", "a minus sign of a word processor", cell("number", lambda v: "−" + (v or "1"))),
    Mutation("number_with_decimals", "half a session", cell("number", lambda v: f"{v}.5" if "." not in v else v + "e5")),
    Mutation("number_huge", "a number of twenty digits", cell("number", "99999999999999999999")),
    Mutation("number_beyond_int64", "a number no integer holds", cell("number", "9" * 400)),
    Mutation("number_infinite", "a division by nought", cell("number", "inf")),
    Mutation("number_nan", "a missing number in another system", cell("number", "nan")),
    Mutation("number_scientific", "scientific notation", cell("number", "1.2E+02")),
    Mutation("number_percent", "a per cent sign", cell("number", lambda v: v + "%")),
    Mutation("number_with_blank", "a blank between thousands", cell("number", "1 234")),
    Mutation("number_with_comma", "a comma between thousands", cell("number", "1,234")),
    Mutation("number_with_comma_misplaced", "a decimal comma", cell("number", "12,5")),
    Mutation("number_hash", "a column too narrow in Excel", cell("number", "#####")),
    Mutation("number_error", "a formula that failed", cell("number", "#REF!")),
    Mutation("number_formula", "a formula instead of its value", cell("number", "=A1+B1")),
    Mutation("number_word", "a word for a number", cell("number", "many")),
    Mutation("number_blank", "a number that was deleted", cell("number", "")),
    Mutation("number_arabic_digits", "digits of another script", cell("number", "١٢")),
    Mutation("number_superscript", "a footnote mark behind the number", cell("number", lambda v: v + "²")),
    Mutation("number_date", "Excel's date for 1-2", cell("number", "01-Feb")),
    Mutation("number_underscore", "a number as programmers write it", cell("number", "1_0")),
    Mutation("number_hexadecimal", "a number of a machine", cell("number", "0x10")),
    Mutation("number_true", "a tick box", cell("number", "TRUE")),
    Mutation("number_column_negative", "every number with a minus sign", column("number", lambda v: f"-{v}" if v else "-1")),
    Mutation("number_column_words", "every number a word", column("number", lambda v: "several")),
    Mutation("key_spreadsheet", "an identifier turned into scientific notation", cell("key", "3.58012E+10")),
    Mutation("key_column_spreadsheet", "all identifiers turned into scientific notation", column("key", lambda v: "3.58012E+10")),
    Mutation("key_blank", "an identifier that was deleted", cell("key", "")),
    Mutation("key_column_blank", "all identifiers deleted", column("key", lambda v: "")),
    Mutation("key_long", "a note in the place of an identifier", cell("key", "x" * 100_000)),
    Mutation("key_with_nbsp", "a blank that is none, from a web page", cell("key", lambda v: v + "\u00a0")),
    Mutation("key_quote", "a quotation mark and a semicolon, as for SQL", cell("key", "'; DROP TABLE pupil; --")),
    Mutation("key_emoji", "a letter outside the usual plane", cell("key", "\U0001f600")),
    Mutation("code_unknown", "a code nobody knows", cell("code", "QQQ")),
    Mutation("code_spreadsheet_date", "Excel's date for a code such as 1-2", cell("code", "02-Jan")),
    Mutation("code_column_spreadsheet_date", "Excel's dates for all codes", column("code", lambda v: "02-Jan")),
    Mutation("code_mojibake", "UTF-8 read as Windows-1252", cell("code", "Ã©Ã¨â€“")),
    Mutation("code_error", "a look-up that failed", cell("code", "#N/A")),
    Mutation("code_blank", "a code that was deleted", cell("code", "")),
    Mutation("code_column_blank", "all codes deleted", column("code", lambda v: "")),
    Mutation("code_right_to_left", "an invisible mark of writing direction", cell("code", lambda v: v + "\u200f")),
)  # fmt: skip

#: For XML.
ON_XML = (
    Mutation("end_tag_dropped", "the last tag is missing", lambda b, k: b.rstrip()[: b.rstrip().rindex(b"</")]),
    Mutation("tag_misspelt", "an end tag that closes nothing", lambda b, k: b.replace(b"</UPN>", b"</UPM>", 1)),
    Mutation("no_upn_tags", "the identifiers were cut out", lambda b, k: b.replace(b"<UPN>", b"<!--").replace(b"</UPN>", b"-->")),
    Mutation("upn_tags_renamed", "another name for the identifier", swap((b"UPN>", b"Id>"))),
    Mutation("ampersand", "an ampersand that was not escaped", lambda b, k: b.replace(b"</UPN>", b"&</UPN>", 1)),
    Mutation("unknown_entity", "an entity nobody declared", lambda b, k: b.replace(b"</UPN>", b"&nbsp;</UPN>", 1)),
    Mutation("external_entity", "an entity that reads another file", _external),
    Mutation("wrong_encoding_said", "UTF-16 in the declaration of a file in UTF-8", swap((b"UTF-8", b"utf-16"))),
    Mutation("unknown_encoding_said", "an encoding that does not exist", swap((b"UTF-8", b"klingon"))),
    Mutation("control_character", "a character XML does not allow", lambda b, k: b.replace(b"</UPN>", b"\x08</UPN>", 1)),
    Mutation("another_root", "a message of another kind", lambda b, k: b"<Invoice><Line>1</Line></Invoice>"),
    Mutation("wrong_namespace", "another namespace", _NAMESPACE),
    Mutation("two_roots", "two files pasted together", lambda b, k: b + b[b.find(b"?>") + 2 :]),
    Mutation("text_after", "a line of a log below the data", lambda b, k: b + b"\nfinished 1 error\n"),
    Mutation("text_before", "a line of a log above the data", lambda b, k: b"export started\n" + b),
    Mutation("deep_nesting", "five thousand levels inside", _deep),
    Mutation("huge_attribute", "an attribute of a megabyte", _huge),
    Mutation("upn_spreadsheet", "an identifier turned into a number", lambda b, k: _between(b, b"<UPN>", b"</UPN>", b"3.58E+11")),
    Mutation("upn_blank", "an identifier that was deleted", lambda b, k: _between(b, b"<UPN>", b"</UPN>", b"")),
    Mutation("upn_twice", "two identifiers for one pupil", lambda b, k: b.replace(b"</UPN>", b"</UPN><UPN>A123</UPN>", 1)),
    Mutation("half_of_it", "a copy cut off inside a tag", lambda b, k: b[: b.rindex(b"<UPN>") + 3]),
)  # fmt: skip

#: For YAML.
ON_YAML = (
    Mutation("tab", "a tab in the place of blanks", lambda b, k: b.replace(b"\n  ", b"\n\t", 1)),
    Mutation("key_misspelt", "a key written in another way", lambda b, k: b.replace(b":", b"s:", 1)),
    Mutation("key_twice", "a line that was pasted twice", lambda b, k: b[: b.index(b"\n", 400 * (len(b) > 800)) + 1] + b),
    Mutation("bracket_dropped", "a list that never ends", lambda b, k: b.replace(b"]", b"", 1)),
    Mutation("references", "a few lines that fill the memory", lambda b, k: REFERENCES + b),
    Mutation("python_object", "a line that would run a program", lambda b, k: b"x: !!python/object/apply:os.getcwd []\n" + b),
    Mutation("a_list", "a list in the place of keys", lambda b, k: b"- a\n- b\n"),
    Mutation("a_number", "nothing but a number", lambda b, k: b"42\n"),
    Mutation("two_documents", "two files pasted together", lambda b, k: b + b"---\n" + b),
    Mutation("nested", "brackets a thousand deep", lambda b, k: b + b"more: " + b"[" * 1000 + b"]" * 1000 + b"\n"),
)  # fmt: skip


def _between(content: bytes, start: bytes, end: bytes, new: bytes) -> bytes:
    before, _, rest = content.partition(start)
    _, _, after = rest.partition(end)
    return before + start + new + end + after
