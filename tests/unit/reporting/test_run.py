"""The runner on small notebooks of the test's own: what lands, what does not, and what a failure says."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import nbformat
import papermill
import pytest

from attendance_toolkit.disclosure.policy import SHARED
from attendance_toolkit.errors import ParameterError
from attendance_toolkit.reporting import run as runner
from attendance_toolkit.reporting.catalogue import NotebookEntry
from attendance_toolkit.reporting.kernels import can_fork
from attendance_toolkit.reporting.restricted import is_restricted

PARAMETERS = """area: str = "Aldermoor"  # name of an area
academic_year: str = "2023/24"  # the year
audience: str = "partner"  # partner or internal
report_date: str = ""  # date
fails: str = ""  # how to fail
"""
HEAD = """from attendance_toolkit.presentation.blocks import PageHead, Paragraph, Result
from attendance_toolkit.errors import NoDataError
PageHead("School attendance", "A test page", (("Area", area),), True, (("Made on", report_date),), "example", "E08900001", area, 202324)
"""
BODY = """assert fails != "assert", "A801200001001 Surname"
if fails == "ours":
    raise NoDataError("There is no data for 2023/24. It holds: 2021/22.")
if fails == "print":
    print("loose output")
Paragraph(f"Absence in {area} was counted.")
"""
# A figure no release has cleared: the gate lets it stand on pages of the authority's own staff only.
RESULT = 'Result(({"id": "a", "measure": "overall_absence_rate", "rate": 0.0712345678901 if audience == "internal" else None},))'


@pytest.fixture
def entry(tmp_path):
    book = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    book.cells = [
        nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(HEAD),
        nbformat.v4.new_markdown_cell("## What was counted"),
        nbformat.v4.new_code_cell(BODY),
        nbformat.v4.new_code_cell(RESULT),
    ]
    path = tmp_path / "01_example.ipynb"
    nbformat.write(book, path)
    return NotebookEntry("example", "01", path)


def job(entry, area="Aldermoor", **more):
    return runner.Job(
        entry, area, {"area": area, "academic_year": "2023/24", **more}, ({"name": "x.csv", "sha256": "0" * 64},)
    )


def run(jobs, out, **more):
    return runner.run_jobs(jobs, out, **more).outcomes


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(params=[True, False], ids=["forked kernel", "papermill's own kernel"])
def fork(request):
    if request.param and not can_fork():
        pytest.skip("this system cannot fork")
    return request.param


def test_page_result_and_manifest_land(entry, tmp_path, fork):
    (outcome,) = run([job(entry)], tmp_path / "out", fork=fork, today=date(2026, 1, 2))
    assert outcome.error == ""
    folder = tmp_path / "out" / "aldermoor" / "2023-24" / "example"
    assert outcome.page == folder / "index.html"
    assert "Absence in Aldermoor was counted." in outcome.page.read_text()
    assert json.loads((folder / "result.json").read_text())[0]["rate"] is None
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["made_on"] == "2026-01-02"
    assert manifest["files"]["index.html"] == runner.sha256_of(folder / "index.html")
    assert str(tmp_path) not in outcome.page.read_text() + json.dumps(manifest)


def test_running_again_gives_the_same_bytes_even_on_another_day(entry, tmp_path):
    run([job(entry)], tmp_path / "out", today=date(2026, 1, 2))
    before = files(tmp_path / "out")
    run([job(entry)], tmp_path / "out", today=date(2026, 3, 4))
    assert files(tmp_path / "out") == before


def test_one_area_fails_the_other_lands_and_nothing_is_half_written(entry, tmp_path):
    out = tmp_path / "out"
    run([job(entry)], out)
    before = {name: data for name, data in files(out).items() if name.startswith("aldermoor")}
    outcomes = run([job(entry, fails="assert"), job(entry, "Denholme")], out)
    assert [bool(o.page) for o in outcomes] == [False, True]
    kept = {name: data for name, data in files(out).items() if name.startswith("aldermoor")}
    assert kept == before
    assert not list(out.rglob(".new-*"))


def test_internal_page_goes_to_the_restricted_folder_alone(entry, tmp_path):
    (outcome,) = run([job(entry, audience="internal")], tmp_path / "out")
    assert outcome.page == tmp_path / "out-restricted" / "pages" / "aldermoor" / "2023-24" / "example" / "index.html"
    assert not (tmp_path / "out").exists()


def test_a_policy_may_name_the_restricted_folder_and_a_run_another(tmp_path):
    policy = replace(SHARED, restricted_folder=str(tmp_path / "inside"))
    run([], tmp_path / "out", policy=policy)
    assert is_restricted(tmp_path / "inside")
    run([], tmp_path / "out", policy=policy, restricted=tmp_path / "other")
    assert is_restricted(tmp_path / "other")
    assert not (tmp_path / "out-restricted").exists()


def test_a_figure_nobody_cleared_is_refused_on_a_partner_page(entry, tmp_path):
    book = nbformat.read(entry.path, as_version=4)
    book.cells[3].source = 'Paragraph("Of them 7 pupils were never there.")'
    nbformat.write(book, entry.path)
    (outcome,) = run([job(entry)], tmp_path / "out")
    assert outcome.page is None
    assert "refused by the gate" in outcome.error
    assert "7" not in outcome.error.replace("2026", "")
    assert not (tmp_path / "out").exists()


def test_failure_says_where_and_never_what_the_data_said(entry, tmp_path):
    (outcome,) = run([job(entry, fails="assert")], tmp_path / "out")
    assert outcome.error.startswith("01_example.ipynb, cell 4: AssertionError")
    assert "A801200001001" not in outcome.error
    assert "Surname" not in outcome.error


def test_our_own_errors_keep_their_sentence(entry, tmp_path):
    (outcome,) = run([job(entry, fails="ours")], tmp_path / "out")
    assert outcome.error == "There is no data for 2023/24. It holds: 2021/22."


def test_loose_output_is_refused(entry, tmp_path):
    (outcome,) = run([job(entry, fails="print")], tmp_path / "out")
    assert outcome.page is None
    assert "loose output" not in outcome.error
    assert not (tmp_path / "out").exists() or not files(tmp_path / "out")


def test_misspelt_parameter_stops_before_anything_runs(entry, tmp_path):
    with pytest.raises(ParameterError, match="Did you mean 'fails'"):
        run([job(entry), job(entry, "Denholme", fail="")], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not can_fork(), reason="this system cannot fork")
def test_forked_kernel_gives_the_outputs_of_plain_papermill(entry, tmp_path, monkeypatch):
    # A fast way to run is only worth having if the cells say the same.
    monkeypatch.setenv("ATTENDANCE_OUTPUT", "page")
    parameters = job(entry).parameters
    runner.start_fork_server()
    fast = runner.execute(entry.path, parameters, tmp_path, fork=True)
    plain = papermill.execute_notebook(entry.path, tmp_path / "plain.ipynb", parameters=parameters, progress_bar=False)
    assert [c.get("outputs") for c in fast.cells] == [c.get("outputs") for c in plain.cells]


@pytest.mark.skipif(not can_fork(), reason="this system cannot fork")
def test_forked_kernels_share_no_state_and_leave_no_process(entry, tmp_path):
    book = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    book.cells = [
        nbformat.v4.new_code_cell(
            "import attendance_toolkit.vocabulary as v, os\nseen = getattr(v, 'mark', 'nothing')\n"
            "v.mark = 'left over'\n(seen, os.getpid())"
        )
    ]
    path = tmp_path / "02_state.ipynb"
    nbformat.write(book, path)
    runner.start_fork_server()
    texts = []
    for _ in range(2):
        done = runner.execute(path, {}, tmp_path, fork=True)
        texts.append(done.cells[0].outputs[0]["data"]["text/plain"])
    assert all("nothing" in text for text in texts)
    pids = [int(text.split(",")[1].strip(" )")) for text in texts]
    assert pids[0] != pids[1]
    assert os.getpid() not in pids
    if sys.platform == "linux":
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
