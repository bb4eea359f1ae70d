"""The notebook runs from the first cell to the last, on a small run, and draws every figure it promises."""

from pathlib import Path

import made_up
import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "benchmarks" / "notebooks" / "analysis.ipynb"
TRAINED = {
    "model": "sparse-vector",
    "grid": {"N": [8, 16], "d": [3], "m": {"start": 2, "stop": 12}, "teachers": 3, "replicas": 8},
    "dynamics": {"sweeps": 32},
}


def executed(folder, tmp_path, bootstrap=100):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    [parameters] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    parameters.source = f"folder = {str(folder)!r}\nbootstrap = {bootstrap}"
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=500, resources=resources).execute()  # raises if a cell does
    return notebook


def shown(notebook, kind):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"][kind] for output in outputs if kind in output.get("data", {})]


def printed(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    return "".join(output["text"] for output in outputs if output["output_type"] == "stream")


@pytest.mark.slow
def test_it_goes_from_dataset_to_figures(tmp_path):
    notebook = executed(made_up.run_folder(tmp_path / "run"), tmp_path)
    assert len(shown(notebook, "image/png")) == 9
    text = printed(notebook)
    assert "95% interval" in text
    assert "{'d': 5} order: " in text


@pytest.mark.slow
def test_it_does_so_for_a_run_that_was_trained(tmp_path):
    from mbsim.running import runner

    runner.run(TRAINED, tmp_path / "run")
    assert "{'d': 3} order: " in printed(executed(tmp_path / "run", tmp_path))
