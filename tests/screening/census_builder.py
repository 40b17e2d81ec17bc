"""Write small school-census returns for tests: good by default, with one thing changed at a time."""

from __future__ import annotations

import copy
import csv
from pathlib import Path

_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
_TERMS = {
    "autumn": ("AUT", "2024-Oct-03", "2024-Sep-04"),
    "spring": ("SPR", "2024-Jan-18", "2023-Sep-05"),
    "summer": ("SUM", "2024-May-16", "2024-Feb-20"),
}


def make_upn(serial: int, la: int = 981) -> str:
    """Return a UPN with the right check letter.

    >>> make_upn(1, 801)
    'B801200005001'
    """
    digits = f"{la}2000{5000 + serial:05d}"[:12].ljust(12, "0")
    total = sum(place * int(d) for place, d in enumerate(digits, 2))
    return _LETTERS[total % 23] + digits


class Return:
    """The tables of one return as lists of dictionaries; change them, then ``write``."""

    def __init__(
        self,
        term: str = "spring",
        year: int | None = None,
        *,
        pupils: int = 3,
        leavers: int = 1,
        la: int = 981,
        estab: int = 2001,
        first: int = 0,
        prefix: str | None = None,
    ) -> None:
        code, day, entry = _TERMS[term]
        shift = (year or 2024) - 2024
        day, entry = (f"{int(d[:4]) + shift}{d[4:]} 00:00:00" for d in (day, entry))
        self.term, self.year = term, 2024 + shift
        self.prefix = prefix if prefix is not None else f"{la}_{self.year}_{term}"
        native = f"{la}{estab}"
        self.native = native
        half = term == "autumn"
        self.tables: dict[str, list[dict[str, str]]] = {
            "school": [
                {"NativeId": native, "laestab": native, "schoolname": "Test School", "phase": "PS", "urn": "100001"}
            ],
            "schoolcensus": [
                {"NativeId": native, "collection": "SC", "term": code, "year": str(self.year), "referencedate": day}
            ],
            "pupilonroll": [],
            "pupilnolongeronroll": [],
            "termlysessiondetailsonroll": [],
            "termlysessiondetailsoffroll": [],
            "fsmperiodsonroll" if half else "fsmperiod": [],
        }
        if half:
            self.tables["summerhalfterm2sessiondetailsonroll"] = []
            self.tables["summerhalfterm2sessiondetailsoffroll"] = []
        for i in range(pupils + leavers):
            on = i < pupils
            key = f"p{first + i}"
            row = {
                "pupilonrolltableid" if on else "pupilnolongeronrolltableid": key,
                "NativeId": native,
                "upn": make_upn(first + i, la),
                "surname": "Testpupil",
                "dob": f"{2014 + shift}-{('Oct', 'Nov', 'Dec')[i % 3]}-{10 + i % 15:02d} 00:00:00",
                "sex" if self.year > 2023 or (self.year == 2023 and term == "autumn") else "gender": "MF"[i % 2],
                "entrydate": entry,
            }
            if on:
                row |= {"enrolstatus": "C", "boarder": "N", "ncyearactual": "4" if not half else "5",
                        "senprovision": "NKE"[i % 3], "language": ("ENG", "URD")[i % 2],
                        "termlysessionspossible": "58" if half else "120"}  # fmt: skip
                if term == "spring":
                    row["ethnicity"] = ("WBRI", "APKN", "BAFR")[i % 3]
            else:
                row |= {"leavingdate": entry, "boarder": "", "language": "ENG", "ncyearleaving": "4",
                        "termlysessionspossible": "40"}  # fmt: skip
            if half:
                row["summerhalfterm2sessionspossible"] = "60"
            self.tables["pupilonroll" if on else "pupilnolongeronroll"].append(row)
            ending = "onroll" if on else "offroll"
            for code, n in (("I", 4), ("N", 1)):
                self.details(f"termlysessiondetails{ending}", key, code, n)
                if half:
                    self.details(f"summerhalfterm2sessiondetails{ending}", key, code, n)
        periods = "fsmperiodsonroll" if half else "fsmperiod"
        self.tables[periods].append(
            {
                "pupilonrolltableid": f"p{first}",
                "NativeId": native,
                "fsmstartdate": "2016-Sep-01 00:00:00",
                "fsmenddate": "",
            }
        )

    def details(self, table: str, key: str, code: str, sessions: object) -> None:
        """Add a session row."""
        name = "pupilonrolltableid" if table.endswith("onroll") else "pupilnolongeronrolltableid"
        self.tables[table].append(
            {name: key, "NativeId": self.native, "sessions": str(sessions), "attendancereason": code}
        )

    def copy(self) -> Return:
        """Return an independent copy."""
        return copy.deepcopy(self)

    def add(self, other: Return) -> Return:
        """Add another return's rows: several schools in one set of files."""
        for table, rows in other.tables.items():
            self.tables.setdefault(table, []).extend(rows)
        return self

    def path(self, folder: Path, table: str) -> Path:
        """Return where a table is written."""
        return folder / f"{self.prefix}_{table}.csv"

    def write(self, folder: Path) -> list[Path]:
        """Write the tables that have rows; return the files."""
        folder.mkdir(parents=True, exist_ok=True)
        found = []
        for table, rows in self.tables.items():
            if not rows:
                continue
            path = self.path(folder, table)
            columns = list(dict.fromkeys(c for row in rows for c in row))
            with path.open("w", encoding="utf-8", newline="") as handle:
                writer = csv.DictWriter(handle, columns, restval="", lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
            found.append(path)
        return found
