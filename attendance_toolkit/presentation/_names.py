"""Names beside points, so that they cover neither each other nor, as far as possible, points."""

from __future__ import annotations

from collections.abc import Sequence

from attendance_toolkit.presentation.charting import LINE, Box


def free_place(
    at: tuple[float, float],
    room: tuple[float, float],
    taken: Sequence[Box],
    marks: Sequence[tuple[float, float]],
    within: tuple[float, float],
) -> Box | None:
    """Return left, top, width and height for a name: the nearest place that covers the least.

    None where every place near the point would cover another name.

    Parameters
    ----------
    at
        The point, in pixels from the left and the top of the plot.
    room
        Width and height of the name.
    taken
        Places of other names.
    marks
        All points.
    within
        Width and height of the plot, which a name leaves only for want of any other place.

    >>> free_place((50, 50), (40, 10), [], [(50, 50)], (200, 100))
    (58, 45.0, 40, 10)
    >>> free_place((50, 50), (40, 10), [(58, 45, 40, 10)], [(50, 50)], (200, 100))
    (2, 45.0, 40, 10)
    """
    (x, y), (width, height) = at, room
    shifts = sorted(range(-8, 9), key=abs)
    every = (
        (left, y - height / 2 + shift * (LINE - 3), width, height)
        for shift in shifts
        for left in (x + 8, x - 8 - width, x - width / 2)
        if shift or left != x - width / 2
    )
    places = [place for place in every if not any(_overlap(place, other) for other in taken)]

    def cost(place: Box) -> tuple[bool, int]:
        left, top, wide, tall = place
        is_out = left < 0 or top < 0 or left + wide > within[0] or top + tall > within[1]
        covered = sum(left - 4 < a < left + wide + 4 and top - 3 < b < top + tall + 3 for a, b in marks)
        return is_out, covered

    # Of places that cover the same the first is the nearest.
    return min(places, key=cost, default=None)


def _overlap(one: Box, other: Box) -> bool:
    """Return whether two texts touch, the room between lines included."""
    (left, top, width, height), (x, y, wide, tall) = one, other
    return left < x + wide + 3 and x < left + width + 3 and top < y + tall + 1 and y < top + height + 1
