"""Options that several commands have, and how what is given is read."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from attendance_toolkit.errors import ParameterError

KEY = click.option(
    "--key",
    type=click.Path(path_type=Path),
    default=None,
    help="File of the secret key for pseudonyms, outside the store; made on first use. Default: in your home folder.",
)

RULES = click.option(
    "--rules",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File of your own rule scheme (YAML), in place of the one it says it replaces. May be given again.",
)

# What every restricted list and pack is asked for.
AREA = click.option("--area", required=True, help="Name or code of a local authority, or of a combined authority.")
STORE = click.option("--store", required=True, type=click.Path(path_type=Path), help="Folder made by attendance load.")
RESTRICTED = click.option("--restricted", required=True, type=click.Path(path_type=Path), help="The restricted folder.")
PURPOSE = click.option("--purpose", required=True, help="What they are for; printed in each.")
UNTIL = click.option("--until", required=True, help="Last day they may be kept, as 2026-07-31; printed in each.")
IDENTIFY = click.option(
    "--identify",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Your own extract once more, to put UPNs and names in place of pseudonyms. May be given again.",
)
CSV_ALONE = click.option("--csv", "is_csv", is_flag=True, help="CSV files alone, no workbooks.")


def default_key() -> Path:
    """Return where the key lies unless a call says otherwise."""
    return Path.home() / ".attendance-toolkit" / "pseudonym.key"


def day(text: str) -> date:
    """Return a date given as an option.

    Raises
    ------
    ParameterError
        It is not one.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ParameterError(f"'{text}' is not a date. Write it as 2026-07-31.") from None
