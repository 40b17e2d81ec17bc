"""The only thing presentation accepts for a partner: MEASURE rows with the small numbers already hidden."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from attendance_toolkit.errors import DisclosureError, NoDataError
from attendance_toolkit.vocabulary.columns import MEASURE_CORE


@dataclass(frozen=True)
class ProtectedTable:
    """MEASURE rows as they may be shown.

    Attributes
    ----------
    rows
        Group columns, then ``measure, numerator, denominator, rate, lower, upper, symbol``. A hidden cell has
        missing values in all five number columns and a symbol ("c" hidden, "z" empty group, "x" not
        available); a shown cell has symbol "". Counts are already rounded where the policy rounds.
    rule
        The policy in one sentence, for the page's footer.
    source
        Where the figures come from, in words, for the line under each table and figure.
    is_synthetic
        True puts "synthetic" on whatever is made from this table.
    """

    rows: pd.DataFrame
    rule: str
    source: str
    is_synthetic: bool = False

    def __post_init__(self) -> None:
        missing = [name for name in MEASURE_CORE if name not in self.rows.columns]
        if missing:
            raise DisclosureError(f"A protected table needs the columns {', '.join(missing)}.")
        hidden = self.rows["symbol"] != ""
        numbers = self.rows.loc[hidden, ["numerator", "denominator", "rate", "lower", "upper"]]
        if numbers.notna().to_numpy().any():
            raise DisclosureError("A hidden cell still carries a number. Only a release makes protected tables.")

    @staticmethod
    def concat(tables: Iterable[ProtectedTable]) -> ProtectedTable:
        """Return several tables as one; rules and sources are joined."""
        tables = [table for table in tables if len(table.rows)]
        if not tables:
            raise NoDataError("There is nothing to show for this selection.")
        return ProtectedTable.made_from(pd.concat([table.rows for table in tables], ignore_index=True), tables)

    @staticmethod
    def made_from(rows: pd.DataFrame, tables: Iterable[ProtectedTable]) -> ProtectedTable:
        """Return rows made of those of other tables; rules and sources are joined."""
        tables = list(tables)

        def joined(texts: Iterable[str]) -> str:
            found: list[str] = []
            for text in texts:
                # A table made of several others has the sources of all of them already.
                if not any(text in earlier for earlier in found):
                    found.append(text)
            return " ".join(found)

        return ProtectedTable(
            rows,
            joined(table.rule for table in tables),
            joined(table.source for table in tables),
            any(table.is_synthetic for table in tables),
        )

    def with_rows(self, rows: pd.DataFrame) -> ProtectedTable:
        """Return other rows of the same figures under the same rule and source."""
        return ProtectedTable(rows.reset_index(drop=True), self.rule, self.source, self.is_synthetic)

    def select(self, **groups: object) -> ProtectedTable:
        """Return the rows in which each named column equals the value (or is one of a list of values)."""
        rows = self.rows
        for column, wanted in groups.items():
            values = list(wanted) if isinstance(wanted, (list, tuple, set)) else [wanted]
            rows = rows[rows[column].isin(values)]
        return self.with_rows(rows)
