"""DfE's symbols: they stand beside a missing value and never become numbers."""

from __future__ import annotations

import math
import re

#: Symbols in use, with what a reader is told.
SYMBOLS = {
    "c": "confidential: hidden to protect small numbers",
    "x": "not available",
    "z": "not applicable",
    "low": "rounds to 0 but is not 0",
    "k": "rounds to 0 but is not 0",
    "u": "low reliability",
}

#: Every spelling met in published files, with the symbol it means.
SYMBOL_SPELLINGS = {
    "c": "c",
    "x": "x",
    "z": "z",
    "u": "u",
    "k": "k",
    "low": "low",
    "~": "low",
    ":": "x",
    ".": "z",
    "..": "x",
    "-": "x",
    "NA": "x",
    "N/A": "x",
    "NULL": "x",
    "SUPP": "c",
    "": "x",
}


#: A number as people write it, with or without commas between thousands. A misplaced comma is a decimal comma.
PLAIN_NUMBER = re.compile(r"-?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?")
#: A number as DfE's files hold it: also 1e-05 and 1.2E+07. Python itself reads "1_0", "inf" and digits of any script.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def read_value(text: str | None) -> tuple[float | None, str]:
    """Return the number in a published cell, or None with the symbol that stands for it.

    >>> read_value("4.3"), read_value("c"), read_value("SUPP"), read_value(""), read_value(":")
    ((4.3, ''), (None, 'c'), (None, 'c'), (None, 'x'), (None, 'x'))
    >>> read_value("1e-05"), read_value("1.2E+07")
    ((1e-05, ''), (12000000.0, ''))
    >>> read_value("4,3O")
    Traceback (most recent call last):
        ...
    ValueError: '4,3O' is neither a number nor one of the symbols c, k, low, u, x, z
    """
    cell = (text or "").strip()
    if cell in SYMBOL_SPELLINGS:
        return None, SYMBOL_SPELLINGS[cell]
    if cell.lower() in SYMBOLS:
        return None, cell.lower()
    value = float(cell) if _NUMBER.fullmatch(cell) else math.inf
    if math.isinf(value):
        raise ValueError(f"'{cell}' is neither a number nor one of the symbols {', '.join(sorted(SYMBOLS))}")
    return value, ""
