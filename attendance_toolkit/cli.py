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
from attendance_toolkit.cli_casework import casework
from attendance_toolkit.cli_casework_zero import zero_results, zero_sample
from attendance_toolkit.cli_options import KEY, RULES, day, default_key
from attendance_toolkit.cli_priority import priority
from attendance_toolkit.cli_school_pack import ReportCommand
from attendance_toolkit.errors import AttendanceError, NoDataError, ParameterError
from attendance_toolkit.vocabulary.audiences import AUDIENCES
from attendance_toolkit.vocabulary.calendar import TERMS

_FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))


def _what_files_do_not_say(command: Any) -> Any:
    """Add the options for what some files do not say themselves."""
    for option in (
        click.option(
            "--headers",
            type=click.Path(path_type=Path),
            default=None,
            help="Your own map of the headers of portal downloads; attendance headers prints the one in use.",
        ),
        click.option("--year", default="", help="Academic year of portal downloads, for example 2024/25."),
        click.option("--la", default="", help="Authority of files that name a school by four digits: name or code."),
        click.option(
            "--census", default="", help="Which census the files are of, if they do not say: for example spring-2024."
        ),
    ):
        command = option(command)
    return command


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


main.add_command(priority)
main.add_command(casework)
casework.add_command(zero_sample)
casework.add_command(zero_results)


@main.command()
@_FILES
@_what_files_do_not_say
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--csv", "table", type=click.Path(path_type=Path), default=None, help="Write the findings to a CSV file.")
def screen(
    files: Sequence[Path], census: str, la: str, year: str, headers: Path | None, as_json: bool, table: Path | None
) -> None:
    """Say what FILES are and what is wrong with them; load nothing.

    Exit status 0: clean; 1: findings that would stop rows or the load; 2: unreadable.
    """
    from attendance_toolkit.loaders.load import screen_files

    with _stoppable():
        report = screen_files(list(files), census=census or None, la=la, academic_year=year or None, headers=headers)
    if table is not None:
        report.to_csv(table)
    click.echo(report.to_json() if as_json else report.to_text())
    sys.exit(report.exit_code)


@main.command()
@_FILES
@click.option(
    "--store", required=True, type=click.Path(path_type=Path), help="Folder of the store; made if it is not there."
)
@KEY
@_what_files_do_not_say
def load(
    files: Sequence[Path],
    store: Path,
    key: Path | None,
    census: str,
    la: str,
    year: str,
    headers: Path | None,
) -> None:
    """Screen FILES, replace UPNs by pseudonyms and add the rows to a store."""
    from attendance_toolkit.loaders.load import load_files

    with _stoppable(store):
        result = load_files(
            list(files),
            store,
            key_file=key or default_key(),
            census=census or None,
            la=la,
            academic_year=year or None,
            headers=headers,
        )
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


@main.command("list")
def list_() -> None:
    """List the reports."""
    from attendance_toolkit.reporting.catalogue import list_notebooks

    for entry in list_notebooks():
        click.echo(f"{entry.name:32} {entry.path.name}")


_OUT = click.option("--out", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
_POLICY = click.option(
    "--policy",
    type=click.Path(path_type=Path),
    default=None,
    help="File of your disclosure policy (TOML). Default: the profile shared, which hides and rounds most.",
)
_RESTRICTED = click.option(
    "--restricted",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder for what stays inside the authority: audits, internal pages, pupil lists. Default: the policy's, else beside --out.",
)


@main.command(cls=ReportCommand)
@click.argument("names", nargs=-1, required=True)
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
@_OUT
@click.option(
    "--audience",
    type=click.Choice([*AUDIENCES, "both"]),
    default="partner",
    show_default=True,
    help="partner (small numbers hidden), internal (nothing hidden, into the restricted folder), or both.",
)
@_POLICY
@RULES
@_RESTRICTED
@KEY
@click.option("--contact", default="", help="Whom to ask about the page; printed in its footer.")
@click.option("--workers", type=click.IntRange(1), default=min(3, (os.cpu_count() or 1) + 1), show_default=True)
@click.option("--fork/--no-fork", default=None, help="Fork kernels from one process; by default where the system can.")
def report(
    names: Sequence[str],
    areas: Sequence[str],
    year: str,
    store: Path | None,
    published: Sequence[Path],
    out: Path,
    audience: str,
    policy: Path | None,
    rules: Sequence[Path],
    restricted: Path | None,
    key: Path | None,
    contact: str,
    workers: int,
    fork: bool | None,
) -> None:
    """Make the reports NAMES for one area or several, as one release: their figures are protected together."""
    if store is None and not published:
        raise click.UsageError("Give --store, --published or both. To try the toolkit run: attendance demo")
    audiences = AUDIENCES if audience == "both" else (audience,)
    status = make_reports(
        names, areas, year, store, published, out, audiences=audiences, policy=policy, rules=rules, restricted=restricted,
        key=key, contact=contact, workers=workers, fork=fork,
    )  # fmt: skip
    sys.exit(status)


def make_reports(
    names: Sequence[str],
    areas: Sequence[str],
    year: str,
    store: Path | None,
    published: Sequence[Path],
    out: Path,
    *,
    audiences: Sequence[str] = ("partner",),
    policy: Path | None = None,
    rules: Sequence[Path] = (),
    restricted: Path | None = None,
    key: Path | None = None,
    contact: str = "",
    workers: int = 2,
    fork: bool | None = None,
) -> int:
    """Make the reports as one release, show progress, write the index; return the exit status."""
    from tqdm import tqdm

    from attendance_toolkit.disclosure.policy import SHARED, read_policy
    from attendance_toolkit.loaders.published import read_published
    from attendance_toolkit.reporting.catalogue import find_notebook
    from attendance_toolkit.reporting.params import notebook_parameters
    from attendance_toolkit.reporting.run import Job, run_jobs, sha256_of
    from attendance_toolkit.store import Store
    from attendance_toolkit.vocabulary.areas import find_area
    from attendance_toolkit.vocabulary.calendar import parse_academic_year, show_academic_year
    from attendance_toolkit.vocabulary.rule_schemes import own_schemes

    entries = list({entry.name: entry for entry in map(find_notebook, names)}.values())
    for area in areas:
        # A misspelt name is said before minutes of reading files.
        if area.casefold() != "all":
            find_area(area)
    protection = read_policy(policy) if policy else SHARED
    own_schemes(rules)
    applying = {entry.name for entry in entries if "rules" in notebook_parameters(entry.path)}
    if rules and not applying:
        raise ParameterError(
            "None of these reports applies a rule scheme. Leave out --rules, or make the report schools."
        )
    shown_year = show_academic_year(parse_academic_year(year))
    data = Store.open(store) if store else None
    files = read_published(list(published)) if published else None
    places = _areas_of(areas, data, files, parse_academic_year(year))
    inputs = (*_input_names(data, files), *({"name": file.name, "sha256": sha256_of(file)} for file in rules))
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
                    **({"rules": [str(file.resolve()) for file in rules]} if entry.name in applying else {}),
                },
                inputs,
            )
            for audience in audiences
            for entry in entries
            for place in places
        ]
        with tqdm(total=len(jobs), unit="page", desc=" ".join(entry.name for entry in entries), disable=None) as bar:

            def step(outcome: Any) -> None:
                bar.update()
                if outcome.error:
                    bar.write(f"{outcome.job.area_name}: {outcome.error}", file=sys.stderr)

            run = run_jobs(
                jobs, out, workers=workers, fork=fork, progress=step, policy=protection, restricted=restricted, key=key
            )
    made = [outcome for outcome in run.outcomes if outcome.page]
    for outcome in made:
        click.echo(outcome.page)
    if run.audit is not None:
        click.echo(f"What was hidden, and how well: {run.audit}")
    failed = len(run.outcomes) - len(made)
    if failed:
        others = f" The others are in {out}." if made else ""
        click.echo(f"attendance: {failed} of {len(run.outcomes)} reports failed.{others}", err=True)
    return 1 if failed else 0


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--store", type=click.Path(path_type=Path), default=None, help="Store of the pupils to look for.")
@KEY
@click.option(
    "--restricted",
    type=click.Path(path_type=Path),
    default=None,
    help="Restricted folder of the release, which knows where each number comes from. Default: beside PATH, if there.",
)
@click.option("--patterns-only", is_flag=True, help="Look for identifiers, paths and the like; do not verify numbers.")
def check(path: Path, store: Path | None, key: Path | None, restricted: Path | None, patterns_only: bool) -> None:
    """Say why PATH (a page, folder, workbook, table, PDF or archive) must not be sent to partners.

    Exit status 0: nothing speaks against it; 1: it must not leave.
    """
    from attendance_toolkit.disclosure.gate.check import check_path
    from attendance_toolkit.disclosure.gate.identifiers import Identifiers
    from attendance_toolkit.reporting.gating import identifiers_of, releases_beside

    identifiers = Identifiers.missing("No store was named, so its pupils cannot be looked for. Name it with --store.")
    if store is not None or patterns_only:
        identifiers = identifiers_of(store, key)
    releases = restricted / "releases" if restricted else releases_beside(path)
    found = check_path(path, releases, identifiers, patterns_only=patterns_only)
    for finding in found:
        click.echo(f"- {finding}")
    reasons = "1 reason speaks" if len(found) == 1 else f"{len(found)} reasons speak"
    click.echo(
        f"{path.name}: {reasons} against sending it." if found else f"{path.name}: nothing speaks against sending it."
    )
    sys.exit(1 if found else 0)


@main.command()
@click.argument("kind", type=click.Choice(["severe", "persistent", "at-risk"]))
@click.option("--area", required=True, help="Name or code of a local authority.")
@click.option("--year", required=True, help="Academic year, for example 2023/24.")
@click.option("--store", required=True, type=click.Path(path_type=Path), help="Folder made by attendance load.")
@click.option("--restricted", required=True, type=click.Path(path_type=Path), help="The restricted folder.")
@click.option("--purpose", required=True, help="What the lists are for; printed in each.")
@click.option("--until", required=True, help="Last day the lists may be kept, as 2026-07-31; printed in each.")
@click.option(
    "--identify",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Your own extract once more, to put UPNs and names in place of pseudonyms. May be given again.",
)
@KEY
@click.option("--csv", "is_csv", is_flag=True, help="CSV files alone, no workbooks.")
def lists(
    kind: str,
    area: str,
    year: str,
    store: Path,
    restricted: Path,
    purpose: str,
    until: str,
    identify: Sequence[Path],
    key: Path | None,
    is_csv: bool,
) -> None:
    """Write lists of pupils, one for each school, into the restricted folder and nowhere else."""
    from attendance_toolkit.reporting.lists import write_lists
    from attendance_toolkit.reporting.restricted import open_restricted
    from attendance_toolkit.store import Store

    last = day(until)
    made = write_lists(
        Store.open(store),
        kind,
        area,
        year,
        open_restricted(restricted),
        purpose=purpose,
        retain_until=last,
        identify=list(identify) or None,
        key_file=key or default_key(),
        formats=("csv",) if is_csv else ("xlsx", "csv"),
    )
    click.echo(made.to_text())


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Delete it. Without this option nothing is deleted.")
def purge(folder: Path, yes: bool) -> None:
    """List what of a restricted FOLDER is past the date it may be kept until.

    Releases are what tells a later one which figures were shown before: without them it cannot protect against a comparison.
    """
    from datetime import date

    from attendance_toolkit.reporting.restricted import purge as past_their_date

    found = past_their_date(folder, date.today(), delete=yes)
    for item in found:
        click.echo(f"{'Deleted' if yes else 'Past its date'}: {item}")
    if not found:
        click.echo("Nothing is past its date.")
    elif not yes:
        click.echo("Nothing was deleted. Run it with --yes to delete these.")


def _areas_of(areas: Sequence[str], data: Any, files: Any, academic_year: int) -> list[str]:
    from attendance_toolkit.vocabulary.areas import find_area
    from attendance_toolkit.vocabulary.calendar import show_academic_year

    named = [find_area(area).code for area in areas if area.casefold() != "all"]
    if len(named) == len(areas):
        return list(dict.fromkeys(named))
    if data is not None:
        return list(dict.fromkeys([*data.la_codes(), *named]))
    # Some files have rates, others counts.
    tables = [table for table in (files.rates, files.cells) if len(table)]
    chosen = [
        table[(table["academic_year"] == academic_year) & (table["area_level"] == "Local authority")]
        for table in tables
    ]
    codes = sorted({str(code) for rows in chosen for code in rows["area_code"].unique()})
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
@click.option(
    "--area", default="", help="Name or code of the area a printed report is about; needed for printed tables."
)
@click.option(
    "--layout",
    "layouts",
    multiple=True,
    type=click.Path(path_type=Path),
    help="YAML file that describes the columns of a printed table. May be given again.",
)
@click.option(
    "--published",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File or folder of published statistics to hold printed figures against. May be given again."
    " Default: the toolkit's own reference values.",
)
@click.option(
    "--year",
    default="",
    help="Academic year of the page, and of portal summaries that do not say theirs. Default: the latest full year"
    " printed.",
)
@click.option(
    "--period",
    type=click.Choice(["year to date", *TERMS]),
    default="year to date",
    show_default=True,
    help="Period of portal summaries: the term, where one was chosen in the portal.",
)
@click.option(
    "--headers",
    type=click.Path(path_type=Path),
    default=None,
    help="Your own map of the headers of portal downloads; attendance headers prints the one in use.",
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
@click.option("--contact", default="", help="Whom to ask about the page; printed in its footer.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--csv", "table", type=click.Path(path_type=Path), default=None, help="Write the findings to a CSV file.")
def reconcile(
    files: Sequence[Path],
    area: str,
    layouts: Sequence[Path],
    published: Sequence[Path],
    year: str,
    period: str,
    headers: Path | None,
    out: Path,
    contact: str,
    as_json: bool,
    table: Path | None,
) -> None:
    """Check whether FILES agree with themselves, with their own counts and with published figures.

    FILES are printed tables and cards typed into CSV, summaries of DfE's portal, claims of a report's text (YAML),
    published DfE files and rule schemes (YAML); what each is, its content says. Printed figures get a page.

    Exit status 0: nothing found; 1: findings; 2: a file cannot be read.
    """
    from attendance_toolkit.reporting import reconcile as work

    given = work.sort_files(files, layouts=layouts, headers=headers)
    rows: list[dict[str, object]] = []
    lines: list[str] = []
    if given.schemes:
        found = work.check_schemes(given.schemes)
        rows += work.rows_of(found)
        lines += [f"- {finding}" for finding in found] or ["Nothing was found against the rule schemes."]
    if given.published:
        listed = work.check_published(given.published)
        rows += work.published_rows(listed)
        lines += work.published_text(listed, [path.name for path in given.published])
    if given.printed:
        made, said = check_printed(given.printed, area, published, year, out, contact, period, headers)
        rows += work.rows_of(made)
        lines += said
    status = int(any(row["is_certain"] for row in rows))
    if table is not None:
        work.write_csv(table, rows)
    click.echo(work.to_json(rows, status) if as_json else "\n".join(lines))
    sys.exit(status)


def check_printed(
    files: Sequence[Path],
    area: str,
    published: Sequence[Path] = (),
    year: str = "",
    out: Path = Path("reports"),
    contact: str = "",
    period: str = "",
    headers: Path | None = None,
) -> tuple[Sequence[Any], list[str]]:
    """Check printed tables, make the page, write the index; return the findings and what to print."""
    from attendance_toolkit.deepdives.printed_tables import PrintedTables
    from attendance_toolkit.errors import ParameterError, ReportError
    from attendance_toolkit.inputs import open_printed
    from attendance_toolkit.loaders.published import read_published
    from attendance_toolkit.reporting.catalogue import find_notebook
    from attendance_toolkit.reporting.run import Job, run_jobs, sha256_of
    from attendance_toolkit.vocabulary.calendar import show_academic_year

    if not area:
        raise ParameterError(
            f"{files[0].name} is checked as a printed table, which needs the area its report is about. Give it, as in"
            " --area Trafford."
        )
    printed = [str(path.resolve()) for path in sorted(files, key=lambda path: path.name)]
    with tempfile.TemporaryDirectory(prefix="attendance-inputs-") as private:
        statistics = read_published(list(published)) if published else None
        folder = [str(statistics.save(Path(private) / "published"))] if statistics else []
        told = {"period": period, "headers": str(headers.resolve()) if headers else ""}
        checked = PrintedTables(open_printed(area=area, academic_year=year, published=folder, printed=printed, **told))
        lines = [checked.verdict, *(f"- {sentence}" for sentence in checked.sentences)]
        parameters = {
            "area": checked.area.name,
            "academic_year": show_academic_year(checked.year),
            "audience": checked.audience,
            "store": "",
            "published": folder,
            "printed": printed,
            "contact": contact,
            **told,
        }
        inputs = [{"name": Path(path).name, "sha256": sha256_of(Path(path))} for path in printed]
        inputs += _input_names(None, statistics)
        job = Job(find_notebook("printed_tables"), checked.area.name, parameters, tuple(inputs))
        (outcome,) = run_jobs([job], out, workers=1).outcomes
    if outcome.page is None:
        raise ReportError(outcome.error)
    return checked.all_findings, [*lines, str(outcome.page)]


@main.command()
def headers() -> None:
    """Print the map of the headers of portal downloads, to be kept, edited and given with --headers."""
    from attendance_toolkit.loaders.portal import portal_headers_text

    click.echo(portal_headers_text(), nl=False)


@main.command()
@click.argument("what", type=click.Choice(["list", "absence", "attendance"]))
@click.argument("search", default="")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder the files are written to.")
@click.option("--title", default="", help="Only data sets whose title has these words.")
@click.option("--offline", is_flag=True, help="Use only what was fetched before.")
def fetch(what: str, search: str, out: Path | None, title: str, offline: bool) -> None:
    """Fetch published data sets of DfE through its public API, or list what there is.

    Give the folder to the reports with --published.
    """
    from attendance_toolkit.loaders.ees_api import fetch_command

    with _stoppable():
        click.echo(fetch_command(what, search, out=out, title=title, offline=offline))


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
    reports = (
        "data_quality",
        "overview",
        "districts",
        "severe_absence_intersectional",
        "longitudinal",
        "transition_y6_y7",
        "schools",
        "vulnerable_groups",
    )
    status = make_reports(reports, places, "2023/24", store, (), out, workers=workers)
    click.echo(f"Open {out / 'index.html'}")
    sys.exit(status)


if __name__ == "__main__":
    main()
