"""Pupils followed, on synthetic pupils: every figure against SQL and plain pandas on the store, adding up, and cleared."""

from __future__ import annotations

import json
import re

import duckdb
import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import SurvfuncRight
from statsmodels.stats.proportion import proportion_confint

import attendance_toolkit as at
from attendance_toolkit.deepdives.longitudinal_flows import LongitudinalFlows
from attendance_toolkit.deepdives.longitudinal_paths import LongitudinalPaths
from attendance_toolkit.deepdives.longitudinal_persistence import side_words
from attendance_toolkit.disclosure.gate import check_csv, check_page, evidence_for
from attendance_toolkit.disclosure.release import Release
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import MIME, Figure, Notice, Result, Table
from attendance_toolkit.reporting.exporter import collect_outputs
from attendance_toolkit.vocabulary.outcomes import (
    AFTER,
    BANDS,
    IN_A_BAND,
    JOINED,
    NOT_AFTER,
    NOT_BEFORE,
    TEN_BEFORE,
    TEN_OR_MORE,
    TERM_STEPS,
    YEAR_TO_YEAR,
)
from tests.unit.disclosure.gate.pages import MARKDOWN, page_mode
from tests.unit.presentation.examples import code, make_head, notebook

IRWELL_BANK = "E08900009"
SEVERE = BANDS[-1]
TEN = BANDS[2:]
MAIN = ("Primary", "Secondary", "Special")
TERMS = ("autumn", "spring", "summer")
NEVER_KNOWN = {"fsm_eligible": "Not known to be FSM eligible", "sen_provision": "No SEN"}
TABLES = ("flows", "recoveries", "moves", "trajectories")
BLOCKS = (
    "flow_notice", "flow_figure", "flow_table", "roll_table", "persistence_sentences", "persistence_table",
    "group_persistence_table", "term_flow_figure", "term_persistence_table", "recovery_sentences", "recovery_table",
    "moves_sentences", "moves_table", "path_sentences", "path_table", "path_figure", "path_by_group_table",
)  # fmt: skip
IDS = 12


class Page(LongitudinalFlows, LongitudinalPaths):
    """The parts on pupils followed as a page of their own, with their own tables alone."""

    @classmethod
    def declared(cls):
        return {name: table for name, table in super().declared().items() if name in TABLES}


def open_page(store, **more):
    return Page(at.open_inputs(**{"area": "Irwell Bank", "academic_year": "2023/24", "store": str(store), **more}))


@pytest.fixture(scope="module")
def page(synthetic_store):
    return open_page(synthetic_store)


@pytest.fixture(scope="module")
def internal(synthetic_store):
    return open_page(synthetic_store, audience="internal")


def periods(store, terms):
    """Return one row a pupil and period on a roll of Irwell Bank: DfE's rules in SQL, the school with most sessions."""
    path = f"{store}/pupil_term/**/*.parquet"
    per = "academic_year, term" if terms else "academic_year"
    held = "any_value(la_code) la_code, any_value(phase) phase, any_value(nc_year) nc_year, any_value(sex) sex,"
    held += " any_value(fsm_eligible) fsm_eligible, any_value(sen_provision) sen_provision"
    rows = duckdb.sql(f"""
        WITH r AS (SELECT *, NOT is_boarder AND sessions_possible > 0 AND NOT (age = 15 AND half_term = '6')
                   AND sessions_authorised + sessions_unauthorised <= sessions_possible AS counts
                   FROM read_parquet('{path}', hive_partitioning = false) WHERE age BETWEEN 5 AND 15),
             y AS (SELECT upn, laestab, academic_year FROM r WHERE counts AND half_term <> '6' GROUP BY ALL),
             e AS (SELECT upn, laestab, {per}, {held}, sum(sessions_possible) p,
                   sum(sessions_authorised + sessions_unauthorised) a FROM r SEMI JOIN y USING (upn, laestab, academic_year)
                   WHERE counts GROUP BY upn, laestab, {per} QUALIFY count(*) OVER (PARTITION BY laestab, {per}) >= 6),
             o AS (SELECT upn, laestab, {per}, {held}, 0 p, 0 a FROM r ANTI JOIN e USING (upn, laestab, {per})
                   GROUP BY upn, laestab, {per})
        SELECT * FROM e UNION ALL BY NAME SELECT * FROM o""").df()
    rows["at"] = rows["academic_year"] // 100
    if terms:
        rows["at"] = rows["at"] * 3 + rows["term"].map({term: number for number, term in enumerate(TERMS)})
    here = rows[rows["la_code"] == IRWELL_BANK].sort_values(["p", "laestab"], ascending=[False, True], kind="stable")
    found = here.drop_duplicates(["upn", "at"]).set_index(["upn", "at"])
    sums = here.groupby(["upn", "at"])[["p", "a"]].sum()
    found[["p", "a"]] = sums.reindex(found.index)
    share = found["a"] / found["p"].where(found["p"] > 0)
    band = pd.cut(share, [0, 0.05, 0.1, 0.2, 0.5, 2], right=False, labels=list(BANDS)).astype(object)
    found["band"] = band.where(found["p"] >= (20 if terms else 50), "few")
    for name, level in NEVER_KNOWN.items():
        found[name] = found[name].replace("Unknown", level)
    return found.reset_index()


@pytest.fixture(scope="module")
def years(synthetic_store):
    return periods(synthetic_store, terms=False)


@pytest.fixture(scope="module")
def terms(synthetic_store):
    return periods(synthetic_store, terms=True)


def joined(frame, at):
    """Return pupils with a band in the period before or in this one: (before, after), groups of the later, else the earlier."""
    names = ["band", "phase", "nc_year", "sex", "fsm_eligible", "sen_provision", "laestab"]
    before, after = (frame[frame["at"] == one].set_index("upn")[names] for one in (at - 1, at))
    found = before.join(after, how="outer", suffixes=("_before", "_after"))
    for name in names[1:]:
        found[name] = found[f"{name}_after"].where(found[f"{name}_after"].notna(), found[f"{name}_before"])
    is_in = found[["band_before", "band_after"]].isin(BANDS)
    return found[is_in.any(axis=1) & found["phase"].isin(MAIN)].assign(
        held=is_in["band_before"], now=is_in["band_after"]
    )


@pytest.fixture(scope="module")
def last(years):
    return joined(years, 2023)


def count(record):
    assert record["symbol"] == ""
    return record["numerator"]


def test_matrix_equals_a_crosstab_of_the_store(internal, last):
    for before in BANDS:
        here = last[last["band_before"] == before]
        assert count(internal.flow(before, "All")) == len(here)
        for after in BANDS:
            assert count(internal.flow(before, after)) == (here["band_after"] == after).sum()
        assert count(internal.flow(before, NOT_AFTER)) == (~here["now"]).sum()


def test_every_pupil_is_in_the_matrix_came_to_it_or_went(internal, last):
    held, new, everybody = (count(internal.flow(name, "All")) for name in (IN_A_BAND, NOT_BEFORE, "All"))
    assert (held, new, everybody) == (last["held"].sum(), (~last["held"]).sum(), len(last))
    assert held + new == everybody
    gone = sum(count(internal.flow(IN_A_BAND, name)) for name in AFTER[len(BANDS) :])
    assert gone == count(internal.flow(IN_A_BAND, NOT_AFTER)) == (~last["now"]).sum()
    came = [internal.flow(name, "All") for name in ("Reached age 5", "From another district", JOINED)]
    assert sum(map(count, came)) == new
    assert internal.rolls.rows["numerator"].tolist() == [last["now"].sum()]


def test_the_notice_says_a_sum_that_holds(internal):
    text = internal.flow_notice().text
    numbers = [
        int(number.replace(",", ""))
        for number in re.findall(r"(?<![\d/])\d[\d,]*(?= (?:pupils|of them|others|had))", text)
    ]
    before, gone, new, after = numbers
    assert before - gone + new == after


def test_thresholds_by_school_type_and_group_equal_pandas(internal, last):
    groups = [({"phase": phase}, last["phase"] == phase) for phase in MAIN]
    groups += [
        ({"characteristic": name, "level": level}, last[name] == level)
        for name in ("fsm_eligible", "sen_provision", "sex")
        for level in last[name].unique()
    ]
    for group, chosen in groups:
        here = last[chosen & last["held"]]
        for before, part in ((TEN_OR_MORE, here[here["band_before"].isin(TEN)]), (IN_A_BAND, here)):
            assert count(internal.flow(before, "All", **group)) == len(part)
            for after, is_after in ((TEN_OR_MORE, part["band_after"].isin(TEN)), (NOT_AFTER, ~part["now"])):
                if len(part):
                    assert count(internal.flow(before, after, **group)) == is_after.sum()


def test_term_steps_equal_pandas(internal, terms):
    steps = [one for one in internal.flow_steps if one[0] in TERM_STEPS]
    assert len(steps) == 8
    for step, year in steps:
        at = year // 100 * 3 + {"Autumn to spring": 1, "Spring to summer": 2, "Summer to autumn": 0}[step]
        both = joined(terms, at)
        both = both[both["held"] & both["now"]]
        assert count(internal.flow(IN_A_BAND, "All", step=step, year=year)) == len(both)
        ten = both[both["band_before"].isin(TEN)]
        assert count(internal.flow(TEN_OR_MORE, TEN_OR_MORE, step=step, year=year)) == ten["band_after"].isin(TEN).sum()
    assert (
        count(internal.flow(SEVERE, BANDS[0], step=step, year=year))
        == ((both["band_before"] == SEVERE) & (both["band_after"] == BANDS[0])).sum()
    )


@pytest.mark.parametrize(("threshold", "bands"), [(TEN_OR_MORE, TEN), (SEVERE, (SEVERE,))])
def test_persistence_exit_and_entry_are_shares_of_pupils_with_two_bands(internal, last, threshold, bands):
    both = last[last["held"] & last["now"]]
    was, is_now = both["band_before"].isin(bands), both["band_after"].isin(bands)
    for measure, part, whole in (
        ("persistence_rate", was & is_now, was), ("exit_rate", was & ~is_now, was), ("entry_rate", ~was & is_now, ~was),
    ):  # fmt: skip
        record = internal.share(threshold, measure)
        assert (record["numerator"], record["denominator"]) == (part.sum(), whole.sum())
        interval = proportion_confint(part.sum(), whole.sum(), method="wilson")
        assert (record["lower"], record["upper"]) == pytest.approx(interval, abs=1e-9)


def test_origins_are_of_everybody_at_the_threshold_now(internal, last):
    rows = internal.origins.rows.set_index(["threshold", "origin"])["rate"]
    for threshold, bands in ((TEN_OR_MORE, TEN), (SEVERE, (SEVERE,))):
        here = last[last["band_after"].isin(bands)]
        was = here["band_before"].isin(bands)
        wanted = [was.mean(), (here["held"] & ~was).mean(), (~here["held"]).mean()]
        assert rows[threshold].tolist() == pytest.approx(wanted)


def entries(terms, bands):
    """Return (terms until below the threshold, or seen; whether recovered) of each pupil's first step to it, one by one."""
    found = []
    for _, pupil in terms.groupby("upn"):
        band, phase = (dict(zip(pupil["at"], pupil[name], strict=True)) for name in ("band", "phase"))
        for period in sorted(band):
            known = band[period] in BANDS and band.get(period - 1) in BANDS
            if not (known and band[period] in bands and band[period - 1] not in bands):
                continue
            seen, recovered = 0, False
            while band.get(period + seen + 1) in BANDS and not recovered:
                seen += 1
                recovered = band[period + seen] not in bands
            if phase[period] in MAIN:
                found.append((seen, recovered))
            break
    return pd.DataFrame(found, columns=["seen", "recovered"])


@pytest.mark.parametrize(("threshold", "bands"), [(TEN_OR_MORE, TEN), (SEVERE, (SEVERE,))])
def test_recovery_is_that_of_pupils_looked_at_one_by_one(internal, terms, threshold, bands):
    each = entries(terms, bands)
    rows = internal.recoveries.select(threshold=threshold).rows.set_index("outcome")["numerator"]
    assert rows["All"] == len(each)
    assert rows["Recovered after 1 term"] == (each["recovered"] & (each["seen"] == 1)).sum()
    assert rows["No later term seen"] == (each["seen"] == 0).sum()
    assert rows.drop("All").sum() == len(each)
    # statsmodels' Kaplan-Meier estimate, from the pupils; those not seen at all are at risk of nothing.
    each = each[each["seen"] > 0]
    curve = SurvfuncRight(each["seen"], each["recovered"].astype(int))
    for since in (1, 2):
        record = internal._recovered_lookup(threshold=threshold, terms_since=since)
        survival, error = curve.surv_prob[since - 1], curve.surv_prob_se[since - 1]
        half = 1.959964 * error / (survival * abs(np.log(survival)))
        assert record["rate"] == pytest.approx(1 - survival)
        assert record["lower"] == pytest.approx(1 - survival ** np.exp(-half), abs=1e-6)
        assert record["upper"] == pytest.approx(1 - survival ** np.exp(half), abs=1e-6)


def test_moves_leave_out_year_7_and_equal_pandas(internal, last):
    both = last[last["held"] & last["now"] & (last["nc_year_after"] != "7")]
    stayed = both["laestab_before"] == both["laestab_after"]
    for move, here in (("Same school", both[stayed]), ("Changed school", both[~stayed])):
        assert count(internal._move(move, "All", 202324)) == len(here)
        assert count(internal._move(move, TEN_BEFORE, 202324)) == here["band_before"].isin(TEN).sum()
        assert count(internal._move(move, TEN_OR_MORE, 202324)) == here["band_after"].isin(TEN).sum()
    assert "Changed school and district" not in set(internal.moves.rows["move"])


def test_partners_see_rounded_counts_of_ten_and_more(page, internal):
    for name in TABLES:
        shown, exact = (getattr(one, name).rows for one in (page, internal))
        counts = shown.loc[shown["symbol"] == "", "numerator"].dropna()
        assert len(counts)
        assert (counts % 5 == 0).all()
        assert ((counts >= 10) | (counts == 0)).all()
        small = exact["numerator"].between(0, 9) & exact["measure"].str.endswith("_rate") & (exact["symbol"] == "")
        assert (shown.loc[small, "symbol"] == "c").all()


def test_what_is_hidden_hides_what_is_made_of_it(page):
    hidden = [
        group
        for group in page.persistence.rows.to_dict("records")
        if page.flow(
            group["threshold"], group["threshold"], step=group["step"], year=group["academic_year"], phase=group["phase"],
            characteristic=group["characteristic"], level=group["level"],
        )["symbol"] == "c"
    ]  # fmt: skip
    assert hidden
    assert {row["symbol"] for row in hidden} == {"c"}


def test_a_release_of_a_district_and_the_whole_area_clears(synthetic_store):
    release = None
    for area in ("Greater Weirdale", "Irwell Bank", "Aldermoor"):
        page = open_page(synthetic_store, area=area)
        release = release or Release(page.inputs.policy)
        page.add_to(release, "longitudinal")
    # A pupil who moves between the two leaves one, joins the other, and is followed on in both together.
    assert release.clear(audit=False).table("longitudinal", IRWELL_BANK, "flows").rows["symbol"].eq("").any()


def test_every_block_is_made_from_pupil_level_data(page):
    made = [getattr(page, name)() for name in BLOCKS]
    assert not [block for block in made if isinstance(block, Notice) and block.title == "Not available"]
    assert all(json.loads(json.dumps(block._repr_mimebundle_()[0][MIME])) for block in made)
    ids = [block.id for block in made if isinstance(block, (Table, Figure))]
    assert len(ids) == len(set(ids)) == IDS
    assert all(len(block.columns) <= 8 for block in made if isinstance(block, Table))


def test_published_files_say_once_that_pupils_cannot_be_followed(shared):
    bands = shared / "data" / "real" / "absence_bands_la_year_group"
    page = Page(at.open_inputs(area="Trafford", academic_year="2022/23", published=[str(bands)]))
    made = [getattr(page, name)() for name in BLOCKS]
    notices = [block for block in made if isinstance(block, Notice)]
    assert [notice.title for notice in notices] == ["Not available"]
    assert all(isinstance(block, Result) for block in made if block not in notices)
    for name in TABLES:
        with pytest.raises(NoDataError) as raised:
            page.exact(name)
        assert not any(character.isdigit() for character in str(raised.value))


def test_one_year_alone_is_followed_from_term_to_term(synthetic_store):
    page = open_page(synthetic_store, academic_year="2021/22", audience="internal")
    assert page.flow_notice().title == "Not available"
    assert isinstance(page.flow_table(), Result)
    assert isinstance(page.persistence_table(), Result)
    assert [row.header for row in page.term_persistence_table().rows][:2] == [
        "Autumn to spring 2021/22",
        "Spring to summer 2021/22",
    ]
    assert isinstance(page.path_table(), Notice)
    assert page.derived()


def test_the_page_passes_the_gate(page):
    tables = page._tables
    derived = Page(page.inputs, tables).derived()
    with page_mode():
        made = [getattr(Page(page.inputs, tables), name)() for name in BLOCKS]
        outputs = collect_outputs(
            notebook(code(*(one for one in made if not isinstance(one, Result))), head=make_head())
        )
    words = ("Aldermoor", "E90000001", "attendance@example.org", "Numbers below 10 are hidden.", "Irwell Bank")
    cleared = [tables.table(name) for name in TABLES]
    evidence = evidence_for(cleared, outputs, words=words, texts=MARKDOWN, derived=derived)
    assert [str(finding) for finding in check_page(outputs.html, evidence)] == []
    assert not [one for text in outputs.tables.values() for one in check_csv(text, evidence)]
    # The same page is refused if nobody derived its figures.
    assert check_page(outputs.html, evidence_for(cleared, outputs, words=words, texts=MARKDOWN))


def test_words_are_no_surer_than_the_interval():
    gap = {"rate": 0.02, "symbol": "", "lower": -0.01, "upper": 0.05}
    assert side_words(gap, "more", "less") == "not clearly different from"
    assert side_words({**gap, "rate": -0.02, "lower": -0.05, "upper": -0.01}, "more", "less") == "clearly less than"


def test_persistence_title_and_sentence_say_the_cleared_figure(internal):
    record = internal.share(TEN_OR_MORE, "persistence_rate", step=YEAR_TO_YEAR)
    said = f"{100 * record['rate']:.1f}%"
    assert said in internal.flow_figure().title
    assert said in internal.persistence_sentences().sentences[0]
