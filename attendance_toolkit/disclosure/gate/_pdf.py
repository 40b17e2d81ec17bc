"""PDF files: every text in them, of the pages, the properties and whatever else; what cannot be read is a problem.

Only as much of the format (ISO 32000-1) is known here as is needed to read text that a browser or an office program
wrote. A font that does not say which letters it draws, an image, a program or a password make a file unreadable.
"""

from __future__ import annotations

import base64
import itertools
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from attendance_toolkit.disclosure.gate._images import read_image

_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_NAME_ESCAPE = re.compile(rb"#([0-9a-fA-F]{2})")
_FILTERS = re.compile(rb"/(?:Filter|F)\s*(\[[^\]]*\]|/\w+)")
_NUMBER_OF = rb"/%s\s+(\d+)"
_LITERAL = rb"\((?:[^()\\]|\\.|\((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\))*\)"
_TOKEN = re.compile(
    _LITERAL + rb"|<[0-9a-fA-F\s]*>|\[|\]|[-+]?\d*\.?\d+|T[djJDm*]|BT|ET|'|\"|/\w+|[A-Za-z]+\*?", re.DOTALL
)
_ANY_STRING = re.compile(_LITERAL + rb"|<(?!<)[0-9a-fA-F\s]+>", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_ESCAPED = re.compile(rb"\\([0-7]{1,3}|\r\n|[\s\S])")
_BF_CHAR = re.compile(rb"<([0-9a-fA-F]+)>\s*<([0-9a-fA-F\s]+)>")
_BF_RANGE = re.compile(rb"<([0-9a-fA-F]+)>\s*<([0-9a-fA-F]+)>\s*(<[0-9a-fA-F\s]+>|\[[^\]]*\])")
_DRAWING = re.compile(rb"\b(?:Tj|TJ|re|cm|BT|Do)\b")
_MOST_FONTS = 60
_WIDE_GAP = -180
_PARTS = (
    (rb"/Encrypt\b", "It is protected, so that it is not known what it holds."),
    (rb"/(?:JavaScript|JS|Launch|SubmitForm|ImportData)\b", "It holds a program or an action."),
    (rb"/(?:EmbeddedFiles?|Filespec|RichMedia|FileAttachment)\b", "It holds another file."),
    (rb"/(?:AcroForm|XFA|Widget)\b", "It holds a form."),
    (rb"/OCProperties\b", "It holds layers that can be hidden."),
    (rb"/Subtype\s*/(?:Text|FreeText|Popup|Stamp)\b", "It holds notes."),
)
_PERSON = re.compile(rb"/(?:Author|Manager|Company|LastModifiedBy)\s*(" + _LITERAL + rb"|<[0-9a-fA-F\s]*>)", re.DOTALL)


@dataclass
class Document:
    """Texts and byte strings of a PDF file, and its problems: rule -> sentence."""

    texts: list[str] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


def read_pdf(data: bytes, most: int) -> Document:
    """Return the texts of a PDF file and what is wrong with it.

    Parameters
    ----------
    data
        The file.
    most
        Bytes that its streams may become, all together.
    """
    document = Document()
    objects: list[bytes] = []
    contents: list[bytes] = []
    tables: list[dict[bytes, str]] = []
    at, room = 0, most
    for match in _STREAM.finditer(data):
        if match.start() < at:
            continue
        begins = max(data.rfind(b"obj", at, match.start()), at)
        objects.append(data[at : match.start()])
        head = _NAME_ESCAPE.sub(lambda m: bytes([int(m[1], 16)]), data[begins : match.start()])
        end = data.find(b"endstream", match.end())
        if end < 0:
            document.problems["unreadable"] = "It breaks off, so that it is not known what it holds."
            end = len(data)
        body = _unpacked(head, data[match.end() : end], room, document)
        at, room = end, room - len(body)
        if room <= 0:
            document.problems["too_large"] = "It holds more data than is read, when it is unpacked."
            break
        _sort_stream(head, body, objects, contents, tables, document)
    objects.append(data[at:])
    _read_objects(objects, document)
    if len(tables) > _MOST_FONTS:
        document.problems["unreadable"] = "It has so many fonts that it is not read."
    for content in contents:
        document.texts += _shown(content, tables[:_MOST_FONTS])
    return document


def _sort_stream(
    head: bytes,
    body: bytes,
    objects: list[bytes],
    contents: list[bytes],
    tables: list[dict[bytes, str]],
    document: Document,
) -> None:
    """Put the content of a stream where it belongs."""
    if re.search(rb"/Type\s*/XRef\b", head):
        return
    if re.search(rb"/Type\s*/ObjStm\b", head):
        objects += _objects_in(head, body)
    elif b"beginbfchar" in body or b"beginbfrange" in body:
        table = _letters(body)
        if table not in tables:
            tables.append(table)
    elif re.search(rb"/Subtype\s*/Image\b", head):
        document.problems["image"] = "It holds an image, and pixels cannot be read."
    elif (
        re.search(rb"/(?:Length1|Subtype\s*/(?:Type1C|CIDFontType0C|OpenType))\b", head)
        or re.search(rb"/Type\s*/(?:Metadata|EmbeddedFile)\b", head)
        or not _DRAWING.search(body)
    ):
        document.blobs.append(body)
    else:
        contents.append(body)
        if re.search(rb"\bBI\b.{0,400}?\bID\b", body, re.DOTALL):
            document.problems["image"] = "It holds an image, and pixels cannot be read."


def _unpacked(head: bytes, body: bytes, most: int, document: Document) -> bytes:
    listed = _FILTERS.search(head)
    for name in re.findall(rb"/(\w+)", listed[1]) if listed else ():
        try:
            if name in (b"FlateDecode", b"Fl"):
                body = _unpredicted(head, zlib.decompressobj().decompress(body, max(most, 1)))
            elif name in (b"ASCIIHexDecode", b"AHx"):
                body = bytes.fromhex(re.sub(rb"[\s>]", b"", body).decode("ascii"))
            elif name in (b"ASCII85Decode", b"A85"):
                body = base64.a85decode(body.strip().removesuffix(b"~>").strip())
            elif name in (b"DCTDecode", b"DCT"):
                document.texts += read_image(body).texts
                return b""
            else:
                document.problems["unreadable"] = "A part of it is compressed in a way that is not read."
                return b""
        except (zlib.error, ValueError):
            document.problems["unreadable"] = "A part of it is damaged, so that it is not known what it holds."
            return b""
    return body


def _unpredicted(head: bytes, body: bytes) -> bytes:
    """Undo the PNG predictor "up" that lists of objects are written with."""
    predictor, columns = _number(head, b"Predictor"), _number(head, b"Columns") or 1
    if predictor < 10:
        return body
    row, rows = bytes(columns), []
    for start in range(0, len(body), columns + 1):
        kind, line = body[start : start + 1], body[start + 1 : start + 1 + columns]
        row = bytes((a + b) & 255 for a, b in zip(line, row, strict=False)) if kind == b"\2" else line
        rows.append(row)
    return b"".join(rows)


def _number(head: bytes, name: bytes) -> int:
    match = re.search(_NUMBER_OF % name, head)
    return int(match[1]) if match else 0


def _objects_in(head: bytes, body: bytes) -> Iterator[bytes]:
    first = _number(head, b"First")
    numbers = [int(n) for n in body[:first].split() if n.isdigit()]
    offsets = [*sorted(numbers[1::2]), len(body) - first]
    for start, end in itertools.pairwise(offsets):
        yield b"obj" + body[first + start : first + end] + b"endobj"


def _read_objects(objects: list[bytes], document: Document) -> None:
    """Read everything outside the streams: strings, fonts, properties."""
    skeleton = _NAME_ESCAPE.sub(lambda m: bytes([int(m[1], 16)]), b"\n".join(objects))
    for pattern, says in _PARTS:
        if re.search(pattern, skeleton):
            document.problems.setdefault("pdf_part", says)
    if any(_plain_string(match[1]).strip() for match in _PERSON.finditer(skeleton)):
        document.problems["document_properties"] = "Its properties name a person."
    for font in re.findall(
        rb"/Type\s*/Font\b.*?(?=endobj|\Z)|obj(?:(?!endobj).)*?/Type\s*/Font\b.*?endobj", skeleton, re.DOTALL
    ):
        is_coded = re.search(rb"/Subtype\s*/Type[03]\b|/Differences\b", font)
        if is_coded and b"/ToUnicode" not in font and b"/CIDFontType" not in font:
            document.problems["unreadable"] = "A font of it does not say which letters it draws."
    strings = [_plain_string(string) for string in _ANY_STRING.findall(skeleton)]
    document.texts += [skeleton.decode("latin-1"), "\n".join(strings)]


def _string(token: bytes) -> bytes:
    if token.startswith(b"<"):
        digits = re.sub(rb"\s", b"", token[1:-1])
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))

    def plain(match: re.Match[bytes]) -> bytes:
        escaped = match[1]
        if escaped[:1].isdigit():
            return bytes([int(escaped, 8) & 255])
        return b"" if escaped in (b"\n", b"\r", b"\r\n") else _ESCAPES.get(escaped, escaped)

    return _ESCAPED.sub(plain, token[1:-1])


def _plain_string(token: bytes) -> str:
    data = _string(token)
    if data.startswith((b"\xfe\xff", b"\xff\xfe")):
        return data.decode("utf-16", errors="replace")
    return data.decode("cp1252", errors="replace")


def _letters(body: bytes) -> dict[bytes, str]:
    """Return the letters a font's table gives for its codes."""
    table: dict[bytes, str] = {}
    for block in re.findall(rb"beginbfchar(.*?)endbfchar", body, re.DOTALL):
        for code, letters in _BF_CHAR.findall(block):
            table[bytes.fromhex(code.decode())] = _wide(letters)
    for block in re.findall(rb"beginbfrange(.*?)endbfrange", body, re.DOTALL):
        for low, high, target in _BF_RANGE.findall(block):
            start, end, size = int(low, 16), min(int(high, 16), int(low, 16) + 65_535), len(low) // 2
            listed = re.findall(rb"<([0-9a-fA-F\s]+)>", target)
            for step, code in enumerate(range(start, end + 1)):
                if target.startswith(b"["):
                    letters = _wide(listed[step]) if step < len(listed) else ""
                else:
                    first = _wide(listed[0])
                    letters = first[:-1] + chr(min(ord(first[-1]) + step, 0x10FFFF)) if first else ""
                table[code.to_bytes(size, "big")] = letters
    return table


def _wide(digits: bytes) -> str:
    plain = re.sub(rb"\s", b"", digits)
    return bytes.fromhex((plain + b"0" * (len(plain) % 2)).decode()).decode("utf-16-be", errors="replace")


def _shown(content: bytes, tables: list[dict[bytes, str]]) -> list[str]:
    """Return the text a page's content draws: as it stands, and as each font's table reads it."""
    pieces: list[bytes | str] = []
    in_array = False
    for token in _TOKEN.findall(content):
        if token[:1] in (b"(", b"<"):
            pieces.append(_string(token))
        elif token in (b"[", b"]"):
            in_array = token == b"["
        elif in_array:
            if token.lstrip(b"-+").replace(b".", b"").isdigit() and float(token) < _WIDE_GAP:
                pieces.append(" ")
        elif token[:1] in (b"T", b"'", b'"') and token not in (b"Tj", b"TJ"):
            pieces.append("\n")
    texts = ["".join(p if isinstance(p, str) else p.decode("cp1252", errors="replace") for p in pieces)]
    for table in tables:
        size = max((len(code) for code in table), default=1)
        texts.append("".join(p if isinstance(p, str) else _read_with(table, size, p) for p in pieces))
    return texts


def _read_with(table: dict[bytes, str], size: int, data: bytes) -> str:
    return "".join(table.get(data[at : at + size], "") for at in range(0, len(data), size))
