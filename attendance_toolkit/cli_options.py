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
