"""How charts look: the palette in two themes, and drawings as small, safe, theme-aware SVG.

Charts are drawn with matplotlib's object interface; ``pyplot`` is never imported, because it keeps global
state that a kernel forked from a warmed-up parent would share.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as MplFigure
from matplotlib.font_manager import get_font
from matplotlib.ft2font import LoadFlags

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Role -> colour in the light and in the dark theme. Series colours are the Analysis Function's in its order;
#: the dark set is apart because the light one vanishes on black. ``t1`` to ``t4`` are the series colours
#: for text, dark (or light) enough for a contrast of 4.5 to the page. ``heat-a`` to ``heat-e`` are grounds of the cells of
#: heat tables, under text in ink.
PALETTE: dict[str, tuple[str, str]] = {
    "page": ("#ffffff", "#14181b"),
    "panel": ("#f3f4f8", "#1f262b"),
    "ink": ("#0b0c0c", "#f2f4f5"),
    "muted": ("#484949", "#c0c5c9"),
    "line": ("#b1b4b6", "#4a5257"),
    "grid": ("#d9dbdd", "#30373b"),
    "axis": ("#6b6e70", "#8b9499"),
    "link": ("#1d5a96", "#8ec5ff"),
    "head": ("#12436e", "#0f3557"),
    "focus": ("#ffdd00", "#ffdd00"),
    "others": ("#6b6e71", "#9aa1a6"),
    "s1": ("#12436d", "#3d99f5"),
    "s2": ("#28a197", "#c5fcee"),
    "s3": ("#801650", "#d65c99"),
    "s4": ("#f46a25", "#e0b285"),
    "t1": ("#12436c", "#6db3f8"),
    "t2": ("#176b64", "#c5fcef"),
    "t3": ("#801651", "#e57fb0"),
    "t4": ("#a33f0c", "#e0b286"),
    "heat-a": ("#eef4f9", "#1b262f"),
    "heat-b": ("#d3e4f1", "#1a3348"),
    "heat-c": ("#b0cee6", "#1a4361"),
    "heat-d": ("#86b3d9", "#1b537c"),
    "heat-e": ("#5c98cb", "#1e6398"),
}

_BY_COLOUR = {light: role for role, (light, _) in PALETTE.items()}

#: What the page asks for. Charts are laid out with the wider DejaVu metrics, so the text always fits.
FONT_STACK = 'Arial, "Liberation Sans", Helvetica, sans-serif'

#: Widths, in CSS pixels, at which each figure is drawn: beside the contents list, and on a phone.
WIDE, NARROW = 720, 328

#: Dash pattern and marker of each series, beside its colour: at most four are told apart.
DASHES: tuple[Any, ...] = ("solid", (0, (6, 2.5)), (0, (1.8, 1.8)), (0, (8, 2.5, 1.8, 2.5)))
MARKERS = ("o", "s", "^", "D")
MAX_SERIES = 4

_RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "svg.fonttype": "none",
    "svg.hashsalt": "attendance-toolkit",
    "svg.id": None,
    "path.simplify": False,
    "axes.unicode_minus": True,
    "savefig.dpi": "figure",
    "text.usetex": False,
}

SVG_NAMESPACE = "http://www.w3.org/2000/svg"
_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"


def colour(role: str) -> str:
    """Return the light colour of a role, which the SVG turns into a CSS variable.

    >>> colour("s1")
    '#12436d'
    """
    return PALETTE[role][0]


def css_variables(theme: str = "light") -> str:
    """Return the palette as CSS custom properties.

    >>> css_variables("dark").split(";")[0]
    '--page:#14181b'
    """
    index = 0 if theme == "light" else 1
    return ";".join(f"--{role}:{values[index]}" for role, values in PALETTE.items())


@cache
def _advance(character: str, bold: bool) -> float:
    """Return the advance width of a character at size 1, from the font bundled with matplotlib."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    font = get_font([str(mpl.get_data_path()) + "/fonts/ttf/" + name])
    font.set_size(64, 72)
    return font.load_char(ord(character), flags=LoadFlags.NO_HINTING).linearHoriAdvance / 65536 / 64


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide a line of text is in pixels, the same on every machine.

    >>> 60 < text_width("Secondary", 13) < 75
    True
    """
    return sum(_advance(character, bold) for character in text) * size


def wrap_text(text: str, size: float, width: float, *, bold: bool = False) -> list[str]:
    """Break text between words so that each line is at most ``width`` pixels wide, where words allow.

    >>> wrap_text("Any other ethnic group", 13, 90)
    ['Any other', 'ethnic group']
    """
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size, bold=bold) <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines or [""]


def spread(positions: Iterable[float], gap: float, low: float, high: float) -> list[float]:
    """Move label positions apart, as little as possible, so that neighbours are ``gap`` apart and none leaves
    the range.

    >>> spread([10, 11, 50], 12, 0, 100)
    [4.5, 16.5, 50.0]
    """
    wanted = list(positions)
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    # Pool neighbours that would overlap: each block keeps the mean of what its members wanted.
    blocks: list[tuple[float, int]] = []  # (centre of the block, members)
    for index in order:
        centre, size = float(wanted[index]), 1
        centre = min(max(centre, low), high)
        while blocks and centre - (size - 1) * gap / 2 < blocks[-1][0] + (blocks[-1][1] - 1) * gap / 2 + gap:
            before, members = blocks.pop()
            centre = (before * members + centre * size) / (members + size)
            size += members
            half = (size - 1) * gap / 2
            centre = min(max(centre, low + half), max(high - half, low + half))
        blocks.append((centre, size))
    placed = [centre + (k - (size - 1) / 2) * gap for centre, size in blocks for k in range(size)]
    result = [0.0] * len(wanted)
    for index, position in zip(order, placed, strict=True):
        result[index] = position
    return result


class Canvas:
    """A drawing surface measured in CSS pixels from the top left corner.

    ``top`` and ``bottom`` are extra room above and below, outside the drawing's own height.
    """

    def __init__(self, width: float, height: float, *, top: float = 0, bottom: float = 0) -> None:
        self.width = width
        self.height = height
        self._top = top
        self._total = top + height + bottom
        self.figure = MplFigure(figsize=(width / 72, self._total / 72), dpi=72)
        self.figure.patch.set_visible(False)

    def axes(self, left: float, top: float, width: float, height: float, *, ticks: bool = True) -> Axes:
        """Return plain axes at a place: no frame, no background, quiet ticks.

        Without ``ticks`` nothing but what is drawn appears, which takes a third less time.
        """
        bottom = self._total - self._top - top - height
        box = (left / self.width, bottom / self._total, width / self.width, height / self._total)
        axes = self.figure.add_axes(box)
        axes.patch.set_visible(False)
        if not ticks:
            axes.set_axis_off()
            return axes
        for side in axes.spines.values():
            side.set_visible(False)
        axes.tick_params(colors=colour("axis"), labelcolor=colour("ink"), labelsize=14, length=4, width=1, pad=4)
        axes.set_axisbelow(True)
        return axes

    def text(self, x: float, y: float, text: str, *, size: float = 14, role: str = "ink", **options: Any) -> None:
        """Write a line of text at a place."""
        place = 1 - (self._top + y) / self._total
        self.figure.text(x / self.width, place, text, fontsize=size, color=colour(role), **options)


Paint = Callable[[Canvas], None]


def drawing_svg(paint: Paint, width: float, height: float, *, prefix: str) -> str:
    """Return what ``paint`` draws as one ``<svg>`` element for a page.

    ``prefix`` makes the ids inside unique on the page.
    """
    with mpl.rc_context(_RC):
        canvas = Canvas(width, height)
        paint(canvas)
        out = io.StringIO()
        FigureCanvasSVG(canvas.figure).print_svg(
            out, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    return clean_svg(out.getvalue(), prefix=prefix)


def figure_svg(
    draw: Callable[[Axes, float], None],
    width: float,
    height: float = 300,
    *,
    prefix: str,
    margins: tuple[float, float, float, float] = (48, 120, 12, 32),
) -> str:
    """Return one chart as SVG: ``draw`` gets axes and the width, ``margins`` are left, right, top, bottom."""

    def paint(canvas: Canvas) -> None:
        left, right, top, bottom = margins
        draw(canvas.axes(left, top, width - left - right, height - top - bottom), width)

    return drawing_svg(paint, width, height, prefix=prefix)


def drawing_png(
    paint: Paint, width: float, height: float, *, title: str = "", subtitle: str = "", source: str = ""
) -> bytes:
    """Return the drawing as PNG with its title and source, for JupyterLab."""
    heads = [(line, 15, "bold") for line in wrap_text(title, 15, width - 20, bold=True) if line]
    heads += [(line, 12, "normal") for line in wrap_text(subtitle, 12, width - 20) if line]
    feet = wrap_text(f"Source: {source}", 11, width - 20) if source else []
    top = 20 * len(heads) + 10
    with mpl.rc_context(_RC):
        canvas = Canvas(width, height, top=top, bottom=16 * len(feet) + 12)
        canvas.figure.patch.set_visible(True)
        canvas.figure.patch.set_facecolor(colour("page"))
        paint(canvas)
        for index, (line, size, weight) in enumerate(heads):
            canvas.text(10, 20 * (index + 1) - top, line, size=size, weight=weight)
        for index, line in enumerate(feet):
            canvas.text(10, height + 16 * (index + 1), line, size=11)
        canvas.figure.set_dpi(144)
        out = io.BytesIO()
        FigureCanvasAgg(canvas.figure).print_png(out, metadata={"Software": None})
    return out.getvalue()


# --- SVG for a page -----------------------------------------------------------------------------------------

_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_URL = re.compile(r"url\(#([^)]+)\)")
_FONT = re.compile(r"^(?:(?P<style>italic|oblique) )?(?:(?P<weight>bold|\d00) )?(?P<size>[\d.]+)px")
#: A path that only moves the pen draws nothing.
_DRAWS = re.compile(r"[LCQ]")
_DEFAULTS = {"stroke-linejoin": "miter", "stroke-linecap": "butt", "text-anchor": "start"}
_KEPT_ATTRIBUTES = ("d", "x", "y", "width", "height", "href", "transform", "clip-path", "style")


def clean_svg(svg: str, *, prefix: str) -> str:
    """Return matplotlib's SVG fit to stand inside a page.

    Taken out: prologue, comments (they repeat every text), metadata, the style sheet (it would apply to the
    whole page), ids nothing refers to, fonts. Colours of the palette become CSS variables, the remaining ids
    get the prefix, numbers one decimal.
    """
    # The text comes from matplotlib in this very process; there is nobody to distrust.
    root = ET.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", svg, count=1))  # noqa: S314
    used: dict[str, str] = {}
    for element in root.iter():
        href = element.get(_XLINK_HREF, "")
        names = [href[1:]] if href.startswith("#") else []
        names += [name for value in element.attrib.values() for name in _URL.findall(value)]
        for name in names:
            used.setdefault(name, f"{prefix}-{len(used) + 1}")
    box = " ".join(_short(part) for part in root.get("viewBox", "0 0 100 100").split())
    _, _, width, height = box.split()
    inner = "".join(_element(child, used) for child in root)
    start = f'<svg xmlns="{SVG_NAMESPACE}" viewBox="{box}" width="{width}" height="{height}" role="img">'
    return f"{start}{inner}</svg>"


def _short(number: str) -> str:
    """Return a number with at most one decimal.

    >>> _short("12.3456"), _short("7.0"), _short("-0.01")
    ('12.3', '7', '0')
    """
    text = f"{round(float(number), 1):g}"
    return "0" if text == "-0" else text


def _short_numbers(text: str) -> str:
    return _NUMBER.sub(lambda match: _short(match[0]), text)


def _element(element: ET.Element, used: Mapping[str, str]) -> str:
    tag = element.tag.rpartition("}")[2]
    if tag in ("metadata", "style", "title"):
        return ""
    marks = element.get("id", "")
    inner = "".join(_element(child, used) for child in element)
    if tag == "text":
        inner = escape("".join(element.itertext()), quote=False)
    if tag in ("g", "defs", "text") and not inner:
        return ""
    attributes = _attributes(element, used)
    if marks.startswith("tip:"):
        # Browsers show a <title> when the pointer rests on its mark.
        inner = f"<title>{escape(marks[4:], quote=False)}</title>{inner}"
        attributes = {}
    elif marks.startswith("class:"):
        attributes = {"class": marks[6:], **attributes}
    elif tag == "g" and not attributes:
        return inner
    if tag == "path" and not _DRAWS.search(attributes.get("d", "")):
        return ""
    written = "".join(f' {name}="{escape(value, quote=True)}"' for name, value in attributes.items())
    return f"<{tag}{written}>{inner}</{tag}>" if inner else f"<{tag}{written}/>"


def _attributes(element: ET.Element, used: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    name = element.get("id", "")
    if name in used:
        found["id"] = used[name]
    href = element.get(_XLINK_HREF, "")
    if href.startswith("#"):
        found["href"] = f"#{used[href[1:]]}"
    for key in _KEPT_ATTRIBUTES:
        value = element.get(key)
        if value is None:
            continue
        if key == "style":
            found.update(_style(value, used))
        elif key == "clip-path":
            found[key] = _URL.sub(lambda match: f"url(#{used[match[1]]})", value)
        elif key == "transform" and value.startswith(("rotate(-0 ", "rotate(0 ")):
            continue
        else:
            found[key] = _short_numbers(" ".join(value.split()))
    if "d" in found:
        found["d"] = re.sub(r" ?([MLCQZz]) ?", r"\1", found["d"])
    return found


def _style(style: str, used: Mapping[str, str]) -> dict[str, str]:
    """Return a style attribute shortened, fonts as attributes."""
    found: dict[str, str] = {}
    kept: list[str] = []
    for part in style.split(";"):
        name, _, value = (piece.strip() for piece in part.partition(":"))
        if not name or _DEFAULTS.get(name) == value:
            continue
        if name == "font":
            match = _FONT.match(value)
            if match:
                found["font-size"] = _short(match["size"])
                if match["weight"] and match["weight"] not in ("400", "normal"):
                    found["font-weight"] = "bold"
            continue
        if name in ("font-size", "font-weight", "text-anchor"):
            found[name] = value.removesuffix("px")
            continue
        if name == "font-family":
            continue
        value = _URL.sub(lambda match: f"url(#{used[match[1]]})", value)
        role = _BY_COLOUR.get(value.lower())
        kept.append(f"{name}:{f'var(--{role},{value})' if role else _short_numbers(value)}")
    if kept:
        found["style"] = ";".join(kept)
    return found
