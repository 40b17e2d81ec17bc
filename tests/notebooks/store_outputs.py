"""Make the notebooks from their text twins and store the outputs of the cells with headline numbers.

    python tests/notebooks/store_outputs.py

Run it after a change of a notebook's text twin (notebooks/*.py) or of its headline numbers, and read the
difference: the stored outputs are what ``pytest --nbval-lax notebooks`` compares.
"""

from __future__ import annotations

from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"


def main() -> None:
    for twin in sorted(FOLDER.glob("*.py")):
        notebook = jupytext.read(twin)
        NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
        for number, cell in enumerate(notebook.cells):
            # Ids that do not change from run to run.
            cell["id"] = f"cell-{number:02d}"
            if cell.cell_type != "code":
                continue
            cell.metadata.pop("execution", None)
            # nbval compares a cell only if it has a count.
            if "keep_output" not in cell.metadata.get("tags", []):
                cell.outputs = []
                cell.execution_count = None
        notebook.metadata = {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "jupytext": {"formats": "ipynb,py:percent"},
        }
        nbformat.write(notebook, twin.with_suffix(".ipynb"))
        print(twin.with_suffix(".ipynb").name)  # noqa: T201


if __name__ == "__main__":
    main()
