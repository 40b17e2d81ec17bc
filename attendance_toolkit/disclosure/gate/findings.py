"""What the gate says of a page or a file: one sentence a finding, never the matched text itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One reason why a page or a file is refused.

    Attributes
    ----------
    file
        Name of the file inside what is checked, for example ``index.html`` or ``tables/absence-by-phase.csv``; of
        a part of it with the part's name after "!", for example ``book.xlsx!xl/worksheets/sheet2.xml``.
    place
        Where in the file, in words: "title", "table 3, row 2", "line 40, third layer (base64)". May be empty.
    rule
        Name of the rule, in snake case: what a test or an audit counts by.
    says
        One sentence for a person. What was matched is masked: the sentence may be printed, mailed and logged.

    >>> str(Finding("index.html", "paragraph 4", "unexplained_number", "A number is no cleared figure."))
    'index.html, paragraph 4: A number is no cleared figure. [unexplained_number]'
    """

    file: str
    place: str
    rule: str
    says: str

    def __str__(self) -> str:
        """Return the sentence a person reads."""
        where = f"{self.file}, {self.place}" if self.place else self.file
        return f"{where}: {self.says} [{self.rule}]"
