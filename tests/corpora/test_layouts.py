"""Corpora in files and folders."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from hs_env.corpora import load_corpus
from hs_env.corpora.loading import corpus_files
from hs_env.errors import HsEnvError

WriteRows = Callable[..., Path]

ROWS = [(f"text {i}", ("no", "yes")[i % 2]) for i in range(40)]


def test_one_file_is_cut_80_10_10(tmp_path: Path, write_rows: WriteRows) -> None:
    corpus = load_corpus(str(write_rows(tmp_path / "mine.jsonl.gz", ROWS)))
    assert corpus.counts == {"train": 32, "dev": 4, "test": 4}
    assert corpus.labels == ("no", "yes")


@pytest.mark.parametrize("dev", ["dev", "val", "valid", "validation", "VAL"])
def test_folder_of_splits(tmp_path: Path, write_rows: WriteRows, dev: str) -> None:
    for stem, size in (("train", 20), (dev, 6), ("test", 8)):
        write_rows(tmp_path / f"{stem}.json", ROWS[:size])
    assert load_corpus(str(tmp_path)).counts == {"train": 20, "dev": 6, "test": 8}


def test_a_missing_dev_split_is_taken_from_train(tmp_path: Path, write_rows: WriteRows) -> None:
    write_rows(tmp_path / "train.jsonl", ROWS)
    write_rows(tmp_path / "test.jsonl", ROWS[:2])
    assert load_corpus(str(tmp_path)).counts == {"train": 36, "dev": 4, "test": 2}


def test_a_missing_test_split_is_empty(tmp_path: Path, write_rows: WriteRows) -> None:
    write_rows(tmp_path / "train.jsonl", ROWS)
    with pytest.raises(HsEnvError, match=r"train.\* and test.\* \(or dev.\*, or both\)"):
        load_corpus(str(tmp_path))
    write_rows(tmp_path / "dev.jsonl", ROWS[:2])
    assert load_corpus(str(tmp_path)).counts == {"train": 40, "dev": 2, "test": 0}


def test_capital_endings(tmp_path: Path, write_rows: WriteRows) -> None:
    write_rows(tmp_path / "Train.JSONL", ROWS)
    (tmp_path / "TEST.CSV").write_text("text,label\na,no\n", encoding="utf-8")
    assert load_corpus(str(tmp_path)).counts == {"train": 36, "dev": 4, "test": 1}
    assert load_corpus(str(write_rows(tmp_path / "one" / "MINE.JSONL", ROWS))).counts["train"] == 32


def test_files_that_are_left_over_are_named(tmp_path: Path, write_rows: WriteRows) -> None:
    for name in ("train.jsonl", "test.jsonl", "holdout.csv", "DEV2.JSONL"):
        write_rows(tmp_path / name, ROWS)
    for name in ("val.xlsx", "notes.txt", ".hidden.csv"):
        (tmp_path / name).write_bytes(b"")
    with pytest.warns(UserWarning, match=r"not read: DEV2.JSONL, holdout.csv, val.xlsx; read: train.jsonl, test"):
        load_corpus(str(tmp_path))
    write_rows(tmp_path / "all.jsonl", ROWS)
    (tmp_path / "folds.json").write_text(json.dumps({"fold": [0, 1, 2, 3] * 10}))
    with pytest.warns(UserWarning, match=r"test.jsonl, train.jsonl, val.xlsx; read: all.jsonl, folds.json"):
        load_corpus(str(tmp_path))


def test_no_warning_without_left_over_files(tmp_path: Path, write_rows: WriteRows) -> None:
    for name in ("train.jsonl", "val.jsonl", "test.jsonl"):
        write_rows(tmp_path / name, [(f"{text} of {name}", label) for text, label in ROWS])
    (tmp_path / "README.md").write_bytes(b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_corpus(str(tmp_path))


def test_labels_that_are_text_in_one_split_and_numbers_in_another(tmp_path: Path, write_rows: WriteRows) -> None:
    write_rows(tmp_path / "train.jsonl", [("a", "1"), ("b", "2")] * 20)
    (tmp_path / "test.csv").write_text("text,label\na,1\nb,2\n", encoding="utf-8")
    assert [sentence.label for sentence in load_corpus(str(tmp_path)).splits["test"]] == [0, 1]
    write_rows(tmp_path / "train.jsonl", ROWS)
    message = r"test.csv, line 2: the label is '1', but the train split has the labels 'no', 'yes'"
    with pytest.raises(HsEnvError, match=message):
        load_corpus(str(tmp_path))


def test_a_label_that_train_does_not_have(tmp_path: Path, write_rows: WriteRows) -> None:
    write_rows(tmp_path / "train.jsonl", ROWS)
    write_rows(tmp_path / "test.jsonl", [("a", "no"), ("b", "maybe")])
    with pytest.raises(HsEnvError, match=r"test.jsonl, line 2: the label is 'maybe', but .* 'no', 'yes'"):
        load_corpus(str(tmp_path))


def test_folds(tmp_path: Path, write_rows: WriteRows) -> None:
    write_rows(tmp_path / "all.jsonl", ROWS[:9])
    (tmp_path / "folds.json").write_text(json.dumps({"fold": [0, 1, 2] * 3}))
    corpus = load_corpus(str(tmp_path), fold=2)
    assert [s.words[1] for s in corpus.splits["test"]] == ["2", "5", "8"]
    assert [s.words[1] for s in corpus.splits["dev"]] == ["0", "3", "6"]
    with pytest.raises(HsEnvError, match="folds 0 to 2, got fold 3"):
        load_corpus(str(tmp_path), fold=3)


def test_a_single_file_has_ten_folds(tmp_path: Path, write_rows: WriteRows) -> None:
    path = write_rows(tmp_path / "mine.jsonl", ROWS)
    folds = [load_corpus(f"{path}:fold={fold}") for fold in range(10)]
    tested = [sentence for corpus in folds for sentence in corpus.splits["test"]]
    assert sorted(sentence.words[1] for sentence in tested) == sorted(str(at) for at in range(40))
    for corpus, after in zip(folds, [*folds[1:], folds[0]], strict=True):
        assert corpus.counts == {"train": 32, "dev": 4, "test": 4}
        assert sorted(sentence.label for sentence in corpus.splits["test"]) == [0, 0, 1, 1]
        assert corpus.splits["dev"] == after.splits["test"]
    assert folds[3] == load_corpus(path, fold=3) != load_corpus(path)
    with pytest.raises(HsEnvError, match="at least ten different sentences"):
        load_corpus(write_rows(tmp_path / "few.jsonl", ROWS[:4] * 9), fold=0)


def test_files_of_splits_by_a_pattern(tmp_path: Path, write_rows: WriteRows) -> None:
    for name in ("a.train.jsonl", "a.valid.jsonl", "b.train.jsonl", "b.test.jsonl"):
        write_rows(tmp_path / name, ROWS)
    assert load_corpus(f"{tmp_path}/a.{{split}}.jsonl").counts == {"train": 40, "dev": 40, "test": 0}
    pattern = tmp_path / "b.{split}.jsonl"
    assert load_corpus(pattern).counts == load_corpus(f"{pattern}:label=label").counts
    assert load_corpus(pattern).counts == {"train": 36, "dev": 4, "test": 40}
    assert corpus_files(str(pattern)) == [tmp_path / "b.test.jsonl", tmp_path / "b.train.jsonl"]
    for name, message in (
        ("c.{split}.jsonl", "no file or folder"),
        ("b.{split}.jsonl:fold=1", "only a single file, or a folder with folds.json, has folds"),
        ("", "Files such as NAME.train.csv are given as .*/NAME.{split}.csv"),
    ):
        with pytest.raises(HsEnvError, match=message):
            load_corpus(f"{tmp_path}/{name}")
    (tmp_path / "b.test.jsonl").unlink()
    with pytest.raises(HsEnvError, match="found the files of train, expected train and test, or train and dev"):
        load_corpus(pattern)
    write_rows(tmp_path / "a.dev.jsonl", ROWS)
    with pytest.raises(HsEnvError, match=r"found several: .*a\.dev\.jsonl, .*a.valid.jsonl"):
        load_corpus(f"{tmp_path}/a.{{split}}.jsonl")


def test_a_fold_in_the_name(tmp_path: Path, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "own" / "all.jsonl", ROWS[:9])
    (tmp_path / "own" / "folds.json").write_text(json.dumps({"fold": [0, 1, 2] * 3}))
    expected = load_corpus("own", fold=1)
    for name in ("./own:fold=1", "own:fold=1", f"{tmp_path}/own:fold=1"):
        assert load_corpus(name).splits == expected.splits != load_corpus("own").splits
    assert load_corpus(Path("own"), fold=1) == expected
    for name, message in (
        ("./own:fold=3", "folds 0 to 2, got fold 3"),
        ("./own:seed=3", "'own' has no setting 'seed'; its settings: fold"),
        ("./own:fold=x", "expected whole numbers"),
        ("./none:fold=1", "no file or folder 'none'"),
    ):
        with pytest.raises(HsEnvError, match=message):
            load_corpus(name)
    write_rows(tmp_path / "own:fold=1" / "train.jsonl", ROWS)
    write_rows(tmp_path / "own:fold=1" / "test.jsonl", ROWS)
    assert load_corpus("./own:fold=1").counts["train"] == 36  # a folder with this whole name comes first


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ("{", "expected JSON"),
        ("[]", "expected JSON"),
        ('{"fold": [0, 1]}', "2 folds, but all.jsonl has 3 rows"),
        ('{"fold": [0, 1, "2"]}', "integers from 0"),
        ('{"fold": [0, 1, 1]}', "three or more folds"),
        ('{"fold": [0, 1, 3]}', "three or more folds"),
        ("[" * 100_000, "expected JSON"),
    ],
)
def test_bad_folds(tmp_path: Path, write_rows: WriteRows, folds: str, message: str) -> None:
    write_rows(tmp_path / "all.jsonl", ROWS[:3])
    (tmp_path / "folds.json").write_text(folds)
    with pytest.raises(HsEnvError, match=f"folds.json: .*{message}"):
        load_corpus(str(tmp_path))


@pytest.mark.filterwarnings("ignore:.*not read")
def test_bad_folders(tmp_path: Path, write_rows: WriteRows) -> None:
    write_rows(tmp_path / "train.jsonl", ROWS)
    with pytest.raises(HsEnvError, match=r"train\.\* and test\.\* .* this one holds train.jsonl"):
        load_corpus(str(tmp_path))
    write_rows(tmp_path / "train.json", ROWS)
    with pytest.raises(HsEnvError, match=r"found several: train.jsonl, train.json"):
        load_corpus(str(tmp_path))
    with pytest.raises(HsEnvError, match="fold 1 was asked for, but only a single file"):
        load_corpus(str(tmp_path), fold=1)
    (tmp_path / "folds.json").write_text("{}")
    with pytest.raises(HsEnvError, match=r"no file all.jsonl"):
        load_corpus(str(tmp_path))
