"""Why a rate differs between two years or several areas: mix against rates, pupils who came and went, each unit's part.

Sources: Kitagawa (1955), Journal of the American Statistical Association 50, 1168; Das Gupta (1993), Standardization and
Decomposition of Rates, US Bureau of the Census, P23-186. Every decomposition adds up to the change exactly. It says what
moved together, not what caused it.
"""

from attendance_toolkit.models.decomposition.cells import (
    CrossClassified,
    RateParts,
    StandardisedCells,
    cross_classified,
    kitagawa,
    standardise_cells,
    structure_factors,
)
from attendance_toolkit.models.decomposition.products import (
    function_effects,
    product_effects,
    standardise_functions,
    standardise_products,
)
from attendance_toolkit.models.decomposition.resampled import DecompositionInterval, decomposition_interval
from attendance_toolkit.models.decomposition.units import Turnover, contributions, is_paradox, turnover

__all__ = [
    "CrossClassified",
    "DecompositionInterval",
    "RateParts",
    "StandardisedCells",
    "Turnover",
    "contributions",
    "cross_classified",
    "decomposition_interval",
    "function_effects",
    "is_paradox",
    "kitagawa",
    "product_effects",
    "standardise_cells",
    "standardise_functions",
    "standardise_products",
    "structure_factors",
    "turnover",
]
