from __future__ import annotations

import nbformat
import pytest

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.reporting.params import check_parameters, notebook_parameters


def write(path, *cells):
    book = nbformat.v4.new_notebook()
    for source, tags in cells:
        book.cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": tags}))
    nbformat.write(book, path)
    return path


@pytest.fixture
def notebook(tmp_path):
    source = 'area: str = "Trafford"  # name of an area\ncapacity: int = 10  # how many pupils\n'
    return write(tmp_path / "01_example.ipynb", (source, ["parameters"]))


def test_parameters_are_read_with_type_default_and_help(notebook):
    found = notebook_parameters(notebook)["capacity"]
    assert (found.type_name, found.default, found.help) == ("int", 10, "how many pupils")


def test_right_parameters_pass(notebook):
    assert check_parameters(notebook, {"area": "Bury", "capacity": 3}) == {"area": "Bury", "capacity": 3}


def test_misspelt_parameter_is_named_with_the_nearest(notebook):
    with pytest.raises(
        ParameterError, match=r"no parameter 'capcity'. Did you mean 'capacity'\? It has: area, capacity."
    ):
        check_parameters(notebook, {"capcity": 3})


@pytest.mark.parametrize(("name", "value"), [("capacity", "3"), ("area", 358), ("capacity", True), ("area", None)])
def test_wrong_type_is_refused_with_the_help(notebook, name, value):
    with pytest.raises(ParameterError, match=rf"parameter '{name}': .* is of type {type(value).__name__}"):
        check_parameters(notebook, {name: value})


def test_cell_of_another_form_is_refused(tmp_path):
    path = write(tmp_path / "01_bad.ipynb", ("area = 'Bury'", ["parameters"]))
    with pytest.raises(ParameterError, match=r"line 1: write each parameter as 'name: type = value'"):
        notebook_parameters(path)


def test_notebook_without_parameters_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="exactly one cell tagged 'parameters'; it has 0"):
        notebook_parameters(write(tmp_path / "01_none.ipynb", ("1 + 1", [])))
