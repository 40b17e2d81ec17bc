"""The commands ``attendance casework zero-sample`` and ``zero-results``: the audit of pupils with no attendance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from attendance_toolkit.cli_casework import of_every_list
from attendance_toolkit.cli_options import KEY, day, default_key


@click.command("zero-sample")
@of_every_list
@click.option(
    "--period",
    type=click.Choice(["autumn", "spring", "summer", "year"]),
    default="year",
    show_default=True,
    help="Term or year in which nothing was attended.",
)
@click.option("--from", "first", default="", help="Or the first day, as 2024-01-08, where registers were loaded.")
@click.option("--to", "last", default="", help="And the last day.")
@click.option("--share", default="12%", show_default=True, help="Share of the pupils to look into.")
@click.option("--seed", default="1", show_default=True, help="Another number or word draws another sample.")
@click.option(
    "--fewest",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Pupils with fewer possible sessions are listed apart.",
)
@click.option("--proportional", is_flag=True, help="Do not draw at least one pupil of each cohort and school type.")
def zero_sample(
    area: str,
    store: Path,
    restricted: Path,
    purpose: str,
    until: str,
    year: str,
    identify: Sequence[Path],
    key: Path | None,
    is_csv: bool,
    period: str,
    first: str,
    last: str,
    share: str,
    seed: str,
    fewest: int,
    proportional: bool,
) -> None:
    """Write pupils with no attendance, one list a school, and a form for the outcomes of a sample of them."""
    from attendance_toolkit.reporting.casework_zero import write_zero_sample
    from attendance_toolkit.reporting.restricted import open_restricted
    from attendance_toolkit.store import Store

    made = write_zero_sample(
        Store.open(store),
        area,
        year,
        open_restricted(restricted),
        purpose=purpose,
        retain_until=day(until),
        period=period,
        first=day(first) if first else None,
        last=day(last) if last else None,
        share=share,
        seed=seed,
        fewest=fewest,
        at_least_one=not proportional,
        identify=list(identify) or None,
        key_file=key or default_key(),
        formats=("csv",) if is_csv else ("xlsx", "csv"),
    )
    click.echo(made.to_text())


@click.command("zero-results")
@click.argument("form", type=click.Path(path_type=Path))
@click.option("--store", required=True, type=click.Path(path_type=Path), help="The store the sample was drawn from.")
@click.option(
    "--restricted",
    type=click.Path(path_type=Path),
    default=None,
    help="The restricted folder, to write the result into.",
)
@KEY
def zero_results(form: Path, store: Path, restricted: Path | None, key: Path | None) -> None:
    """Say what the outcomes of a sample, filled in on its form, say of all pupils with no attendance."""
    from attendance_toolkit.reporting.casework_zero_results import zero_results as results
    from attendance_toolkit.reporting.restricted import open_restricted
    from attendance_toolkit.store import Store

    room = open_restricted(restricted) if restricted else None
    click.echo(results(form, Store.open(store), room, key_file=key or default_key()).to_text())
