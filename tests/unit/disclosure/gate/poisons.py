"""Pages and files that must be refused, each with the rule that must say so.

The poison is one invented pupil (CANARY), whose UPN has the check letter of the DfE rule. Every encoding is made by Python's
own modules or written out here, never by the code under test.
"""

from __future__ import annotations

import base64
import bz2
import codecs
import gzip
import hashlib
import html
import io
import json
import lzma
import struct
import zipfile
import zlib
from urllib.parse import quote

from attendance_toolkit.disclosure.gate.identifiers import Identifiers

UPN = "B801200005001"
TEMPORARY = "M80120000500A"
WRONG = "C801200005001"
NAME = "Zephyrine Quillfeather"
BORN = "2012-05-01"
POSTCODE = "ZE3 9JZ"
KEY = b"k" * 32
KNOWN = Identifiers.from_values(
    KEY,
    upns=[UPN, TEMPORARY],
    names=[("Zephyrine", "Quillfeather"), ("Séan Óg", "O’Malley-Ní Bhriain"), ("Summer", "Bury"), ("Will", "Grant")],
    dates_of_birth=[BORN],
    postcodes=[POSTCODE],
)
UNKNOWN = Identifiers.missing("The store is too old.")

FRAME = """<!DOCTYPE html>
<html lang="en-GB"><head><meta charset="utf-8"><title>Absence in Bury, 2023/24</title>
<style>:root{{--ink:#0b0c0c}}p{{color:#1a2b3c}}@media print{{p{{font:9pt sans-serif}}}}</style></head>
<body><header><h1>Absence in Bury</h1></header><main id="main">
<p>In 2023/24 the rate of overall absence was 7.7%, in summer 2023 7.9% (95% interval 7.4 to 8.1).</p>
<table><caption>Absence by phase</caption><tr><th scope="col">Phase</th><th scope="col">Enrolments</th></tr>
<tr><th scope="row">Primary</th><td>12,345</td></tr><tr><th scope="row">Secondary</th><td>9,870</td></tr></table>
<svg role="img" aria-label="Line chart: absence rose from 5% to 6%" viewBox="0 0 100 50"><path d="M1 2L3 4 100 120 123 456 7890Z"/>
<text>0</text><text>10</text><text>20</text><text>30</text></svg>
{body}
<a download="a.csv" href="data:text/csv;charset=utf-8;base64,{csv}">Download</a>
</main></body></html>
"""
CSV = "area_code,area,phase,enrolments,rate\nE08000002,Bury,Primary,12345,7.123456789012345\nE08000002,Bury,Secondary,9870,c\n"


def page(body: str = "", csv: str = CSV) -> bytes:
    return FRAME.format(body=body, csv=base64.b64encode(csv.encode()).decode()).encode()


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def nested(text: str, times: int) -> str:
    for _ in range(times):
        text = b64(text)
    return text


def png(*chunks: tuple[bytes, bytes], after: bytes = b"") -> bytes:
    """Return a PNG of one pixel with more chunks."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    parts = [
        chunk(b"IHDR", head),
        *(chunk(*c) for c in chunks),
        chunk(b"IDAT", zlib.compress(b"\0\0")),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + after


def picture(data: bytes, kind: str = "png") -> str:
    return f'<img alt="Chart of absence by phase" src="data:image/{kind};base64,{b64(data)}">'


def jpeg(note: bytes) -> bytes:
    def segment(marker: int, body: bytes) -> bytes:
        return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body

    return (
        b"\xff\xd8"
        + segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
        + segment(0xFE, note)
        + segment(0xDA, b"\0")
        + b"\1\xff\xd9"
    )


def zipped(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def tags(text: str) -> str:
    """Return text in letters that are never shown (Unicode tags)."""
    return "".join(chr(0xE0000 + ord(c)) for c in text)


def wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def raw_deflate(text: str) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text.encode()) + packer.flush()


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


#: Name -> (page, rule that must be among the findings).
POISONED_PAGES: dict[str, tuple[bytes, str]] = {
    "plain UPN": (page(f"<p>{UPN}</p>"), "known_upn"),
    "lower case": (page(f"<p>{UPN.lower()}</p>"), "known_upn"),
    "temporary UPN": (page(f"<p>{TEMPORARY}</p>"), "known_upn"),
    "wrong check letter": (page(f"<p>{WRONG}</p>"), "upn_shape"),
    "alt text": (page(f'<img alt="Pupil {UPN}" src="">'), "known_upn"),
    "title": (page().replace(b"<title>", f"<title>{UPN} ".encode()), "known_upn"),
    "aria label": (page(f'<p aria-label="{NAME}">a</p>'), "known_name"),
    "comment": (page(f"<!-- {NAME} -->"), "known_name"),
    "unclosed comment": (page(f"<!-- {NAME}"), "known_name"),
    "data attribute": (page(f'<p data-pupil="{UPN}">a</p>'), "known_upn"),
    "style": (page(f"<style>p::after{{content:'{NAME}'}}</style>"), "known_name"),
    "style escapes": (page("<style>p::after{content:'" + "".join(f"\\{ord(c):06x}" for c in UPN) + "'}</style>"), "known_upn"),
    "hidden element": (page(f"<p hidden>{NAME}</p>"), "known_name"),
    "script": (page(f"<script>var p = '{UPN}'</script>"), "known_upn"),
    "script \\u": (page("<script>'" + "".join(f"\\u{ord(c):04x}" for c in UPN) + "'</script>"), "known_upn"),
    "script \\x": (page("<script>'" + "".join(f"\\x{ord(c):02x}" for c in NAME) + "'</script>"), "known_name"),
    "script codes": (page(f"<script>String.fromCharCode({','.join(str(ord(c)) for c in UPN)})</script>"), "known_upn"),
    "script pieces": (page(f"<script>'{UPN[:5]}' + '{UPN[5:]}'</script>"), "known_upn"),
    "inline JSON": (page(f"<script type='application/json'>{json.dumps({'p': NAME})}</script>"), "known_name"),
    "decimal entities": (page("".join(f"&#{ord(c)};" for c in UPN)), "known_upn"),
    "hexadecimal entities": (page("".join(f"&#x{ord(c):x};" for c in NAME)), "known_name"),
    "entities twice": (page(html.escape("".join(f"&#{ord(c)};" for c in UPN))), "known_upn"),
    "percent": (page(f'<a href="#{"".join(f"%{ord(c):02X}" for c in UPN)}">a</a>'), "known_upn"),
    "percent twice": (page(quote("".join(f"%{ord(c):02X}" for c in UPN))), "known_upn"),
    "tags between": (page(f"<p>{UPN[:4]}<b>{UPN[4:9]}</b><i></i>{UPN[9:]}</p>"), "known_upn"),
    "cells between": (page(f"<table><tr><td>{UPN[:6]}</td><td>{UPN[6:]}</td></tr></table>"), "known_upn"),
    "zero width": (page("\u200b".join(UPN)), "known_upn"),
    "soft hyphens": (page("\u00ad".join(NAME)), "known_name"),
    "right to left": (page("\u202e" + UPN[::-1]), "known_upn"),
    "backwards": (page(f"<p>{UPN[::-1]}</p>"), "known_upn"),
    "name backwards": (page(f"<p>{NAME[::-1]}</p>"), "known_name"),
    "tag characters": (page(tags(UPN)), "known_upn"),
    "wide letters": (page(wide(UPN)), "known_upn"),
    "look-alikes": (page(UPN.replace("B", "\u0412")), "known_upn"),
    "other digits": (page(UPN[0] + "".join(chr(0x0660 + int(c)) for c in UPN[1:])), "known_upn"),
    "spaces": (page(" ".join(UPN)), "known_upn"),
    "full stops": (page(".".join(UPN)), "known_upn"),
    "groups": (page(f"{UPN[:5]} {UPN[5:9]} {UPN[9:]}"), "known_upn"),
    "groups of an unknown pupil": (page("M801 2000 0500 A"), "upn_shape"),
    "name in spaced letters": (page(" ".join("ZephyrineQuillfeather")), "known_name"),
    "base64": (page(b64(UPN)), "known_upn"),
    "base64 five times": (page(nested(NAME, 5)), "known_name"),
    "base64 urlsafe": (page(base64.urlsafe_b64encode(f"???>>>{NAME}".encode()).decode()), "known_name"),
    "base64 without padding": (page(b64(UPN).rstrip("=")), "known_upn"),
    "base64 cut at the front": (page("ab" + b64(f"pupil {UPN} here")), "known_upn"),
    "base64 cut inside": (page(b64(f"the pupil {UPN} of the school")[3:]), "known_upn"),
    "base64 in lines": (page("\n".join(b64("x" * 98 + f" {NAME} " + "y" * 49)[i : i + 76] for i in range(0, 300, 76))), "known_name"),
    "base64 in chunks": (page(" ".join(b64(f"pupil {UPN}")[i : i + 4] for i in range(0, 28, 4))), "known_upn"),
    "base64 of UTF-16": (page(b64(NAME.encode("utf-16-le"))), "known_name"),
    "base64 backwards": (page(b64(f"pupil {UPN} of here")[::-1]), "known_upn"),
    "base32": (page(base64.b32encode(UPN.encode()).decode()), "known_upn"),
    "base85": (page(html.escape(base64.a85encode(NAME.encode(), adobe=True).decode())), "known_name"),
    "hexadecimal": (page(NAME.encode().hex()), "known_name"),
    "hexadecimal with colons": (page(UPN.encode().hex(":")), "known_upn"),
    "hexadecimal of base64": (page(b64(UPN).encode().hex()), "known_upn"),
    "gzip": (page(b64(gzip.compress(NAME.encode()))), "known_name"),
    "zlib": (page(b64(zlib.compress(NAME.encode()))), "known_name"),
    "deflate": (page(b64(raw_deflate(f"{NAME}, {NAME}, {NAME}"))), "known_name"),
    "bz2": (page(b64(bz2.compress(NAME.encode()))), "known_name"),
    "xz": (page(b64(lzma.compress(NAME.encode()))), "known_name"),
    "zip": (page(b64(zipped({"a.txt": NAME.encode()}))), "known_name"),
    "gzip in hexadecimal": (page(gzip.compress(UPN.encode()).hex()), "known_upn"),
    "quoted-printable": (page(codecs.encode(f"{NAME}".encode(), "quopri", ).decode().replace("e", "=65")), "known_name"),
    "PNG text": (page(picture(png((b"tEXt", b"Title\0" + NAME.encode())))), "known_name"),
    "PNG compressed text": (page(picture(png((b"zTXt", b"Author\0\0" + zlib.compress(NAME.encode()))))), "known_name"),
    "PNG international text": (page(picture(png((b"iTXt", b"Title\0\0\0en\0\0" + NAME.encode())))), "known_name"),
    "PNG exif": (page(picture(png((b"eXIf", b"MM\0*" + UPN.encode())))), "known_upn"),
    "PNG with something after it": (page(picture(png(after=UPN.encode()))), "known_upn"),
    "JPEG comment": (page(picture(jpeg(NAME.encode()), "jpeg")), "known_name"),
    "SVG comment": (page(f"<svg><!-- {UPN} --></svg>"), "known_upn"),
    "SVG in base64": (page(picture(f"<svg><!-- {NAME} --></svg>".encode(), "svg+xml")), "known_name"),
    "SVG text in pieces": (page("<svg><text>" + "".join(f"<tspan>{c}</tspan>" for c in NAME) + "</text></svg>"), "known_name"),
    "SVG coordinates": (page(f'<svg><path d="M{UPN[1:]} {UPN}"/></svg>'), "known_upn"),
    "CSV download": (page(csv=CSV + f"{UPN},Bury,Primary,1,2\n"), "known_upn"),
    "widget state": (page(f'<script type="application/vnd.jupyter.widget-state+json">{{"o":["{NAME}"]}}</script>'), "known_name"),
    "surname first": (page("<p>QUILLFEATHER, Zephyrine</p>"), "known_name"),
    "name in two cells": (page("<tr><td>Quillfeather</td><td>Zephyrine</td></tr>"), "known_name"),
    "name run together": (page("<p>zephyrinequillfeather</p>"), "known_name"),
    "name with underscore": (page("<p>Zephyrine_Quillfeather</p>"), "known_name"),
    "name with accents left out": (page("<p>Sean Og O'Malley Ni Bhriain</p>"), "known_name"),
    "name with accents": (page("<p>O’MALLEY-NÍ BHRIAIN, Séan Óg</p>"), "known_name"),
    "name combining": (page("<p>Se\u0301an O\u0301g O'Malley-Ni\u0301 Bhriain</p>"), "known_name"),
    "date of birth": (page("<p>1 May 2012</p>"), "known_date_of_birth"),
    "date of birth, census": (page("<p>2012-May-01 00:00:00</p>"), "known_date_of_birth"),
    "date of birth, digits": (page("<p>01052012</p>"), "known_date_of_birth"),
    "date of birth, short": (page("<p>01/05/12</p>"), "known_date_of_birth"),
    "date of birth, American": (page("<p>May 1st, 2012</p>"), "known_date_of_birth"),
    "any date": (page("<p>03/09/2013</p>"), "date"),
    "any ISO date": (page("<p>2013-09-03</p>"), "date"),
    "postcode": (page(f"<p>{POSTCODE}</p>"), "known_postcode"),
    "any postcode": (page("<p>sw1a 1aa</p>"), "postcode"),
    "MD5": (page(hashlib.md5(UPN.encode()).hexdigest()), "known_upn_hash"),
    "SHA-1": (page(hashlib.sha1(UPN.encode()).hexdigest().upper()), "known_upn_hash"),
    "SHA-256": (page(_sha(UPN)), "known_upn_hash"),
    "SHA-256, 16": (page(_sha(UPN)[:16]), "known_upn_hash"),
    "SHA-256 of anything": (page(_sha("anything")), "hash"),
    "SHA-256 in base64": (page(b64(hashlib.sha256(UPN.encode()).digest())), "known_upn_hash"),
    "UUID": (page("1f0c8a4e-7a52-4a6e-9a0d-0e6f2c9d1b11"), "uuid"),
    "pseudonym": (page("4611686018427387904"), "long_number"),
    "e-mail": (page("a.teacher@oak.sch.uk"), "email"),
    "telephone": (page("0161 496 0123"), "phone"),
    "NHS number": (page("943 476 5919"), "nhs_number"),
    "path": (page("<p>/home/ateacher/census/2024.csv</p>"), "path"),
    "Windows path": (page("<p>C:\\Users\\ateacher\\census.csv</p>"), "path"),
    "server": (page("<p>\\\\srv-edu01\\census$\\2024</p>"), "server_name"),
    "file address": (page("<p>file:///srv/x</p>"), "path"),
    "traceback": (page("<pre>Traceback (most recent call last):</pre>"), "traceback"),
    "error": (page("<pre>KeyError: 'upn'</pre>"), "traceback"),
    "UTF-16": (page(f"<p>{NAME}</p>").decode().encode("utf-16"), "known_name"),
    "latin-1": (page("<p>Séan Óg O'Malley-Ní Bhriain</p>").decode().encode("latin-1"), "known_name"),
}  # fmt: skip
