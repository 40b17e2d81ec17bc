"""What must hold for every input, good or spoilt."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from attendance_toolkit.errors import AttendanceError

#: ``ATTENDANCE_ALL_MALFORMED=1`` spoils every input in every way, which takes minutes.
EVERYTHING = os.environ.get("ATTENDANCE_ALL_MALFORMED") == "1"
Files = dict[str, bytes]
#: Planted into every file with pupils: none of it may ever be said.
NAME = "Zebedee Plantedname"
BORN = ("2014-Oct-11", "2014-10-11", "11/10/2014", "11-10-2014", "20141011")
#: A message that helps holds a word that tells what to do.
_HELP = re.compile(
    r"\b(add|ask|check|choose|close|copy|correct|delete|did you mean|do not|download|export|fetch|fill|give|is it|keep|"
    r"known are|known tables are|leave|load|look|make|must (?:be|begin|have)|name|needs?|open|put|read|rename|replace|save|see|"
    r"send|set|the columns are|use|write)\b",
    re.IGNORECASE,
)


@dataclass
class Outcome:
    """How an input ended.

    Attributes
    ----------
    error
        The error that refused it, None if it was read.
    numbers
        What came out, in an order that does not depend on that of the input.
    findings
        Sentences of the report.
    rows
        Rows read, loaded and set aside; None where a reader does not count.
    kept
        The store after a refusal is as it was.
    """

    error: AttendanceError | None = None
    numbers: object = None
    findings: list[str] = field(default_factory=list)
    rows: tuple[int, int, int] | None = None
    kept: bool = True
    blocking: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        """Return everything a person is told."""
        return "\n".join([str(self.error or ""), *self.findings])


@dataclass(frozen=True)
class Input:
    """One kind of input.

    Attributes
    ----------
    make
        Returns a good input: file name -> bytes. The first file is the one that is spoilt.
    read
        Reads the files in a folder (second argument: a folder for what is made) as a user would, and lets nothing
        but an AttendanceError through.
    number, key, code
        Columns of the first file that hold a number, an identifier and a code; "" if there is none.
    pupils
        UPNs in it.
    shape
        "csv", "xml", "yaml", "binary" or "folder": which mutations make sense.
    has_header
        Whether the first row names the columns.
    """

    name: str
    make: Callable[[], Files]
    read: Callable[[list[Path], Path], Outcome]
    number: str = ""
    key: str = ""
    code: str = ""
    pupils: tuple[str, ...] = ()
    shape: str = "csv"
    has_header: bool = True
    every: int = 1
    """Of the mutations only every so many, in turn with the other inputs: a load takes its time."""
    is_transcript: bool = False
    """Whether reading only transcribes: what its figures mean is checked elsewhere (reconciler, comparison)."""


def write(files: Files, folder: Path) -> list[Path]:
    """Write the files; return them in order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        paths.append(path)
    return paths


def run(kind: Input, files: Files, place: Path) -> Outcome:
    """Read files as a user would."""
    paths = write(files, place / "in")
    work = place / "work"
    work.mkdir(parents=True, exist_ok=True)
    return kind.read(paths, work)


def check(kind: Input, outcome: Outcome, good: Outcome, files: Iterable[str], *, same: bool) -> None:
    """Assert the law.

    Parameters
    ----------
    good
        What the good input gives.
    files
        Names of the files given.
    same
        Whether a changed number, or a finding of the good input that is gone, must be accounted for: an error, or a
        finding the good input does not have. False for a spoilt file that is another good one.
    """
    said = outcome.said
    for secret in (NAME, *NAME.split(), *BORN, *kind.pupils):
        assert secret not in said, f"{secret} is told: {said[:600]}"
    assert outcome.kept, "a refused load changed the store"
    if outcome.error is not None:
        text = str(outcome.error)
        assert any(
            Path(name).name in text or Path(name).stem in text or name.split("/")[0] in text for name in files
        ), f"the message names no file: {text}"
        assert _HELP.search(text), f"the message does not say what to do: {text}"
        assert "Traceback" not in text
        return
    for text in outcome.blocking:
        assert _HELP.search(text), f"the finding does not say what to do: {text}"
    if outcome.rows is not None:
        read, loaded, aside = outcome.rows
        assert read == loaded + aside, f"{read} rows read, {loaded} loaded and {aside} set aside"
    if same and not kind.is_transcript and not outcome.blocking and not set(outcome.findings) - set(good.findings):
        assert outcome.numbers == good.numbers, "the numbers changed and nothing says so"
