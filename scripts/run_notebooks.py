"""Run the notebooks in docs/notebooks and store their outputs in them."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
TIMEOUT_S = 600


def executed(path: Path) -> NotebookNode:
    """Return a notebook with the outputs of a run in an empty folder, on one thread."""
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    os.environ["OMP_NUM_THREADS"] = "1"
    with TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=TIMEOUT_S, coalesce_streams=True, resources=resources).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times, which differ in each run
    return notebook


def main() -> None:
    for path in sorted(FOLDER.glob("*.ipynb")):
        nbformat.write(executed(path), path)
        print(path.name)


if __name__ == "__main__":
    main()
