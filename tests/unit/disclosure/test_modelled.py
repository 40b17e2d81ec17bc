"""What is shown of a model together, and what never beside exact counts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure.modelled import hidden_together

ROWS = pd.DataFrame(
    {
        "measure": ["maihda_intercept", "maihda_coefficient", "maihda_coefficient", "maihda_sd", "maihda_intercept"],
        "model": ["main effects"] * 4 + ["null"],
        "area_code": "E08000003",
        "rate": 1.0,
    }
)


def hide(*rows, **options):
    hidden = np.isin(np.arange(len(ROWS)), rows)
    return hidden_together(ROWS, hidden, **options).tolist()


def test_one_hidden_coefficient_hides_all_of_its_model_alone():
    assert hide(2) == [True, True, True, False, False]
    assert hide(3) == [False, False, False, True, False]
    assert hide() == [False] * 5


def test_beside_exact_counts_no_coefficient_is_shown():
    assert hide(counts_are_exact=True) == [True, True, True, False, True]
