"""The notebooks run, and their outputs are stored in them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "notebooks"
executed = runpy.run_path(str(ROOT / "scripts" / "run_notebooks.py"))["executed"]


def printed(notebook: nbformat.NotebookNode) -> str:
    """All text that the cells of a notebook print."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    return "".join(output.get("text", "") for output in outputs)


def words_of(text: str) -> list[str]:
    """The words of a text without predicted classes: another processor rounds otherwise."""
    return re.findall(r"[a-z_]{3,}", re.sub(r"→ \w+", "", text))


@pytest.fixture(scope="module", params=["train_and_look", "straight_through"])
def notebook(request: pytest.FixtureRequest) -> tuple[str, nbformat.NotebookNode, nbformat.NotebookNode]:
    path = FOLDER / f"{request.param}.ipynb"
    return request.param, nbformat.read(path, as_version=4), executed(path)


@pytest.mark.slow
def test_notebooks_show_what_they_do(notebook) -> None:
    name, stored, run = notebook
    text = printed(run)
    assert words_of(text) == words_of(printed(stored))
    if name == "train_and_look":
        accuracies = dict(re.findall(r"^(.+?) +(\d+\.\d)%", text, re.MULTILINE))
        assert float(accuracies["HS-LSTM"]) > 85 > float(accuracies["random"])
        assert re.search(r"^\[the\b.*\]  → negative", text, re.MULTILINE)
    else:
        bias = dict(re.findall(r"^(\w+) +(\d\.\d\d)  ", text, re.MULTILINE))
        assert float(bias["rloo"]) < 0.4 < 0.7 < float(bias["st_sigmoid"])
        climbed = re.findall(r"^(\w+) +expected reward (\S+) -> (\S+)", text, re.MULTILINE)
        gained = {estimator: float(after) - float(before) for estimator, before, after in climbed}
        assert min(gained["rloo"], gained["disarm"]) > 4


def test_every_notebook_is_stored_with_its_outputs() -> None:
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == {"train_and_look", "straight_through"}
    for path in FOLDER.glob("*.ipynb"):
        assert path.stat().st_size < 300_000
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
