"""The parts of the audit page. Every sentence is computed; none has a hidden value in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure.clearing import KNOWN, SECONDARY, SMALL, WITH_PUPILS
from attendance_toolkit.disclosure.gate.findings import Finding
from attendance_toolkit.presentation.blocks import Block, Cell, Column, Findings, Notice, Paragraph, Row, Table
from attendance_toolkit.presentation.narrative import sentence_list
from attendance_toolkit.reporting.audit_words import RULES, area_name
from attendance_toolkit.reporting.block_page import Section
from attendance_toolkit.vocabulary.audiences import PARTNER
from attendance_toolkit.vocabulary.rounding import number_text

if TYPE_CHECKING:
    from attendance_toolkit.reporting.audit import AuditFacts, GateResult

#: More figures, pages or files than this are not named on the page; the CSV file has them all.
MOST_NAMED = 50
_SOURCE = "The release itself; audit.csv has every figure."
#: Upper ends of the classes of widths, as multiples of the width that was asked for.
_CLASSES = ((1.0, "Less than asked for"), (2.0, "1 to under 2 times"), (5.0, "2 to under 5 times"),
            (10.0, "5 to under 10 times"), (np.inf, "10 times or more"))  # fmt: skip
#: Two widths nearer than this are the same.
_SAME = 1e-6


def sections(facts: AuditFacts) -> list[Section]:
    """Return the parts of the page."""
    return [
        Section("In short", (Findings(tuple(_in_short(facts))), *_alarms(facts))),
        Section("What the release holds", tuple(_holds(facts))),
        Section("The policy", tuple(_policy(facts))),
        Section("What was hidden, and why", tuple(_hidden(facts))),
        Section("What the attacker reached", tuple(_attacker(facts))),
        Section("What simpler methods would have given away", tuple(_simpler(facts))),
        Section("Pages that could not be made", tuple(_refused(facts))),
        Section("The gate", tuple(_gate(facts))),
        Section("Earlier releases and published statistics", (Findings(tuple(_elsewhere(facts))),)),
        Section("Digests", tuple(_digests(facts))),
    ]


def listed(names: Sequence[str], most: int, what: str) -> str:
    """Return a few names, or how many there are.

    >>> listed(["Bury", "Oldham"], 4, "areas"), listed(["a", "b", "c"], 2, "areas")
    ('Bury and Oldham', '3 areas')
    """
    if not names:
        return f"no {what}"
    return sentence_list(list(names)) if len(names) <= most else f"{number_text(len(names))} {what}"


def _many(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    >>> _many(1, "figure"), _many(1200, "figure"), _many(2, "is", "are")
    ('1 figure', '1,200 figures', '2 are')
    """
    return f"{number_text(number)} {one if number == 1 else many or one + 's'}"


def _share(part: float, whole: float, decimals: int = 1) -> str:
    """Return a share in words.

    Of pupils it is given in whole percent: the number of pupils behind hidden figures is itself hidden.

    >>> _share(0, 10), _share(1, 3), _share(1, 100000), _share(1, 0), _share(1, 3, 0), _share(1, 300, 0)
    ('0%', '33.3%', 'under 0.1%', 'no figures', '33%', 'under 1%')
    """
    if not whole:
        return "no figures"
    least = 10.0**-decimals
    if 0 < 100 * part / whole < least:
        return f"under {number_text(least, decimals)}%"
    text = number_text(100 * part / whole, decimals)
    return f"{text.removesuffix('.0')}%"


def _text(text: str) -> Cell:
    return Cell(text)


def _number(value: float) -> Cell:
    return Cell(number_text(value), float(value))


# --- in short -------------------------------------------------------------------------------------------------


def _in_short(facts: AuditFacts) -> Iterable[str]:
    figures, hidden = facts.figures, facts.hidden
    pages = len(dict.fromkeys(key[:2] for key in facts.tables))
    yield (
        f"The release holds {_many(len(figures), 'different figure')} on {_many(pages, 'page')} of"
        f" {_many(len({area for _, area, _ in facts.tables}), 'area')}. A figure shown on several pages is one figure, and is"
        " hidden on all of them or on none."
    )
    if hidden.empty:
        yield "No figure is hidden: the policy hides nothing, or nothing in the release is small."
        return
    small = int((hidden["status"] == SMALL).sum())
    following = int((hidden["rule"] == RULES[WITH_PUPILS]).sum())
    yield (
        f"{_many(len(hidden), 'figure is', 'figures are')} hidden ({_share(len(hidden), len(figures))}): {number_text(small)} by"
        f" the rules themselves, {number_text(following)} because they are sums of sessions of pupils whose number is hidden,"
        f" and {number_text(len(hidden) - small - following)} because one of those could be worked out with them."
    )
    whole = facts.summary[facts.summary["scope"] == "release"].iloc[0]
    yield (
        f"Of all pupils counted in the figures that count pupils, {_share(whole['counts_hidden'], whole['counts'], 0)} are counted"
        f" in hidden ones; {_share(whole['rows_hidden'], whole['rows'])} of the rows of the tables show c."
    )
    yield _reach(facts)
    yield _gate_in_short(facts)


def _reach(facts: AuditFacts) -> str:
    tried = facts.hidden[facts.hidden["reached"].notna()]
    if tried.empty:
        return "No attack was made on this release: the stored proof is all that shows its protection."
    narrow = tried[~tried["width_ok"]]
    pupils = tried[~tried["is_sessions"]]
    least = pupils["reached"].min() if len(pupils) else np.nan
    start = (
        f"An attacker who knows every figure shown, before rounding, and every sum between figures tried"
        f" {_many(len(tried), 'hidden figure')}."
    )
    width = number_text(facts.policy.width)
    if narrow.empty:
        closest = (
            f" The narrowest range reached for a hidden count of pupils is {_width_text(least)}; the policy asks for {width}."
            if not np.isnan(least)
            else ""
        )
        return f"{start} None was worked out, and none was narrowed below the width asked for.{closest}"
    return (
        f"{start} {_many(len(narrow), 'figure was', 'figures were')} narrowed below the width asked for; they are named below,"
        " with the reason."
    )


def _width_text(width: float) -> str:
    return "without an upper end" if np.isinf(width) else f"{number_text(np.floor(width + _SAME))} pupils wide"


def _gate_in_short(facts: AuditFacts) -> str:
    if not facts.checks:
        return "No page of this release has been through the gate."
    refused = [check for check in facts.checks if check.findings]
    if not refused:
        return f"{_many(len(facts.checks), 'page', 'pages')} went through the gate, and none was refused."
    return (
        f"{_many(len(facts.checks), 'page')} went through the gate; {number_text(len(refused))} of them"
        f" {'was' if len(refused) == 1 else 'were'} refused and not published."
    )


def _alarms(facts: AuditFacts) -> Iterable[Block]:
    hidden = facts.hidden
    own = hidden[(hidden["status"] == SMALL) & ~hidden["width_ok"] & ~hidden["from_known"]]
    if len(own):
        yield Notice(
            f"{_many(len(own), 'figure that is small', 'figures that are small')} could be narrowed below the width the policy"
            " asks for. Do not send this release out; merge the levels named below or leave a table out.",
            "Not protected as asked",
        )
    if facts.policy.is_weaker:
        answers = f"{facts.policy.approver} answers for it." if facts.policy.approver else "No approver is named."
        yield Notice(f"This policy protects less than the toolkit's default. {answers}", "Weaker than the default")


# --- what it holds, and the policy ----------------------------------------------------------------------------


def _holds(facts: AuditFacts) -> Iterable[Block]:
    pages = facts.summary[facts.summary["scope"] == "page"]
    columns = (
        Column("Page", align="left"), Column("Figures"), Column("Hidden"), Column("Share hidden"),
        Column("Pupils behind hidden figures"), Column("Rows that show c"),
    )  # fmt: skip
    rows = tuple(
        Row(
            f"{str(page['report']).replace('_', ' ').capitalize()}",
            (
                _number(page["cells"]), _number(page["hidden"]), _text(_share(page["hidden"], page["cells"])),
                _text(_share(page["counts_hidden"], page["counts"], 0)), _text(_share(page["rows_hidden"], page["rows"])),
            ),
            section=area_name(str(page["area_code"])),
        )
        for page in pages.sort_values(["area_code", "report"], kind="stable").to_dict("records")
    )  # fmt: skip
    yield Table(
        "pages", "Figures on each page", "Different figures that the tables of a page need, before anything is hidden",
        columns, rows, _SOURCE,
    )  # fmt: skip


def _policy(facts: AuditFacts) -> Iterable[Block]:
    policy = facts.policy
    yield Paragraph(policy.rule)
    merged = ", ".join(name.replace("_", " ") for name in policy.merge_unknown) or "no characteristic"
    settings = (
        ("Profile", policy.name),
        ("Smallest count of pupils shown", "no limit" if policy.threshold is None else number_text(policy.threshold)),
        ("Counts rounded to a multiple of", number_text(policy.rounding)),
        ("Least width left to an attacker, in pupils", number_text(policy.width)),
        ("Unknown counted with the level that asserts nothing", merged),
        ("Approver", policy.approver or "none named"),
        ("Approved on", policy.approved_on or "no date"),
        ("Restricted files kept for, in days", number_text(policy.retention_days)),
    )
    yield _pairs("policy", "The policy in numbers", "Setting", "Value", settings)


def _pairs(name: str, title: str, first: str, second: str, pairs: Iterable[tuple[str, str]]) -> Table:
    columns = (Column(first, align="left"), Column(second, align="left"))
    return Table(name, title, "", columns, tuple(Row(label, (_text(text),)) for label, text in pairs))


# --- what was hidden ------------------------------------------------------------------------------------------


def _hidden(facts: AuditFacts) -> Iterable[Block]:
    hidden, figures = facts.hidden, facts.figures
    if hidden.empty:
        yield Paragraph("Nothing is hidden in this release.")
        return
    count = (
        hidden.groupby("rule")["is_sessions"].agg(["size", "sum"]).sort_values("size", ascending=False, kind="stable")
    )
    columns = (
        Column("Rule", align="left"), Column("Figures hidden"), Column("Counts of pupils"), Column("Sums of sessions"),
        Column("Share of all figures"),
    )  # fmt: skip
    rows = [
        Row(str(rule), (_number(size), _number(size - of), _number(of), _text(_share(size, len(figures)))))
        for rule, size, of in count.itertuples(name=None)
    ]
    total, sessions = len(hidden), int(hidden["is_sessions"].sum())
    last = (_number(total), _number(total - sessions), _number(sessions), _text(_share(total, len(figures))))
    yield Table(
        "by-rule", "Hidden figures by rule", "Each figure is counted once, under the first rule that hides it", columns,
        (*rows, Row("All hidden figures", last, emphasis=True)), _SOURCE,
    )  # fmt: skip
    yield _by("by-area", "Hidden figures by area", "Area", figures, figures["area"])
    exploded = figures.assign(table=figures["tables"].str.split("; ")).explode("table")
    exploded = exploded[exploded["table"].astype(str) != ""]
    parts = exploded["table"].str.split("/", expand=True)
    if len(exploded):
        names = parts[0].str.replace("_", " ").str.capitalize() + ": " + parts[2].str.replace("_", " ")
        subtitle = "A figure that several tables need counts in each of them"
        yield _by("by-table", "Hidden figures by table", "Table", exploded, names, subtitle)


def _by(name: str, title: str, first: str, figures: pd.DataFrame, key: pd.Series, subtitle: str = "") -> Table:
    """Return figures and hidden ones by a key."""
    flags = pd.DataFrame({
        "key": key.to_numpy(),
        "small": (figures["status"] == SMALL).to_numpy(),
        "closing": (figures["status"] == SECONDARY).to_numpy(),
    })  # fmt: skip
    found = flags.groupby("key", sort=True).agg(
        figures=("small", "size"), small=("small", "sum"), closing=("closing", "sum")
    )
    columns = (
        Column(first, align="left"), Column("Figures"), Column("Hidden by a rule"), Column("Hidden with them"),
        Column("Share hidden"),
    )  # fmt: skip
    rows = tuple(
        Row(
            str(label),
            (_number(size), _number(small), _number(closing), _text(_share(small + closing, size))),
        )
        for label, size, small, closing in found.itertuples(name=None)
    )
    return Table(name, title, subtitle, columns, rows, _SOURCE)


# --- the attacker ---------------------------------------------------------------------------------------------


def _attacker(facts: AuditFacts) -> Iterable[Block]:
    hidden = facts.hidden
    if hidden.empty:
        yield Paragraph("Nothing is hidden, so there is nothing to work out.")
        return
    tried = hidden[hidden["reached"].notna()]
    yield Paragraph(
        "The attacker is a program of its own. It is given every figure that is shown, exact although the pages round, every"
        " figure that published statistics or an earlier release give, and every sum there is between figures of all pages; it"
        " looks for the lowest and the highest value that each hidden figure can have. The difference is the width. Where"
        " thousands of hidden figures hang together it stops once a range is as wide as asked for: the whole range may be"
        f" wider. Beside it lie {_many(facts.proofs, 'stored proof')}: pairs of worlds that agree on all that is shown and"
        " differ in what is hidden."
    )
    if len(tried):
        yield _widths(tried)
    rest = len(hidden) - len(tried)
    if rest:
        yield Paragraph(
            f"{_many(rest, 'hidden figure was', 'hidden figures were')} not attacked one by one: sums of sessions of hidden"
            " groups, which count as unknown to the attacker, and figures whose value is public."
        )
    narrow = tried[~tried["width_ok"]]
    own = narrow[(narrow["status"] == SMALL) & ~narrow["from_known"]]
    others = narrow[(narrow["status"] == SECONDARY) & ~narrow["from_known"]]
    known = hidden[hidden["from_known"]]
    if own.empty:
        yield Paragraph("No small figure could be narrowed below the width asked for.")
    else:
        yield _named("narrow", "Small figures narrowed below the width asked for", own)
    if len(others):
        yield _named("narrow-others", "Figures that are not small themselves, narrowed below the width", others)
    if len(known):
        yield _named("given-away", "Hidden figures that published statistics give away, whatever is hidden here", known)


def _class_of(ratio: Any) -> Any:
    """Return the number of the class a width (as a multiple of what was asked) is in."""
    ends = np.array([end for end, _ in _CLASSES])
    return np.where(np.isinf(ratio), len(ends), np.searchsorted(ends, np.asarray(ratio) + _SAME, side="right"))


def width_in_words(ratio: float) -> str:
    """Return the class of a width in words.

    >>> width_in_words(2.5), width_in_words(float("inf"))
    ('2 to under 5 times', 'No upper end')
    """
    return [*(label for _, label in _CLASSES), "No upper end"][int(_class_of(ratio))]


def _widths(tried: pd.DataFrame) -> Table:
    place = _class_of((tried["reached"] / tried["width"]).to_numpy())
    sessions = tried["is_sessions"].to_numpy(dtype=bool)
    rows = []
    for number, label in enumerate([*(label for _, label in _CLASSES), "No upper end"]):
        here = place == number
        rows.append(Row(label, (_number((here & ~sessions).sum()), _number((here & sessions).sum()))))
    columns = (
        Column("Width, as a multiple of what the policy asks for", align="left"), Column("Counts of pupils"),
        Column("Sums of sessions"),
    )  # fmt: skip
    return Table(
        "widths", "How wide the attacker's ranges are", "Hidden figures by the width of the range reached for them", columns,
        tuple(rows), _SOURCE,
        ("The width asked for is that of the policy for counts of pupils; for a sum of sessions it is what as many of its pupils"
         " have on average, and at least a tenth of the sum.",),
    )  # fmt: skip


def _named(name: str, title: str, cells: pd.DataFrame) -> Table:
    # Never the width asked for: that of a sum of sessions is a share of its hidden value.
    columns = (Column("Group", align="left"), Column("Figure", align="left"), Column("Width reached"))
    shown = cells.head(MOST_NAMED)
    rows = tuple(
        Row(str(group), (_text(str(count)), _text(_reached(reached))))
        for group, count, reached in zip(shown["group"], shown["count"], shown["reached"], strict=True)
    )
    more = len(cells) - len(shown)
    notes = (f"{_many(more, 'more is', 'more are')} in audit.csv.",) if more else ()
    return Table(name, title, f"{_many(len(cells), 'figure')}, without values", columns, rows, _SOURCE, notes)


def _reached(width: float) -> str:
    if np.isnan(width):
        return "not attacked"
    return "no upper end" if np.isinf(width) else number_text(width, 1)


def _simpler(facts: AuditFacts) -> Iterable[Block]:
    if not facts.leaks:
        return
    hidden = facts.hidden
    own = hidden[(hidden["status"] == SMALL) & ~hidden["is_sessions"] & hidden["reached"].notna()]
    columns = (
        Column("Method", align="left"), Column("Counts hidden"), Column("Small counts tried"), Column("Worked out exactly"),
        Column("Narrowed below the width"),
    )  # fmt: skip
    rows = [
        Row(leak.method, (_number(leak.hidden), _number(leak.tried), _number(leak.exact), _number(leak.narrowed)))
        for leak in facts.leaks
    ]
    reached = own["reached"].to_numpy()
    ours = (
        _number((~hidden["is_sessions"]).sum()), _number(len(own)), _number((reached < 1 - _SAME).sum()),
        _number((~own["width_ok"]).sum()),
    )  # fmt: skip
    yield Table(
        "methods", "The same attack on simpler methods", "Counts of pupils of this very release, the same small ones hidden",
        columns, (*rows, Row("This release", ours, emphasis=True)), _SOURCE,
        ("The simpler methods are never used for a page; where there are many small counts, an even sample is tried.",),
    )  # fmt: skip


# --- pages refused, the gate, other releases, digests ------------------------------------------------------------------------


def _refused(facts: AuditFacts) -> Iterable[Block]:
    if facts.refused:
        yield Paragraph("Nothing of these pages is in the release. The reason says what may help.")
        said = (f"{report.replace('_', ' ').capitalize()}, {area}: {says}" for report, area, says in facts.refused)
        yield Findings(tuple(said))


def _gate(facts: AuditFacts) -> Iterable[Block]:
    if not facts.checks:
        yield Paragraph("No page of this release has been through the gate.")
        return
    columns = (
        Column("Page", align="left"), Column("Result", align="left"), Column("Findings"), Column("Self-test", align="left"),
    )  # fmt: skip
    rows = tuple(
        Row(
            check.page,
            (
                _text("refused" if check.findings else "passed"), _number(len(check.findings)),
                _text(check.self_test or "none noted"),
            ),
            section=_audience(check),
        )
        for check in facts.checks[:MOST_NAMED]
    )  # fmt: skip
    more = len(facts.checks) - MOST_NAMED
    notes = (f"{_many(more, 'more page is', 'more pages are')} not named here.",) if more > 0 else ()
    yield Table("gate", "What the gate said", "", columns, rows, "The gate's own record.", notes)
    refused: list[Finding] = [finding for check in facts.checks for finding in check.findings]
    if refused:
        yield Findings(tuple(dict.fromkeys(map(str, refused[:MOST_NAMED]))), "Why pages were refused")


def _audience(check: GateResult) -> str:
    return "Pages for partners" if check.audience == PARTNER else "Pages for the authority's own staff"


def _elsewhere(facts: AuditFacts) -> Iterable[str]:
    shown, hidden, changed = facts.earlier
    if not any(facts.earlier):
        yield "No earlier release of this restricted folder has any of these figures."
    else:
        yield (
            f"{_many(shown, 'figure has', 'figures have')} the value an earlier release showed, so that readers know it;"
            f" {_many(hidden, 'was', 'were')} hidden by one and stay so;"
            f" {_many(changed, 'has', 'have')} changed by so few pupils since one showed it that it is hidden now."
        )
    known = int((facts.cells["status"] == KNOWN).sum())
    if facts.published:
        yield (
            f"{_many(facts.published, 'figure is', 'figures are')} published by the Department for Education and known to"
            f" everybody; {_many(known, 'is', 'are')} shown as known. None of them can hide another figure."
        )
    else:
        yield "No figure of the release is known from published statistics that were given."
    away = int(facts.hidden["from_known"].sum())
    if away:
        yield (
            f"{_many(away, 'hidden figure can', 'hidden figures can')} be worked out from published statistics alone. Hiding"
            " more here would not change that."
        )


def _digests(facts: AuditFacts) -> Iterable[Block]:
    pairs = [("Policy", facts.policy.digest), ("Release", facts.release_id)]
    pairs += [(f"Input: {name}", digest) for name, digest in facts.inputs[:MOST_NAMED]]
    pairs += [
        (f"{_audience(check)}: {check.page}/{name}", digest)
        for check in facts.checks[:MOST_NAMED]
        for name, digest in check.files
        if name == "index.html"
    ]
    yield Paragraph(
        "A digest (SHA-256) changes with a single byte. With it anybody can see that a file, or the policy, is the one this"
        " audit is about."
    )
    yield _pairs("file-digests", "Digests", "What", "SHA-256", pairs)
