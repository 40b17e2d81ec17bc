"""Pupils planted into census files, with names, numbers, birthdays and postcodes nobody else has, and how they are looked for.

Nothing of the toolkit's gate is used here: what the gate must see is looked for by other means.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import html
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

from tests.screening.census_builder import make_upn

#: Where the planted pupils' numbers begin: far above those of the synthetic pupils.
_FIRST = 900
Row = dict[str, str]


@dataclass(frozen=True)
class Canary:
    """A planted pupil. ``role`` says why a figure could point at him or her."""

    role: str
    la: int
    upn: str
    forename: str
    surname: str
    born: date
    postcode: str

    @property
    def needles(self) -> tuple[str, ...]:
        """Everything that must be nowhere: small letters, without spaces."""
        day, year = self.born, self.born.year
        month, name = f"{day:%b}", f"{day:%B}"
        dates = (
            f"{day:%Y-%m-%d}", f"{day:%d/%m/%Y}", f"{day:%Y%m%d}", f"{day:%d%m%Y}", f"{year}-{month}-{day:%d}",
            f"{day.day}{month}{year}", f"{day.day}{name}{year}", f"{day.day}.{day.month}.{year}",
        )  # fmt: skip
        hashes = [hashlib.new(kind, self.upn.encode()).hexdigest()[:16] for kind in ("md5", "sha1", "sha256")]
        texts = (self.upn, self.forename, self.surname, self.postcode, *dates, *hashes)
        return tuple("".join(text.split()).casefold() for text in texts)


#: Role -> authority, names, postcode, and which row of a spring return is the pupil's. Each row is used once.
_ROLES: Mapping[str, tuple[int, str, str, str, Callable[[Row], bool]]] = {
    "severely absent": (
        981, "Zephyrine", "Quillfeather-Oxblood", "M98 7QZ",
        lambda row: row["nativeid"][3] == "4"
        and 3 * _absent(row) > 2 * int(row["termlysessionspossible"] or 0) > 100 and row["ncyearactual"] in ("8", "9"),
    ),
    "in a special school": (
        981, "Peregrinus", "Yaxbottle", "BL99 8XJ",
        lambda row: row["nativeid"][3] == "7" and row["ncyearactual"] in ("3", "4", "8") and _absent(row) > 8,
    ),
    "alone in a group": (
        989, "Thessalonica", "Vormadrigal", "OL98 9WK",
        lambda row: row["nativeid"][3] == "7" and row["ethnicity"] in ("BAFR", "BCRB", "BOTH"),
    ),
    "in a primary school": (
        989, "Ysbrydion", "Kjærholt", "WN97 6VX",
        lambda row: row["nativeid"][3] == "2" and row["ncyearactual"] == "4" and _absent(row) == 0,
    ),
}  # fmt: skip


def _absent(row: Row) -> int:
    return sum(int(row[f"termlysessions{kind}"] or 0) for kind in ("authorised", "unauthorised"))


def plant(folder: Path) -> list[Canary]:
    """Turn a pupil of each role into a canary, in every file that has the pupil; return the canaries."""
    tables = {path: _read(path) for path in sorted(folder.glob("*.csv"))}
    rows = [
        row for path, found in tables.items() if path.name.endswith("2024_spring_la_pupilonroll.csv") for row in found
    ]
    rows += [
        row for path, found in tables.items() if path.name.endswith("spring_academy_pupilonroll.csv") for row in found
    ]
    taken: dict[str, Canary] = {}
    for number, (role, (la, forename, surname, postcode, fits)) in enumerate(_ROLES.items()):
        chosen = next(
            row for row in rows if row["nativeid"].startswith(str(la)) and row["upn"] not in taken and fits(row)
        )
        born = date.fromisoformat(_iso(chosen["dob"]))
        taken[chosen["upn"]] = Canary(role, la, make_upn(_FIRST + number, la), forename, surname, born, postcode)
    alone = next(upn for upn, canary in taken.items() if canary.role == "alone in a group")
    for path, found in tables.items():
        changed = False
        for row in found:
            native = row.get("nativeid", "")
            if "ethnicity" in row and native.startswith("9897") and row["ethnicity"].startswith("B"):
                row["ethnicity"] = "BAFR" if row["upn"] == alone else "WBRI"
                changed = True
            canary = taken.get(row.get("upn", ""))
            if canary is not None:
                row["upn"] = canary.upn
                if "surname" in row:
                    row |= {"surname": canary.surname, "forename": canary.forename, "postcode": canary.postcode}
                changed = True
        if changed:
            _write(path, found)
    return list(taken.values())


def _iso(day: str) -> str:
    year, month, rest = day.split()[0].split("-")
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return f"{year}-{names.index(month) + 1:02d}-{rest}"


def _read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _write(path: Path, rows: list[Row]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


# --- looking for them ---------------------------------------------------------------------------------------------


def readings(content: bytes, depth: int = 3) -> Iterator[str]:
    """Give every text a file can be read as: in small letters, without spaces."""
    texts = [
        content.decode("utf-8", "replace"),
        content.decode("utf-16-le", "ignore"),
        content.decode("utf-16-be", "ignore"),
    ]
    plain = html.unescape(unquote(texts[0]))
    for text in dict.fromkeys((*texts, plain, re.sub("<[^>]*>", "", plain))):
        folded = "".join(text.split()).casefold()
        yield folded
        yield folded[::-1]
    if not depth:
        return
    for inner in _inside(content, plain):
        yield from readings(inner, depth - 1)


def _inside(content: bytes, text: str) -> Iterator[bytes]:
    for kind in (15, 31, -15):
        try:
            yield zlib.decompressobj(kind).decompress(content, 20_000_000)
        except zlib.error:
            continue
    if zipfile.is_zipfile(BytesIO(content)):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield archive.read(name)
    for run in re.findall(r"[A-Za-z0-9+/_-]{10,}={0,2}", text):
        for start in range(4):
            piece = run[start:].rstrip("=").replace("-", "+").replace("_", "/")
            try:
                yield base64.b64decode(piece[: len(piece) - (len(piece) % 4 == 1)] + "==")
            except binascii.Error:
                continue
    for run in re.findall(r"(?:[0-9a-fA-F]{2}){5,}", text):
        yield bytes.fromhex(run)


def found_in(folder: Path, needles: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return which needles (text -> what to call it) occur in which files of a folder, in any reading or name."""
    found = set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        texts = ["".join(name.split()).casefold()]
        if path.is_file():
            texts += readings(path.read_bytes())
        for text in texts:
            found |= {(name, called) for needle, called in needles.items() if needle in text}
    return found
