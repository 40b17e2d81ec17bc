"""The command ``attendance``: screen and load files, list and make reports, run the demonstration.

Exit status: 0 done; 1 a report or a file failed; 2 unreadable input; 130 stopped with Ctrl-C; other numbers as in
``errors``.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from attendance_toolkit import __version__
from attendance_toolkit.errors import AttendanceError, NoDataError

_FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))


class _Group(click.Group):
    """Shows one sentence for an error of ours, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AttendanceError as error:
            _fail(error)


def _fail(error: AttendanceError) -> NoReturn:
    click.echo(f"attendance: {error}", err=True)
    sys.exit(error.exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="attendance")
def main() -> None:
    """School attendance and absence deep dives, one command per local authority."""


@main.command()
@_FILES
@click.option(
    "--census", default="", help="Which census the files are of, if they do not say: for example spring-2024."
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def screen(files: Sequence[Path], census: str, as_json: bool) -> None:
    """Say what FILES are and what is wrong with them; load nothing.

    Exit status 0: clean; 1: findings that would stop rows or the load; 2: unreadable.
    """
    from attendance_toolkit.loaders.load import screen_files

    with _stoppable():
        report = screen_files(list(files), census=census or None)
    click.echo(report.to_json() if as_json else report.to_text())
    sys.exit(report.exit_code)


@main.command()
@_FILES
@click.option(
    "--store", required=True, type=click.Path(path_type=Path), help="Folder of the store; made if it is not there."
)
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    default=None,
    help="File of the secret key for pseudonyms, outside the store; made on first use. Default: in your home folder.",
)
@click.option(
    "--census", default="", help="Which census the files are of, if they do not say: for example spring-2024."
)
def load(files: Sequence[Path], store: Path, key: Path | None, census: str) -> None:
    """Screen FILES, replace UPNs by pseudonyms and add the rows to a store."""
    from attendance_toolkit.loaders.load import load_files

    with _stoppable(store):
        result = load_files(list(files), store, key_file=key or _default_key(), census=census or None)
    if result.report.findings:
        click.echo(result.report.to_text())
    click.echo(result.to_text())
    sys.exit(result.report.exit_code)


@contextmanager
def _stoppable(store: Path | None = None) -> Iterator[None]:
    """Turn Ctrl-C into one sentence, whatever the database engine makes of it, and end with status 130."""
    before = _manifest_of(store)
    is_stopped = False

    def stop(number: int, frame: Any) -> None:
        nonlocal is_stopped
        is_stopped = True
        raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    usual = signal.signal(signal.SIGINT, stop) if is_main else None
    try:
        yield
    except BaseException:
        if not is_stopped:
            raise
        says = "Stopped."
        if store is not None:
            as_before = _manifest_of(store) == before
            says += " The store is as it was." if as_before else " The load had just been finished."
        click.echo(f"attendance: {says}", err=True)
        sys.exit(130)
    finally:
        if is_main:
            signal.signal(signal.SIGINT, usual)


def _manifest_of(store: Path | None) -> bytes | None:
    try:
        return (store / "manifest.json").read_bytes() if store is not None else None
    except OSError:
        return None


def _default_key() -> Path:
    return Path.home() / ".attendance-toolkit" / "pseudonym.key"


@main.command("list")
def list_() -> None:
    """List the reports."""
    from attendance_toolkit.reporting.catalogue import list_notebooks

    for entry in list_notebooks():
        click.echo(f"{entry.name:32} {entry.path.name}")


@main.command()
@click.argument("name")
@click.option(
    "--area", "areas", multiple=True, required=True, help="Name or code of an area, or all. May be given again."
)
@click.option("--year", required=True, help="Academic year, for example 2023/24.")
@click.option("--store", type=click.Path(path_type=Path), default=None, help="Folder made by attendance load.")
@click.option(
    "--published",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File or folder of published statistics. May be given again.",
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
@click.option("--audience", default="partner", show_default=True, help="partner (small numbers hidden) or internal.")
@click.option("--contact", default="", help="Whom to ask about the page; printed in its footer.")
@click.option("--workers", type=click.IntRange(1), default=min(3, (os.cpu_count() or 1) + 1), show_default=True)
@click.option("--fork/--no-fork", default=None, help="Fork kernels from one process; by default where the system can.")
def report(
    name: str,
    areas: Sequence[str],
    year: str,
    store: Path | None,
    published: Sequence[Path],
    out: Path,
    audience: str,
    contact: str,
    workers: int,
    fork: bool | None,
) -> None:
    """Make the report NAME for one area or several."""
    if store is None and not published:
        raise click.UsageError("Give --store, --published or both. To try the toolkit run: attendance demo")
    sys.exit(make_reports(name, areas, year, store, published, out, audience, contact, workers, fork))


def make_reports(
    name: str,
    areas: Sequence[str],
    year: str,
    store: Path | None,
    published: Sequence[Path],
    out: Path,
    audience: str = "partner",
    contact: str = "",
    workers: int = 2,
    fork: bool | None = None,
) -> int:
    """Make the reports, show progress, write the index; return the exit status."""
    from tqdm import tqdm

    from attendance_toolkit.disclosure.policy import policy_for
    from attendance_toolkit.loaders.published import read_published
    from attendance_toolkit.reporting.catalogue import find_notebook
    from attendance_toolkit.reporting.index import write_index
    from attendance_toolkit.reporting.run import Job, run_jobs
    from attendance_toolkit.store import Store
    from attendance_toolkit.vocabulary.areas import find_area
    from attendance_toolkit.vocabulary.calendar import parse_academic_year, show_academic_year

    entry = find_notebook(name)
    policy_for(audience)
    shown_year = show_academic_year(parse_academic_year(year))
    data = Store.open(store) if store else None
    files = read_published(list(published)) if published else None
    places = _areas_of(areas, data, files, parse_academic_year(year))
    inputs = tuple(_input_names(data, files))
    with tempfile.TemporaryDirectory(prefix="attendance-inputs-") as private:
        folder: list[str] = []
        if files is not None:
            # Read once, then handed to every notebook as Parquet.
            folder = [str(files.save(Path(private) / "published"))]
        jobs = [
            Job(
                entry,
                find_area(place).name,
                {
                    "area": find_area(place).name,
                    "academic_year": shown_year,
                    "audience": audience,
                    "contact": contact,
                    "store": str(store.resolve()) if store else "",
                    "published": folder,
                },
                inputs,
            )
            for place in places
        ]
        with tqdm(total=len(jobs), unit="page", desc=name, disable=None) as bar:

            def step(outcome: Any) -> None:
                bar.update()
                if outcome.error:
                    bar.write(f"{outcome.job.area_name}: {outcome.error}", file=sys.stderr)

            outcomes = run_jobs(jobs, out, workers=workers, fork=fork, progress=step)
    made = [outcome for outcome in outcomes if outcome.page]
    if made:
        write_index(out)
        for outcome in made:
            click.echo(outcome.page)
    failed = len(outcomes) - len(made)
    if failed:
        others = f" The others are in {out}." if made else ""
        click.echo(f"attendance: {failed} of {len(outcomes)} reports failed.{others}", err=True)
    return 1 if failed else 0


def _areas_of(areas: Sequence[str], data: Any, files: Any, academic_year: int) -> list[str]:
    from attendance_toolkit.vocabulary.areas import find_area
    from attendance_toolkit.vocabulary.calendar import show_academic_year

    named = [find_area(area).code for area in areas if area.casefold() != "all"]
    if len(named) == len(areas):
        return list(dict.fromkeys(named))
    if data is not None:
        return list(dict.fromkeys([*data.la_codes(), *named]))
    rows = files.rates[
        (files.rates["academic_year"] == academic_year) & (files.rates["area_level"] == "Local authority")
    ]
    codes = sorted(rows["area_code"].unique())
    if not codes:
        raise NoDataError(f"The published files have no local authority in {show_academic_year(academic_year)}.")
    return list(dict.fromkeys([*codes, *named]))


def _input_names(data: Any, files: Any) -> Any:
    if data is not None:
        # A store may be made of thousands of files, each listed with its hash in the store's own manifest.
        hashes = sorted(item["sha256"] for item in data.manifest["loads"])
        digest = hashlib.sha256("".join(hashes).encode()).hexdigest()
        yield {"name": f"store of {len(hashes)} files", "sha256": digest}
    if files is not None:
        for item in files.provenance:
            yield {"name": item.name, "sha256": item.sha256}


@main.command()
@_FILES
@click.option("--area", required=True, help="Name or code of the area the report is about.")
@click.option(
    "--published",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File or folder of published statistics to hold the figures against. May be given again."
    " Default: the toolkit's own reference values.",
)
@click.option("--year", default="", help="Academic year of the page. Default: the latest full year printed.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
@click.option("--contact", default="", help="Whom to ask about the page; printed in its footer.")
def reconcile(files: Sequence[Path], area: str, published: Sequence[Path], year: str, out: Path, contact: str) -> None:
    """Check the tables and cards of a printed report, typed into CSV FILES.

    Exit status 0: nothing found; 1: findings; 2: a file cannot be read.
    """
    sys.exit(check_printed(files, area, published, year, out, contact))


def check_printed(
    files: Sequence[Path],
    area: str,
    published: Sequence[Path] = (),
    year: str = "",
    out: Path = Path("reports"),
    contact: str = "",
) -> int:
    """Print what is wrong with printed tables, make the page, write the index; return the exit status."""
    from attendance_toolkit.deepdives.printed_tables import PrintedTables
    from attendance_toolkit.errors import ReportError
    from attendance_toolkit.inputs import open_printed
    from attendance_toolkit.loaders.published import read_published
    from attendance_toolkit.reporting.catalogue import find_notebook
    from attendance_toolkit.reporting.index import write_index
    from attendance_toolkit.reporting.run import Job, run_jobs, sha256_of
    from attendance_toolkit.vocabulary.calendar import show_academic_year

    printed = [str(path.resolve()) for path in sorted(files, key=lambda path: path.name)]
    with tempfile.TemporaryDirectory(prefix="attendance-inputs-") as private:
        statistics = read_published(list(published)) if published else None
        folder = [str(statistics.save(Path(private) / "published"))] if statistics else []
        checked = PrintedTables(open_printed(area=area, academic_year=year, published=folder, printed=printed))
        click.echo(checked.verdict)
        for sentence in checked.sentences:
            click.echo(f"- {sentence}")
        parameters = {
            "area": checked.area.name,
            "academic_year": show_academic_year(checked.year),
            "audience": checked.audience,
            "store": "",
            "published": folder,
            "printed": printed,
            "contact": contact,
        }
        inputs = [{"name": Path(path).name, "sha256": sha256_of(Path(path))} for path in printed]
        inputs += _input_names(None, statistics)
        job = Job(find_notebook("printed_tables"), checked.area.name, parameters, tuple(inputs))
        outcome = run_jobs([job], out, workers=1)[0]
    if outcome.page is None:
        raise ReportError(outcome.error)
    write_index(out)
    click.echo(outcome.page)
    return 1 if checked.all_findings else 0


@main.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports") / "demo", show_default=True)
@click.option(
    "--area", "areas", multiple=True, default=("all",), show_default=True, help="A synthetic authority, or all."
)
@click.option("--workers", type=click.IntRange(1), default=min(3, (os.cpu_count() or 1) + 1), show_default=True)
def demo(out: Path, areas: Sequence[str], workers: int) -> None:
    """Make the reports of ten made-up authorities from synthetic pupils."""
    from attendance_toolkit.loaders.demo import synthetic_store

    click.echo("Making synthetic pupils and loading them (kept for the next time) ...", err=True)
    store = synthetic_store("sample")
    places = [*areas, "Greater Weirdale"] if "all" in areas else list(areas)
    status = make_reports("overview", places, "2023/24", store, (), out, workers=workers)
    click.echo(f"Open {out / 'index.html'}")
    sys.exit(status)


if __name__ == "__main__":
    main()
