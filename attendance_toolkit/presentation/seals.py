"""The seal of a drawing: proof that our own chart function drew it, from a protected table, in this very run.

A picture cannot be read for numbers as a sentence can, so the gate lets through only drawings it knows. The runner makes
a random key for each run and hands it to the kernels; the chart function seals what it draws, and the exporter refuses a
drawing whose seal is missing or wrong.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from attendance_toolkit.errors import DisclosureError

#: Key of the run, hexadecimal or any other text. Without it drawings carry no seal: JupyterLab needs none.
SEAL_VARIABLE = "ATTENDANCE_SEAL"


def seal_of(*drawings: str, key: str | None = None) -> str:
    """Return the seal of drawings as hexadecimal text (HMAC-SHA256); empty without a key.

    >>> seal_of("<svg/>", key="")
    ''
    >>> seal_of("<svg/>", key="k") == seal_of("<svg/>", key="k") != seal_of("<svg />", key="k")
    True
    """
    key = os.environ.get(SEAL_VARIABLE, "") if key is None else key
    if not key:
        return ""
    digest = hmac.new(key.encode("utf-8"), digestmod=hashlib.sha256)
    for drawing in drawings:
        raw = drawing.encode("utf-8")
        # The length goes first, so that no two lists of drawings are the same bytes.
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


def check_seal(seal: str, *drawings: str, name: str, key: str | None = None) -> None:
    """Check a seal, if the run has a key.

    Raises
    ------
    DisclosureError
        The drawings are not those that were sealed, or were never sealed.
    """
    wanted = seal_of(*drawings, key=key)
    if wanted and not hmac.compare_digest(wanted, seal):
        raise DisclosureError(
            f"Figure '{name}' was not drawn by the toolkit's chart functions, so it cannot be shown."
            " Make it with attendance_toolkit.presentation.figures."
        )


__all__ = ["SEAL_VARIABLE", "check_seal", "seal_of"]
