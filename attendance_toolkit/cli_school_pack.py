"""The command ``attendance report school-pack``: one pack a school for its Targeting Support Meeting."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from attendance_toolkit.cli_options import (
    AREA,
    IDENTIFY,
    KEY,
    PURPOSE,
    RESTRICTED,
    RULES,
    STORE,
    UNTIL,
    day,
    default_key,
)

NAME = "school-pack"


class ReportCommand(click.Command):
    """``attendance report``: reports by their names, or ``school-pack`` with options of its own."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return the context of the command that the first argument names."""
        if NAME in args[:1]:
            return school_pack.make_context(f"{info_name} {NAME}", args[1:], parent=parent, **extra)
        if NAME in args:
            raise click.UsageError(f"Write {NAME} first and by itself: attendance report {NAME} --area … --all")
        return super().make_context(info_name, args, parent=parent, **extra)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say where packs of single schools are made."""
        with formatter.section("Also"):
            formatter.write_dl(
                [(f"report {NAME}", "One restricted pack a school: attendance report school-pack --help")]
            )


@click.command(NAME)
@click.option("--urn", "urns", multiple=True, type=int, help="A school by its URN. May be given again.")
@click.option("--laestab", "laestabs", multiple=True, type=int, help="A school by its LAESTAB. May be given again.")
@click.option("--all", "is_all", is_flag=True, help="Every school of the area.")
@AREA
@click.option("--year", required=True, help="Academic year, for example 2023/24.")
@STORE
@RESTRICTED
@PURPOSE
@UNTIL
@click.option(
    "--published",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File or folder of published statistics, for national figures. May be given again.",
)
@RULES
@click.option(
    "--questions",
    type=click.Path(path_type=Path),
    default=None,
    help="File of your own questions to ask (YAML), in place of the toolkit's.",
)
@IDENTIFY
@KEY
def school_pack(
    urns: Sequence[int],
    laestabs: Sequence[int],
    is_all: bool,
    area: str,
    year: str,
    store: Path,
    restricted: Path,
    purpose: str,
    until: str,
    published: Sequence[Path],
    rules: Sequence[Path],
    questions: Path | None,
    identify: Sequence[Path],
    key: Path | None,
) -> None:
    """Write a printable pack for the Targeting Support Meeting of each school, into the restricted folder.

    Give schools by --urn or --laestab, or --all. A school whose pack fails does not stop the others; the exit status is
    then 1.
    """
    from tqdm import tqdm

    from attendance_toolkit.reporting.restricted import open_restricted
    from attendance_toolkit.reporting.school_pack import build_packs
    from attendance_toolkit.store import Store

    if is_all == bool(urns or laestabs):
        raise click.UsageError("Give schools by --urn or --laestab, or --all for every school of the area.")
    last = day(until)
    data = Store.open(store)
    with tqdm(unit="pack", desc=NAME, disable=None) as bar:

        def step(schools: int, school: str) -> None:
            bar.total = schools
            bar.update()

        made = build_packs(
            data,
            area,
            year,
            open_restricted(restricted),
            purpose=purpose,
            retain_until=last,
            laestabs=list(laestabs),
            urns=list(urns),
            rules=list(rules),
            questions=questions,
            published=list(published),
            identify=list(identify) or None,
            key_file=key or default_key(),
            progress=step,
        )
    click.echo(made.to_text())
    sys.exit(1 if made.failed else 0)
