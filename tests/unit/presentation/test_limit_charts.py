"""Control charts and funnels: signals, limits and names, against planted values and closed formulas."""

from __future__ import annotations

import itertools
import math
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance_toolkit.errors import DisclosureError, ReportError, UnknownColumnError
from attendance_toolkit.models import control_chart as model
from attendance_toolkit.presentation import figures
from attendance_toolkit.presentation._names import free_place
from attendance_toolkit.presentation.formats import measure_format
from attendance_toolkit.presentation.funnel_charts import _Curves, _place
from attendance_toolkit.presentation.limit_charts import SIGNALS
from attendance_toolkit.presentation.style import NARROW, WIDE, text_width
from tests.unit.presentation.examples import (
    SCHOOLS,
    YEARS,
    course,
    limits_at,
    make_limit_figures,
    protected,
    row,
    schools,
)

WORDS = {"title": "Headline", "subtitle": "Measure, place, period"}
LIMITS = {"centre": 0.0716, "lower": 0.06, "upper": 0.0832}


def control(table=None, **options):
    table = course() if table is None else table
    options = {"x": "term", "year": "academic_year", **LIMITS, **options}
    return figures.control_chart(table, id="f", **WORDS, **options)


def yearly(values, **options):
    rows = [row("overall_absence_rate", v, academic_year=y) for v, y in zip(values, YEARS, strict=False)]
    return figures.control_chart(protected(rows), id="f", **WORDS, **{**LIMITS, **options})


def texts_of(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def marks(svg: str, role: str) -> int:
    return len(re.findall(rf'<use [^>]*style="fill:var\(--{role},', svg))


@pytest.mark.parametrize("figure", make_limit_figures(), ids=lambda f: f.id)
def test_charts_of_courses_and_limits_are_drawn_twice_with_words_and_data(figure):
    assert f'viewBox="0 0 {WIDE} ' in figure.svg_wide
    assert f'viewBox="0 0 {NARROW} ' in figure.svg_narrow
    assert "Synthetic data" in figure.svg_wide
    assert "Synthetic data" in figure.svg_narrow
    assert "1 value is hidden to protect small numbers." in figure.alt
    assert figure.data.rows
    again = next(f for f in make_limit_figures() if f.id == figure.id)
    assert again.document() == figure.document()
    # No text smaller than 12 pixels at the width of a phone.
    assert min(float(size) for size in re.findall(r'font-size="([\d.]+)"', figure.svg_narrow)) >= 12


# -- control charts -----------------------------------------------------------------------------------------


def test_the_lines_are_named_at_their_ends_with_their_figures():
    texts = texts_of(control().svg_wide)
    assert {"Mean 7.2%", "Upper limit 8.3%", "Lower limit 6.0%"} <= set(texts)


def test_a_published_example_is_drawn_with_its_limits():
    """NHSRplotthedots, vignette on deviations: mean 1.94, limits -3.06 and 6.95, the fifth point beyond them."""
    values = [1, 2, 1, 2, 10, *[1, 2] * 6, 1]
    chart = model.xmr(values)
    weeks = [f"Week {chr(97 + n)}" for n in range(len(values))]
    table = protected([row("mean_sessions_missed", float(v), week=w) for v, w in zip(values, weeks, strict=True)])
    signals = {
        rule: [week for week, is_on in zip(weeks, flags, strict=True) if is_on] for rule, flags in chart.signals.items()
    }
    figure = figures.control_chart(
        table, id="f", x="week", centre=chart.centre, lower=chart.lower, upper=chart.upper, signals=signals, **WORDS
    )
    lines = {r.header: r.cells[0].value for r in figure.data.rows if r.section == "Lines"}
    assert lines == pytest.approx({"Upper limit": 6.95, "Mean": 1.94}, abs=0.005)
    assert "The lower limit lies below 0 and is not drawn." in figure.notes
    assert "Beyond the limits (squares): Week e." in figure.notes
    assert marks(figure.svg_wide, "s3") == sum(chart.is_signal)


def test_the_rules_are_those_of_the_model():
    assert list(SIGNALS) == [model.BEYOND, model.RUNS, model.TRENDS, model.TWO_OF_THREE]
    assert len({rule.marker for rule in SIGNALS.values()}) == len(SIGNALS)


def test_signals_have_shapes_of_their_own_and_are_named_in_stretches():
    terms = [(year, term) for year in YEARS for term in ("Autumn", "Spring", "Summer")]
    figure = control(signals={"run of 7": terms[:8], "beyond limits": [(202223, "Spring"), terms[0]]})
    said = " ".join(figure.notes)
    assert "Beyond the limits (squares): Autumn 2017/18 and Spring 2022/23." in said
    # The first term has the shape of the rule before, and is named with both; no stretch goes across a gap.
    run = (
        "In a run of seven or more values on one side of the mean (triangles): Autumn 2017/18 to Summer 2018/19 and"
        " Autumn 2020/21 to Spring 2020/21."
    )
    assert run in said
    assert said.count("(squares)") == 1
    assert run in figure.alt
    assert (marks(figure.svg_wide, "s3"), marks(figure.svg_wide, "s1")) == (9, 9)
    shapes = {
        figure.svg_wide.split(f'id="{name}"')[0][-400:] for name in re.findall(r'<use href="#([^"]+)"', figure.svg_wide)
    }
    assert len(shapes) == 3
    first = next(r for r in figure.data.rows if r.header == "Autumn 2017/18")
    assert first.cells[1].text == f"beyond the limits; {SIGNALS['run of 7'].words}"


def test_no_signal_is_said_too():
    assert "No value is a signal of a change." in control().notes


def test_a_signal_at_a_hidden_value_is_refused():
    hidden = (201819, "Summer")
    with pytest.raises(DisclosureError, match="not shown"):
        control(course(hidden=hidden), signals={"run of 7": [hidden]})


def test_an_unknown_rule_or_position_is_refused():
    with pytest.raises(ReportError, match=r"'peak' is no rule\. Use one of: beyond limits"):
        control(signals={"peak": [(202223, "Spring")]})
    with pytest.raises(ReportError, match="no position"):
        control(signals={"beyond limits": [(201920, "Spring")]})


def test_a_year_without_values_breaks_the_line_once():
    figure = control()
    path = re.search(r'<path d="([^"]+)" style="fill:none;stroke:var\(--others', figure.svg_wide)[1]
    # Two strokes, before and after 2019/20; 18 points in all.
    assert (path.count("M"), path.count("L")) == (2, 16)
    assert "There are no figures for 2019/20, so the lines break there." in figure.notes


def test_years_can_be_marked():
    plain, figure = control(), control(marked_years=[202021])
    assert "Shaded though there are values: 2020/21 (the pandemic)." in figure.notes
    assert figure.svg_wide.count("--panel") == plain.svg_wide.count("--panel") + 3
    assert "Shaded" not in " ".join(control(marked_years=[201516]).notes)


def test_trial_limits_are_said_in_the_subtitle_and_at_the_lines():
    figure = yearly([0.07, 0.072, 0.069, 0.071, 0.073, 0.07], is_trial=True)
    assert figure.subtitle == "Measure, place, period. Trial limits, from fewer than 12 values"
    assert "Upper trial limit 8.3%" in texts_of(figure.svg_wide)
    assert figure.data.rows[0].header == "2017/18"


def test_a_lower_limit_below_zero_is_drawn_only_where_it_can_be_reached():
    assert "The lower limit lies below 0 and is not drawn." in yearly([0.07] * 6, lower=-0.01).notes
    rows = [{"measure": "overall_absence_rate_change", "rate": 0.01, "academic_year": year} for year in YEARS]
    figure = figures.control_chart(protected(rows), id="f", centre=0.01, lower=-0.02, upper=0.04, **WORDS)
    assert "Lower limit −2.0 pp" in texts_of(figure.svg_wide)


def test_texts_of_the_axis_do_not_meet():
    """Measured at the width of a phone, with the widths the layout counts with."""
    svg = control().svg_narrow
    found = re.findall(r'<text [^>]*?x="([\d.]+)"[^>]*>(20\d\d/\d\d)</text>', svg)
    assert len(found) >= 2
    places = sorted((float(x), text_width(text, 14)) for x, text in found)
    assert all(b[0] - a[0] >= (a[1] + b[1]) / 2 for a, b in itertools.pairwise(places))


def test_a_control_chart_needs_rows():
    with pytest.raises(ReportError, match="no rows to draw"):
        control(course().select(term="Winter"))


# -- funnels ------------------------------------------------------------------------------------------------

SIZES = range(100, 1700, 25)


def funnel(table=None, limits=None, **options):
    options = {"category": "school", "centre": ("All schools", 0.2), **options}
    table = schools() if table is None else table
    limits = limits_at(SIZES) if limits is None else limits
    return figures.funnel_chart(table, limits, id="f", **WORDS, **options)


def position(figure, name: str) -> str:
    return next(r.cells[2].shown for r in figure.data.rows if r.header == name)


def test_points_are_judged_by_the_limits_at_their_size():
    figure = funnel()
    for name, (_, z) in SCHOOLS.items():
        far, out = abs(z) > 3.09, abs(z) > 1.96
        expected = "outside the 99.8% limits" if far else "outside the 95% limits" if out else "within the 95% limits"
        assert position(figure, name) == expected
    assert "3 points lie outside the 95% limits. 1 of these lies outside the 99.8% limits." in figure.alt
    assert [marks(figure.svg_wide, role) for role in ("others", "s1", "s3")] == [3, 2, 1]


@given(size=st.floats(100, 1600), z=st.floats(-4.5, 4.5))
def test_between_the_sizes_given_the_verdict_is_that_of_the_formula(size, z):
    """Oracle: the closed formula of the limits, at a size the frame does not have."""
    if min(abs(abs(z) - 1.96), abs(abs(z) - 3.09)) < 0.01:
        return
    one = {**row("persistent_absence_rate", 0.2 + z * math.sqrt(0.16 / size), school="A"), "denominator": size}
    curves = _Curves.of(limits_at(SIZES), measure_format("persistent_absence_rate"), "f")
    found, excess = _place(one["rate"] * 100, curves.at(size, "f"), 20.0)
    assert found == (2 if abs(z) > 3.09 else 1 if abs(z) > 1.96 else 0)
    assert excess == pytest.approx(abs(z) / 1.96, abs=0.01)


def test_a_hidden_school_is_no_point_but_stands_in_the_table():
    figure = funnel(schools(hidden="Oak"), label="label")
    assert "Oak" not in figure.svg_wide + figure.alt
    assert [c.shown for c in next(r for r in figure.data.rows if r.header == "Oak").cells] == ["c", "c", "z"]
    assert "1 value is hidden to protect small numbers." in figure.notes
    assert "Funnel chart of 5 points." in figure.alt


def test_rows_stand_by_name_whatever_order_they_came_in():
    table = schools()
    backwards = table.with_rows(table.rows.iloc[::-1])
    assert [r.header for r in funnel(table).data.rows] == sorted(SCHOOLS)
    assert funnel(table).document() == funnel(backwards).document()


def test_only_points_with_a_label_are_named():
    texts = texts_of(funnel(label="label").svg_wide)
    assert {"Oak School", "Yew School", "Bay School"} <= set(texts)
    assert not {"Elm School", "Elm", ""} & set(texts)
    assert "School" not in " ".join(texts_of(funnel(centre=("All", 0.2)).svg_wide))


def test_at_most_eight_points_are_named_those_farthest_outside():
    rows = [
        {
            **row("persistent_absence_rate", 0.2 + 0.01 * n, school=f"School {chr(65 + n)}"),
            "denominator": 400,
            "label": f"School {chr(65 + n)}",
        }
        for n in range(12)
    ]
    figure = funnel(protected(rows), label="label")
    names = {text for text in texts_of(figure.svg_wide) if text.startswith("School")}
    assert names == {f"School {chr(65 + n)}" for n in range(4, 12)}
    assert len([text for text in texts_of(figure.svg_narrow) if text.startswith("School")]) == 4
    assert any(note.startswith("At most 8 points are named, on a narrow screen 4") for note in figure.notes)


@given(
    points=st.lists(
        st.tuples(st.floats(0, 300), st.floats(0, 250), st.floats(20, 140), st.sampled_from([15.0, 32.0])),
        min_size=1,
        max_size=8,
    )
)
def test_names_never_overlap(points):
    taken = []
    for x, y, width, height in points:
        place = free_place((x, y), (width, height), taken, [(p[0], p[1]) for p in points], (300, 250))
        if place is not None:
            taken.append(place)
    assert taken
    for (x, y, w, h), (x2, y2, w2, h2) in itertools.combinations(taken, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_changes_have_a_funnel_around_their_centre():
    limits = limits_at(SIZES)
    limits[limits.columns[1:]] -= 0.21
    rows = [
        {"measure": "persistent_absence_rate_change", "rate": rate, "school": name, "pupils": 400.0}
        for name, rate in (("A", -0.09), ("B", 0.0), ("C", -0.02))
    ]
    figure = funnel(protected(rows), limits, centre=("All schools", -0.01), size="pupils")
    assert [position(figure, name) for name in "ABC"] == [
        "outside the 99.8% limits", "within the 95% limits", "within the 95% limits",
    ]  # fmt: skip
    assert "Centre line: All schools, −1.0 pp." in figure.alt
    assert "All schools −1.0 pp" in texts_of(figure.svg_wide)


def test_limits_that_do_not_reach_to_a_point_are_refused():
    with pytest.raises(ReportError, match="do not reach to every point"):
        funnel(limits=limits_at(range(100, 1500, 25)))


def test_limits_need_their_columns():
    with pytest.raises(UnknownColumnError, match="need the columns upper998"):
        funnel(limits=limits_at(SIZES).drop(columns="upper998"))
    with pytest.raises(UnknownColumnError, match="need the columns n, lower95"):
        funnel(limits=pd.DataFrame())


def test_a_funnel_of_hidden_points_can_be_drawn():
    table = schools()
    rows = table.rows.assign(symbol="c")
    rows[["numerator", "denominator", "rate", "lower", "upper"]] = float("nan")
    figure = funnel(table.with_rows(rows), label="label")
    assert "Funnel chart of 0 points." in figure.alt
    assert "No point lies outside the 95% limits." in figure.alt
    with pytest.raises(ReportError, match="no rows to draw"):
        funnel(schools().select(school="Nobody"))
