"""The statistical series. They are never mixed in one comparison: each column says which it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Series:
    """A family of figures made by one method."""

    name: str
    label: str
    status: str
    note: str


SERIES = {
    s.name: s
    for s in (
        Series(
            "census",
            "DfE school census, full year",
            "accredited official statistics",
            "Department for Education, Pupil absence in schools in England: school census, six half terms.",
        ),
        Series(
            "attendance",
            "DfE attendance series, year to date",
            "official statistics in development",
            "Department for Education, Pupil attendance in schools (official statistics in development): daily"
            " registers of part of the schools, revised as registers are corrected; it does not add up to regions.",
        ),
        Series(
            "local",
            "Local extract",
            "local management information",
            "Computed by this toolkit from the authority's own pupil-level extract, by DfE's inclusion rules.",
        ),
        Series(
            "synthetic",
            "Synthetic data",
            "made up",
            "Synthetic pupils of fictitious authorities; no figure describes a real council.",
        ),
    )
}
