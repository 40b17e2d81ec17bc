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
            "social_care",
            "DfE children in need census matched with the school census",
            "accredited official statistics",
            "Department for Education, Outcomes for children in need, including children looked after: pupils matched"
            " with the school census; counts pupils, not enrolments, so it is not compared with all-pupil absence.",
        ),
        Series(
            "four_year_olds",
            "DfE school census, four-year-olds",
            "accredited official statistics",
            "Department for Education, Pupil absence in schools in England: four-year-olds, who are below compulsory"
            " school age and outside the absence of all pupils.",
        ),
        Series(
            "portal",
            "DfE portal",
            "management information",
            "Department for Education, Monitor your school attendance: registers of the year to date as schools' systems"
            " send them; figures change as registers are corrected and differ from published statistics.",
        ),
        Series(
            "own",
            "National figures given by the authority",
            "given by the authority",
            "National figures of groups of pupils from a file of the authority's own, which names the source of each.",
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
