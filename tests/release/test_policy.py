"""A policy is a file somebody answers for; no notebook can weaken it, and what one smuggles onto a page is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from attendance_toolkit.errors import AttendanceError
from attendance_toolkit.reporting.catalogue import NotebookEntry, find_notebook
from attendance_toolkit.reporting.params import check_parameters
from attendance_toolkit.reporting.run import Job, run_jobs
from tests.release.conftest import attendance

APPROVED = 'approver = "A. Officer"\napproved_on = 2026-01-31\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('profile = "dfe"\n', r"policy\.toml: .*approver"),
        ('profile = "dfe"\napprover = "A. Officer"\n', "approved_on"),
        (f'profile = "shared"\nthreshold = 4\n{APPROVED}', r"policy\.toml, threshold: 4 is not allowed"),
        (
            f'profile = "shared"\ntreshold = 12\n{APPROVED}',
            "'treshold' is not a key of a policy.*Did you mean 'threshold'",
        ),
        (f'profile = "shared"\nthreshold = "12"\n{APPROVED}', "threshold: '12' is not allowed. Give a whole number"),
        (f'profile = "internal"\n{APPROVED}', "profile: 'internal' is not allowed"),
        ("threshold = \n", "this is not TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_policy_that_will_not_do_stops_the_run(planted, tmp_path, text, says):
    """Before anything is made: one sentence, exit status 8, and no folder."""
    path = tmp_path / "policy.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    answer = attendance(
        "report", "overview", "--area", "Irwell Bank", "--year", "2023/24", "--store", planted.store,
        "--out", tmp_path / "out", "--key", planted.key, "--policy", path,
    )  # fmt: skip
    assert answer.exit_code == 8, answer.output
    assert re.search(says, answer.output), answer.output
    assert "Traceback" not in answer.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["policy", "threshold", "rounding", "width", "profile"])
def test_a_notebook_has_no_parameter_for_it(name):
    with pytest.raises(AttendanceError, match="has no parameter"):
        check_parameters(find_notebook("overview").path, {name: 5})


# --- notebooks that try --------------------------------------------------------------------------------------------

#: Reads the store itself and counts something of it.
_READ = """
import pandas as pd
from pathlib import Path
paths = [path for path in Path(store).rglob("*.parquet") if "pupil" in str(path)]
held = 613 + len(pd.concat(map(pd.read_parquet, paths))) % 97
"""
_INTERNAL = """
from dataclasses import replace
from attendance_toolkit.disclosure.policy import INTERNAL
page = at.Overview(replace(at.open_inputs(area=area, academic_year=academic_year, store=store), policy=INTERNAL))
"""
_AUDIENCE = """
page = at.Overview(at.open_inputs(area=area, academic_year=academic_year, store=store, audience="internal"))
"""
_BLOCKS = (
    "from attendance_toolkit.presentation.blocks import Notice\nfrom attendance_toolkit.vocabulary.ledger import *\n"
)
NOT_A_BLOCK, GATE = "shows something that is not a block", "refused by the gate"
#: What a notebook tries -> code, where it stands (before the page is shown, or after), and what it is told.
TRICKS = {
    "a policy of its own": (_INTERNAL, 2, GATE),
    "another audience": (_AUDIENCE, 2, "OFFICIAL-SENSITIVE|audience|refused by the gate"),
    "a sentence": (f"{_READ}{_BLOCKS}Notice(f'There are {{held}} of them.')", None, GATE),
    "a plain table": (f"{_READ}pd.read_parquet(paths[0]).head()", None, NOT_A_BLOCK),
    "a print": (f"{_READ}print('severely absent:', held)", None, "wrote to stdout"),
    "markup": (f"{_READ}from IPython.display import HTML\nHTML(f'<p>{{held}}</p>')", None, NOT_A_BLOCK),
    "markdown": (f"{_READ}from IPython.display import Markdown\nMarkdown(f'{{held}}')", None, NOT_A_BLOCK),
    "a plot": (
        "import matplotlib.pyplot as plt\nfig, axes = plt.subplots()\naxes.set_title('613 pupils')\nfig", None, NOT_A_BLOCK
    ),
    "a noted number": (f"{_READ}{_BLOCKS}Notice(f'There are {{note(str(held), held)}} of them.')", None, GATE),
    "a phrase": (f"{_READ}{_BLOCKS}Notice(phrase(f'{{held}} pupils', 'pupils'))", None, r"ValueError, ledger\.py"),
}  # fmt: skip


def tricked(folder: Path, source: str, place: int | None) -> NotebookEntry:
    """Return a copy of the overview with one more cell, by default at its end."""
    own = find_notebook("overview")
    notebook = nbformat.read(own.path, as_version=4)
    notebook.cells.insert(len(notebook.cells) if place is None else place, new_code_cell(source))
    path = folder / own.path.name
    nbformat.write(notebook, path)
    return replace(own, path=path)


@pytest.fixture(scope="module")
def refused(planted, tmp_path_factory) -> Iterator[dict[str, tuple[str, Path]]]:
    """Each notebook that tries, run as reports are: what the run said of it, and where its page would be."""
    folder = tmp_path_factory.mktemp("tricks")
    found = {}
    jobs = []
    for number, (source, place, _) in enumerate(TRICKS.values()):
        (folder / str(number)).mkdir()
        parameters = {"area": "Irwell Bank", "academic_year": "2023/24", "store": str(planted.store)}
        jobs.append(Job(tricked(folder / str(number), source, place), "Irwell Bank", parameters))
    run = run_jobs(jobs, folder / "out", workers=2, key=planted.key)
    for name, outcome in zip(TRICKS, run.outcomes, strict=True):
        found[name] = (outcome.error, outcome.page)
    yield found
    assert not list((folder / "out").rglob("index.html"))


@pytest.mark.parametrize("name", TRICKS)
def test_a_notebook_that_tries_gets_no_page(refused, name):
    error, page = refused[name]
    assert page is None
    assert re.search(TRICKS[name][2], error), error
    assert not re.search(r"\b6\d\d\b", error), "the reason does not repeat the number"


def test_markup_among_the_notebooks_own_words_is_not_run(planted, tmp_path):
    """The Markdown of a notebook is its author's, but a script in it does not reach a page."""
    own = find_notebook("overview")
    notebook = nbformat.read(own.path, as_version=4)
    notebook.cells.append(new_markdown_cell("<script>document.title = 7</script>"))
    path = tmp_path / own.path.name
    nbformat.write(notebook, path)
    parameters = {"area": "Irwell Bank", "academic_year": "2023/24", "store": str(planted.store)}
    run = run_jobs([Job(replace(own, path=path), "Irwell Bank", parameters)], tmp_path / "out", key=planted.key)
    page = run.outcomes[0].page
    assert page is None or "<script" not in page.read_text(encoding="utf-8")


def test_internal_pages_do_not_go_where_partners_read(planted, tmp_path):
    """The restricted folder may be neither the partners' folder nor lie in it."""
    for inside in (tmp_path / "out", tmp_path / "out" / "inside"):
        answer = attendance(
            "report", "overview", "--area", "Irwell Bank", "--year", "2023/24", "--store", planted.store,
            "--out", tmp_path / "out", "--restricted", inside, "--key", planted.key, "--audience", "internal",
        )  # fmt: skip
        assert answer.exit_code == 8, answer.output
        assert not list(tmp_path.rglob("index.html"))
