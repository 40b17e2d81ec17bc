"""The commands ``attendance priority``: who is to be helped over a step, and how they are doing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from attendance_toolkit.cli_options import (
    AREA,
    CSV_ALONE,
    IDENTIFY,
    KEY,
    PURPOSE,
    RESTRICTED,
    STORE,
    UNTIL,
    day,
    default_key,
)


def _of_every_list(command: Any) -> Any:
    """Add the options of every list of pupils."""
    for option in (
        CSV_ALONE,
        KEY,
        IDENTIFY,
        click.option(
            "--from-year",
            type=click.Choice(["6", "7"]),
            default="6",
            show_default=True,
            help="Year group before the step: 6 for the move to Year 7, 7 for that to Year 8.",
        ),
        UNTIL,
        PURPOSE,
        RESTRICTED,
        STORE,
        AREA,
    ):
        command = option(command)
    return command


@click.group()
def priority() -> None:
    """List pupils likely to be absent after the move to secondary school, and follow those listed."""


@priority.command()
@click.option("--year", required=True, help="Academic year before the step, for example 2023/24.")
@_of_every_list
@click.option(
    "--rule",
    type=click.Choice(["predicted", "before"]),
    default="predicted",
    show_default=True,
    help="Who comes first: the highest chance of persistent absence, or the highest absence of those who missed 10%.",
)
@click.option("--capacity", default=None, help="Pupils who can be helped in all: 10% or 120. Default: 10%.")
@click.option("--per-school", default=None, help="Pupils who can be helped in each school: 10% or 8.")
@click.option("--with-characteristics", is_flag=True, help="Choose by a model that also uses sex, ethnicity and SEN.")
def build(
    area: str,
    store: Path,
    restricted: Path,
    purpose: str,
    until: str,
    from_year: str,
    identify: Sequence[Path],
    key: Path | None,
    is_csv: bool,
    year: str,
    rule: str,
    capacity: str | None,
    per_school: str | None,
    with_characteristics: bool,
) -> None:
    """Write priority pupils, one list for each school they go to, into the restricted folder and nowhere else."""
    from attendance_toolkit.reporting.priority import build_priority
    from attendance_toolkit.reporting.restricted import open_restricted
    from attendance_toolkit.store import Store

    last = day(until)
    made = build_priority(
        Store.open(store),
        area,
        year,
        open_restricted(restricted),
        purpose=purpose,
        retain_until=last,
        from_year=from_year,
        rule=rule,
        capacity=capacity,
        per_school=per_school,
        with_characteristics=with_characteristics,
        identify=list(identify) or None,
        key_file=key or default_key(),
        formats=("csv",) if is_csv else ("xlsx", "csv"),
    )
    click.echo(made.to_text())


@priority.command()
@click.option("--year", required=True, help="Academic year after the step, for example 2024/25.")
@_of_every_list
@click.option(
    "--group",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A list made before, another table with UPNs, or a folder of them. May be given again.",
)
@click.option("--support", default=None, help="Or the name of a group of supported pupils in the store.")
def track(
    area: str,
    store: Path,
    restricted: Path,
    purpose: str,
    until: str,
    from_year: str,
    identify: Sequence[Path],
    key: Path | None,
    is_csv: bool,
    year: str,
    group: Sequence[Path],
    support: str | None,
) -> None:
    """Write what listed or supported pupils have missed since they moved up, one list for each school they are in."""
    from attendance_toolkit.reporting.priority_track import track_pupils
    from attendance_toolkit.reporting.restricted import open_restricted
    from attendance_toolkit.store import Store

    last = day(until)
    tracked = track_pupils(
        Store.open(store),
        area,
        year,
        open_restricted(restricted),
        purpose=purpose,
        retain_until=last,
        group=list(group) or None,
        support=support,
        from_year=from_year,
        identify=list(identify) or None,
        key_file=key or default_key(),
        formats=("csv",) if is_csv else ("xlsx", "csv"),
    )
    click.echo(tracked.to_text())
