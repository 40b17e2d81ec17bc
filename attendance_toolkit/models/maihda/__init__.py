"""Multilevel analysis of individual heterogeneity and discriminatory accuracy (MAIHDA) of strata.

Strata are the crossings of pupils' characteristics. A null model says how much they differ, a main-effects model how
much of that the characteristics explain one by one; what is left is interaction. Sources: Evans, Williams, Onnela and
Subramanian (2018), Social Science and Medicine 203, 64; Merlo (2018), the same, 74.
"""

from attendance_toolkit.models.maihda.accuracy import strata_auc
from attendance_toolkit.models.maihda.bootstrap import proportional_change
from attendance_toolkit.models.maihda.design import Design, main_effects_design
from attendance_toolkit.models.maihda.fit import MaihdaFit, fit_maihda
from attendance_toolkit.models.maihda.measures import latent_vpc, median_odds_ratio, response_vpc
from attendance_toolkit.models.maihda.strata import StratumEstimates, predict_strata

__all__ = [
    "Design",
    "MaihdaFit",
    "StratumEstimates",
    "fit_maihda",
    "latent_vpc",
    "main_effects_design",
    "median_odds_ratio",
    "predict_strata",
    "proportional_change",
    "response_vpc",
    "strata_auc",
]
