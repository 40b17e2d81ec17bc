"""Adjusted p values against the paper's own example, R's p.adjust and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from attendance_toolkit.models.multiplicity import benjamini_hochberg

#: Benjamini and Hochberg 1995, section 3.2.
PAPER = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1]  # fmt: skip


def test_the_papers_example():
    adjusted = benjamini_hochberg(PAPER)
    assert (adjusted <= 0.05).sum() == 4
    assert adjusted[:5] == pytest.approx([0.0015, 0.003, 0.0095, 0.035625, 0.0603])  # R p.adjust


def test_equals_scipy_in_any_order_and_shape():
    rng = np.random.default_rng(1)
    p = rng.uniform(size=200) ** 3
    p[10] = p[20]
    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p))
    assert benjamini_hochberg(p.reshape(20, 10)) == pytest.approx(false_discovery_control(p).reshape(20, 10))


def test_missing_values_are_no_part_of_the_family():
    adjusted = benjamini_hochberg([0.01, np.nan, 0.03, np.nan])
    assert adjusted[[0, 2]] == pytest.approx(false_discovery_control([0.01, 0.03]))
    assert np.isnan(adjusted[[1, 3]]).all()
    assert benjamini_hochberg([]).shape == (0,)


def test_what_is_no_p_value_is_refused():
    with pytest.raises(ValueError, match="below 0 or above 1"):
        benjamini_hochberg([0.2, 1.2])


def test_false_discoveries_stay_below_5_percent():
    """200 families of 40 tests, 8 of them of planted effects."""
    rng = np.random.default_rng(9)
    z = rng.normal(size=(200, 40))
    z[:, :8] += 3.2
    from scipy.stats import norm

    found = np.array([benjamini_hochberg(p) <= 0.05 for p in 2 * norm.sf(abs(z))])
    false = found[:, 8:].sum(axis=1) / np.maximum(found.sum(axis=1), 1)
    assert false.mean() < 0.055
    assert found[:, :8].mean() > 0.6
