"""Small data sets in the layout of the published ones."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

WriteRows = Callable[[Path, Sequence[tuple[str, object]]], Path]


@pytest.fixture
def write_rows() -> WriteRows:
    """Writes (text, label) rows as JSON lines, gzip if the name says so."""

    def write(path: Path, rows: Sequence[tuple[str, object]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows).encode()
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
        return path

    return write


@pytest.fixture
def data_dir(tmp_path: Path, write_rows: WriteRows) -> Path:
    """A folder with a tiny folder of each published data set."""
    root = tmp_path / "data"
    for name in ("mr", "subj", "cr", "mpqa"):
        write_rows(root / name / "all.jsonl.gz", [(f"{name} it's {i}", i % 2) for i in range(40)])
        (root / name / "folds.json").write_text(json.dumps({"n_folds": 10, "fold": [i // 2 % 10 for i in range(40)]}))
    for name, classes in (("sst2", 2), ("sst5", 5)):
        for split in ("train", "dev", "test"):
            rows = [(f"{name} {split} -LRB- {i}", i % classes) for i in range(10)]
            write_rows(root / "sst" / f"{name}.{split}.jsonl.gz", rows)
    for split in ("train_subset", "test"):
        write_rows(root / "ag_news" / f"{split}.jsonl.gz", [(f"AG {split} {i}", i % 4) for i in range(80)])
    for split in ("train", "test"):
        write_rows(root / "trec" / f"{split}.jsonl.gz", [(f"TREC {split} {i}", i % 6) for i in range(60)])
    return root
