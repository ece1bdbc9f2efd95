"""Corpora in files and folders."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hs_env.corpora import load_corpus
from hs_env.errors import HsEnvError

WriteRows = Callable[..., Path]

ROWS = [(f"text {i}", ("no", "yes")[i % 2]) for i in range(40)]


def test_one_file_is_cut_80_10_10(tmp_path: Path, write_rows: WriteRows) -> None:
    corpus = load_corpus(str(write_rows(tmp_path / "mine.jsonl.gz", ROWS)))
    assert corpus.counts == {"train": 32, "dev": 4, "test": 4}
    assert corpus.labels == ("no", "yes")


@pytest.mark.parametrize("dev", ["dev", "valid", "validation"])
def test_folder_of_splits(tmp_path: Path, write_rows: WriteRows, dev: str) -> None:
    for stem, size in (("train", 20), (dev, 6), ("test", 8)):
        write_rows(tmp_path / f"{stem}.json", ROWS[:size])
    assert load_corpus(str(tmp_path)).counts == {"train": 20, "dev": 6, "test": 8}


def test_a_missing_dev_split_is_taken_from_train(tmp_path: Path, write_rows: WriteRows) -> None:
    write_rows(tmp_path / "train.jsonl", ROWS)
    write_rows(tmp_path / "test.jsonl", ROWS[:2])
    assert load_corpus(str(tmp_path)).counts == {"train": 36, "dev": 4, "test": 2}


def test_a_label_that_train_does_not_have(tmp_path: Path, write_rows: WriteRows) -> None:
    write_rows(tmp_path / "train.jsonl", ROWS)
    write_rows(tmp_path / "test.jsonl", [("a", "no"), ("b", "maybe")])
    with pytest.raises(HsEnvError, match=r"test.jsonl, line 2: the label is 'maybe', expected one of no, yes"):
        load_corpus(str(tmp_path))


def test_folds(tmp_path: Path, write_rows: WriteRows) -> None:
    write_rows(tmp_path / "all.jsonl", ROWS[:9])
    (tmp_path / "folds.json").write_text(json.dumps({"fold": [0, 1, 2] * 3}))
    corpus = load_corpus(str(tmp_path), fold=2)
    assert [s.words[1] for s in corpus.splits["test"]] == ["2", "5", "8"]
    assert [s.words[1] for s in corpus.splits["dev"]] == ["0", "3", "6"]
    with pytest.raises(HsEnvError, match="folds 0 to 2, got fold 3"):
        load_corpus(str(tmp_path), fold=3)


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ("{", "expected JSON"),
        ("[]", "expected JSON"),
        ('{"fold": [0, 1]}', "2 folds, but all.jsonl has 3 rows"),
        ('{"fold": [0, 1, "2"]}', "integers from 0"),
        ('{"fold": [0, 1, 1]}', "three or more folds"),
        ('{"fold": [0, 1, 3]}', "three or more folds"),
    ],
)
def test_bad_folds(tmp_path: Path, write_rows: WriteRows, folds: str, message: str) -> None:
    write_rows(tmp_path / "all.jsonl", ROWS[:3])
    (tmp_path / "folds.json").write_text(folds)
    with pytest.raises(HsEnvError, match=f"folds.json: .*{message}"):
        load_corpus(str(tmp_path))


def test_bad_folders(tmp_path: Path, write_rows: WriteRows) -> None:
    write_rows(tmp_path / "train.jsonl", ROWS)
    with pytest.raises(HsEnvError, match=r"train\.\* and test\.\* .* this one holds train.jsonl"):
        load_corpus(str(tmp_path))
    write_rows(tmp_path / "train.json", ROWS)
    with pytest.raises(HsEnvError, match=r"found several: train.jsonl, train.json"):
        load_corpus(str(tmp_path))
    with pytest.raises(HsEnvError, match=r"there is no folds.json"):
        load_corpus(str(tmp_path), fold=1)
    (tmp_path / "folds.json").write_text("{}")
    with pytest.raises(HsEnvError, match=r"no file all.jsonl"):
        load_corpus(str(tmp_path))
