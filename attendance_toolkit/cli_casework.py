"""The commands ``attendance casework``: the lists an attendance team works through week by week."""

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
    RULES,
    STORE,
    UNTIL,
    day,
    default_key,
)

#: Options of every restricted list of casework, in the order of the help.
_OF_EVERY_LIST = (
    AREA,
    STORE,
    RESTRICTED,
    PURPOSE,
    UNTIL,
    click.option("--year", default="", help="Academic year, for example 2023/24. Default: the latest with data."),
    IDENTIFY,
    KEY,
    CSV_ALONE,
)


def of_every_list(command: Any) -> Any:
    """Add the options of every list: area, store, restricted, purpose, until, year, identify, key, is_csv."""
    for option in reversed(_OF_EVERY_LIST):
        command = option(command)
    return command


@click.group()
def casework() -> None:
    """List pupils for an attendance team: graduated response, penalty-notice windows, pupils with no attendance."""


@casework.command()
@of_every_list
@click.option("--as-of", default="", help="Last day that counts, as 2024-03-22. Default: the last day with marks.")
@click.option("--since", default="", help="Day to compare levels with. Default: 20 school days before.")
@click.option(
    "--window",
    type=click.Choice(["school days", "calendar weeks"]),
    default="school days",
    show_default=True,
    help="What four weeks are: a school's last 20 school days, or 28 days of the calendar.",
)
@click.option(
    "--safeguarding",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File of pupils flagged by hand (UPNs, or pseudonyms of a list). May be given again.",
)
@click.option("--all-levels", is_flag=True, help="List every pupil, not only those at the levels that need work.")
@RULES
def response(
    area: str,
    store: Path,
    restricted: Path,
    purpose: str,
    until: str,
    year: str,
    identify: Sequence[Path],
    key: Path | None,
    is_csv: bool,
    as_of: str,
    since: str,
    window: str,
    safeguarding: Sequence[Path],
    all_levels: bool,
    rules: Sequence[Path],
) -> None:
    """Write each pupil's level of the graduated response over the last four school weeks, one list a school."""
    from attendance_toolkit.reporting.casework_response import write_response
    from attendance_toolkit.reporting.restricted import open_restricted
    from attendance_toolkit.store import Store

    last = day(until)
    made = write_response(
        Store.open(store),
        area,
        year,
        open_restricted(restricted),
        purpose=purpose,
        retain_until=last,
        as_of=day(as_of) if as_of else None,
        since=day(since) if since else None,
        window=window,
        safeguarding=list(safeguarding) or None,
        is_every_level=all_levels,
        rules=list(rules),
        identify=list(identify) or None,
        key_file=key or default_key(),
        formats=("csv",) if is_csv else ("xlsx", "csv"),
    )
    click.echo(made.to_text())


@casework.command()
@of_every_list
@click.option("--as-of", default="", help="Last day that counts, as 2024-03-22. Default: the last day with marks.")
@click.option(
    "--notices",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File of notices given: a column of pupils and one of dates. May be given again.",
)
@click.option(
    "--all-events", is_flag=True, help="A row each time the threshold was met, not only the latest of each pupil."
)
@click.option("--law", type=click.Path(path_type=Path), default=None, help="File of other thresholds (YAML).")
def penalties(
    area: str,
    store: Path,
    restricted: Path,
    purpose: str,
    until: str,
    year: str,
    identify: Sequence[Path],
    key: Path | None,
    is_csv: bool,
    as_of: str,
    notices: Sequence[Path],
    law: Path | None,
    all_events: bool,
) -> None:
    """Write pupils who reached the penalty-notice threshold, one list a school. Nothing is decided or sent."""
    from attendance_toolkit.reporting.casework_penalties import write_penalties
    from attendance_toolkit.reporting.restricted import open_restricted
    from attendance_toolkit.store import Store

    last = day(until)
    made = write_penalties(
        Store.open(store),
        area,
        year,
        open_restricted(restricted),
        purpose=purpose,
        retain_until=last,
        as_of=day(as_of) if as_of else None,
        notices=list(notices) or None,
        law=law,
        is_every_event=all_events,
        identify=list(identify) or None,
        key_file=key or default_key(),
        formats=("csv",) if is_csv else ("xlsx", "csv"),
    )
    click.echo(made.to_text())
