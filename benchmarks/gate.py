"""How long the gate takes: on a real page whole and in its halves, and for a look-up of 480,000 pupils in 3 MB of text.

python benchmarks/gate.py                                    # makes the synthetic overview page of one authority first
python benchmarks/gate.py --out reports --restricted reports-restricted      # takes a page that is there
python benchmarks/gate.py search [PAGE_OR_FOLDER ...]        # the search alone, on any file or a made-up page of 400 kB

The page is held against made-up pupils (``--pupils``). The alternative is how lists of words are commonly looked for, one regular
expression for each identifier over each file's own bytes: no decoding, no provenance of numbers. A sample of them is run
and scaled. Each variant runs in a process of its own and gives its best of ``--repeat`` runs.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measuring import compare

from attendance_toolkit.disclosure.gate.decode import Decoder
from attendance_toolkit.disclosure.gate.evidence import Evidence
from attendance_toolkit.disclosure.gate.identifiers import Identifiers
from attendance_toolkit.disclosure.gate.release_page import check_file, check_release_page, files_of, search_files
from attendance_toolkit.disclosure.gate.search import search_file, search_folder

WHOLE = "gate: allow-list and search"
ALLOW = "allow-list alone"
SEARCH = "search alone"
LOOP = "one pattern an identifier (sample, scaled)"
#: Identifiers the alternative looks for before it is scaled.
SAMPLE = 400

_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
KEY = b"k" * 32


def upn(number: int) -> str:
    """Return a valid UPN."""
    digits = f"{800 + number % 150}{number % 9000 + 1000:04d}{number % 18 + 5:02d}{number // 1000 % 1000:03d}"
    return _LETTERS[sum(place * int(d) for place, d in enumerate(digits, start=2)) % 23] + digits


def people(pupils: int) -> tuple[list[str], list[tuple[str, str]], list[str]]:
    """Return UPNs, names and dates of birth of made-up pupils: names of no language, so that no word of a page is one."""
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    dice = random.Random(1)
    forenames = ["".join(dice.choices(syllables, k=3)) for _ in range(5_000)]
    surnames = ["".join(dice.choices(syllables, k=4)) for _ in range(40_000)]
    names = sorted({(dice.choice(forenames), dice.choice(surnames)) for _ in range(pupils)})
    days = sorted({f"{2005 + n % 15}-{n % 12 + 1:02d}-{n % 28 + 1:02d}" for n in range(5_000)})
    return [upn(number) for number in range(pupils)], names, days


def identifiers(pupils: int) -> Identifiers:
    """Return the digests of made-up pupils."""
    upns, names, days = people(pupils)
    return Identifiers.from_values(KEY, upns=upns, names=names, dates_of_birth=days)


def text_of(megabytes: float) -> str:
    """Return text with numbers, UPN-shaped words of nobody and words."""
    dice = random.Random(2)
    words = ["absence", "rate", "pupils", "7.7%", "2023/24", "Bury", "enrolments", "12,345", "persistent", "autumn"]
    words += ["".join(dice.choices("abcdefghiklmnoprstu", k=7)) for _ in range(20_000)]
    made, size = [], 0
    while size < megabytes * 1e6:
        word = f"B{dice.randrange(10**12):012d}" if dice.random() < 0.02 else dice.choice(words)
        made.append(word)
        size += len(word) + 1
    return " ".join(made)


def page_of(kilobytes: int) -> bytes:
    """Return a page with tables and CSV downloads, as reports have them."""
    rows = "".join(f"E08000002,Bury,Primary,{n * 5},{n / 7:.13f}\n" for n in range(150))
    link = base64.b64encode(("area_code,area,phase,enrolments,rate\n" + rows).encode()).decode()
    cells = "".join(
        f'<tr><th scope="row">Year {n}</th><td data-cell="c{n:010x}">{n * 5:,}</td></tr>' for n in range(150)
    )
    block = f'<table>{cells}</table><svg><path d="M1 2{"L3.5 4.25" * 200}"/></svg><a download="a.csv" href="data:text/csv;base64,'
    page, number = "<!DOCTYPE html><html><body>", 0
    while len(page) < kilobytes * 1000:
        number += 1
        page += f'<h2>Part {number}</h2>{block}{link[: -(number * 4)]}">Download</a>'
    return page.encode()


def best(run: Callable[[], object], repeat: int) -> float:
    """Return the shortest time of several runs."""
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def make_page(folder: Path) -> tuple[Path, Path]:
    """Make the overview of a synthetic authority; return the folders of pages and of what stays inside."""
    from attendance_toolkit.cli import make_reports
    from attendance_toolkit.loaders.demo import synthetic_store

    out = folder / "reports"
    if make_reports(("overview",), ("Aldermoor",), "2023/24", synthetic_store("sample"), (), out):
        raise SystemExit("The page was not made.")
    return out, out.with_name("reports-restricted")


def page_of_release(out: Path, restricted: Path) -> tuple[Path, Path]:
    """Return the folder of an overview page and the file of its evidence."""
    for file in sorted(restricted.glob("releases/*/pages/overview_*.json")):
        sums = Evidence.open(file).files
        for manifest in sorted(out.glob("*/*/overview/manifest.json")):
            if json.loads(manifest.read_text(encoding="utf-8"))["files"].items() <= sums.items():
                return manifest.parent, file
    raise SystemExit("There is no overview page with its evidence in these folders.")


def run_one(variant: str, page: Path, evidence: Path, pupils: int, repeat: int) -> None:
    """Time one variant in this process and print seconds and peak memory as JSON."""
    files = files_of(page)
    if variant == LOOP:
        upns, names, days = people(pupils)
        every = [*upns, *(f"{a} {b}" for a, b in names), *days]
        chosen = random.Random(4).sample(every, SAMPLE)
        texts = [content.decode("utf-8") for content in files.values()]

        def work() -> object:
            patterns = [re.compile(rf"\b{re.escape(one)}\b", re.IGNORECASE) for one in chosen]
            return [pattern.search(text) for pattern in patterns for text in texts]

        re.purge()
        seconds = best(work, 1) * len(every) / SAMPLE
    else:
        known = identifiers(pupils)

        def work() -> object:
            # Opened anew: what the gate works out of a page's cleared figures is worked out for each page.
            opened = Evidence.open(evidence)
            if variant == ALLOW:
                found = [finding for name, content in files.items() for finding in check_file(name, content, opened)]
            elif variant == SEARCH:
                found = search_files(files, known, opened.words)
            else:
                found = check_release_page(files, opened, known)
            if found:
                raise SystemExit(f"The page does not pass: {found[0]}")
            return found

        seconds = best(work, repeat)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "checksum": None}))


def look_up(pupils: int, megabytes: float, repeat: int) -> Identifiers:
    """Time the look-up of pupils in a text; return the pupils."""
    started = time.perf_counter()
    known = identifiers(pupils)
    print(f"{pupils:,} pupils digested in Python: {time.perf_counter() - started:.1f} s; {known.count()}")
    text = text_of(megabytes)
    print(f"look-up in {megabytes} MB of text: {best(lambda: known.find(text), repeat):.2f} s")
    return known


def search_alone(paths: list[Path], known: Identifiers, repeat: int) -> None:
    """Time the search of files and folders, or of a made-up page."""
    for path in paths:
        if path.is_dir():
            files = sum(p.is_file() for p in path.rglob("*"))
            seconds = best(lambda p=path: search_folder(p, known), repeat)  # type: ignore[misc]
            print(f"search of {path.name} ({files} files): {seconds:.2f} s")
            continue
        data = path.read_bytes()
        seconds = best(lambda d=data, n=path.name: search_file(d, n, known), repeat)  # type: ignore[misc]
        print(f"search of {path.name} ({len(data) / 1000:.0f} kB): {seconds:.2f} s")
    if not paths:
        page = page_of(400)
        decoder = Decoder()
        decoder.add_bytes(page)
        seconds = best(lambda: search_file(page, "index.html", known), repeat)
        print(f"search of a page of {len(page) / 1000:.0f} kB ({len(decoder.layers)} layers): {seconds:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=["page", "search"], default="page")
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--restricted", type=Path)
    parser.add_argument("--variant", default="")
    parser.add_argument("--pupils", type=int, default=480_000)
    parser.add_argument("--megabytes", type=float, default=3)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.variant:
        run_one(arguments.variant, *arguments.paths, arguments.pupils, arguments.repeat)
        return
    if arguments.what == "search":
        search_alone(
            arguments.paths, look_up(arguments.pupils, arguments.megabytes, arguments.repeat), arguments.repeat
        )
        return
    with tempfile.TemporaryDirectory(prefix="attendance-gate-") as private:
        out, restricted = arguments.out, arguments.restricted
        if out is None or restricted is None:
            out, restricted = make_page(Path(private))
        page, evidence = page_of_release(out, restricted)
        files = files_of(page)
        size = sum(map(len, files.values()))
        print(f"a page of {size / 1000:,.0f} kB in {len(files)} files, {arguments.pupils:,} pupils")
        given = (f"--pupils={arguments.pupils}", f"--repeat={arguments.repeat}", "page", str(page), str(evidence))
        compare(__file__, {WHOLE: 1, ALLOW: 1, SEARCH: 1, LOOP: 1}, WHOLE, *given)


if __name__ == "__main__":
    main()
