from __future__ import annotations

import itertools
import re
import subprocess
import sys

import pytest

from attendance_toolkit.disclosure.shades import SHADES
from attendance_toolkit.presentation import style


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("role", ["ink", "muted", "link", "t1", "t2", "t3", "t4"])
@pytest.mark.parametrize("background", ["page", "panel"])
def test_text_has_contrast_4_5(theme, role, background):
    assert contrast(style.PALETTE[role][theme], style.PALETTE[background][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_on_shades_has_contrast_and_shades_are_told_apart(theme):
    grounds = [style.PALETTE[name][theme] for name in SHADES]
    assert min(contrast(style.PALETTE["ink"][theme], ground) for ground in grounds) >= 4.5
    steps = [luminance(ground) for ground in grounds]
    assert steps == sorted(steps, reverse=theme == 0)
    assert all(contrast(one, two) >= 1.1 for one, two in itertools.pairwise(grounds))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("role", ["s1", "s2", "s3", "s4", "others", "axis"])
def test_marks_have_contrast_3(theme, role):
    assert contrast(style.PALETTE[role][theme], style.PALETTE["page"][theme]) >= 3


def test_every_light_colour_belongs_to_one_role():
    lights = [light for light, _ in style.PALETTE.values()]
    assert len(set(lights)) == len(lights)


def draw(axes, width):
    axes.plot([0, 1], [0, 1], color=style.colour("s1"), clip_on=False)
    axes.plot([0], [0], marker="o", color=style.colour("s2"), gid="tip:Here & there", clip_on=False)
    axes.text(0.5, 0.5, "a < b", color=style.colour("t1"), weight="bold")


def test_svg_is_clean_and_the_same_every_time():
    svg = style.figure_svg(draw, 400, prefix="f")
    assert svg == style.figure_svg(draw, 400, prefix="f")
    for unwanted in ("<!--", "<style", "<metadata", "DejaVu", "<?xml", "xlink", "matplotlib"):
        assert unwanted not in svg
    assert "var(--s1,#12436d)" in svg
    assert "<title>Here &amp; there</title>" in svg
    assert "a &lt; b" in svg
    ids = re.findall(r' id="([^"]+)"', svg)
    used = set(re.findall(r'href="#([^"]+)"', svg))
    assert set(ids) == used
    assert all(name.startswith("f-") for name in ids)
    assert len(ids) == len(set(ids))


def test_pyplot_is_never_imported():
    code = (
        "import attendance_toolkit.presentation.figures, attendance_toolkit.reporting.exporter, sys;"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


@pytest.mark.parametrize("wanted", [[5, 5, 5, 5], [0, 100], [98, 99, 100], [50, 10, 30], [1, 2, 60, 61, 62]], ids=str)
def test_spread_labels_do_not_meet(wanted):
    placed = style.spread(wanted, 10, 0, 100)
    ordered = sorted(placed)
    assert all(b - a >= 10 - 1e-9 for a, b in itertools.pairwise(ordered))
    assert all(0 <= p <= 100 for p in placed)
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    assert [placed[i] for i in order] == ordered
