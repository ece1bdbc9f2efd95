"""Hugging Face data sets, with a stand-in for the optional package."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from hs_env.corpora import load_corpus
from hs_env.errors import HsEnvError


class Table(dict):
    def __init__(self, names: list[str] | None = None, **columns: list) -> None:
        super().__init__(columns)
        self.column_names = list(columns)
        self.features = {"label": SimpleNamespace(names=names) if names else SimpleNamespace()}


def serve(monkeypatch: pytest.MonkeyPatch, **splits: Table) -> None:
    module = ModuleType("datasets")
    module.load_dataset = lambda name: splits
    monkeypatch.setitem(sys.modules, "datasets", module)


def table(size: int, column: str = "text", names: list[str] | None = None) -> Table:
    return Table(names, **{column: [f"It's {i}" for i in range(size)], "label": [i % 2 for i in range(size)]})


def test_splits_and_label_names(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["no", "yes"]
    serve(monkeypatch, train=table(8, names=names), validation=table(4), test=table(6))
    corpus = load_corpus("hf:org/set")
    assert corpus.counts == {"train": 8, "dev": 4, "test": 6}
    assert corpus.labels == ("no", "yes")
    assert corpus.splits["test"][0].words == ("it", "'s", "0")


@pytest.mark.parametrize("label", [2, -2])
def test_a_number_that_no_declared_class_has_is_named(monkeypatch: pytest.MonkeyPatch, label: int) -> None:
    test = table(6)
    test["label"][3] = label
    serve(monkeypatch, train=table(8, names=["no", "yes"]), test=test)
    with pytest.raises(HsEnvError, match=f"test, row 4: the label is {label}, but the data set declares 2"):
        load_corpus("hf:yesno")


def test_numbers_are_positions_in_the_names_that_are_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, train=table(8, names=["1", "0"]), validation=table(4), test=table(6))
    corpus = load_corpus("hf:stars")
    assert corpus.labels == ("1", "0")
    for split in corpus.splits.values():
        assert all(sentence.label == int(sentence.words[-1]) % 2 for sentence in split)


@pytest.mark.parametrize("dev", ["validation", "valid", "val", "dev"])
def test_names_of_the_dev_split(monkeypatch: pytest.MonkeyPatch, dev: str) -> None:
    serve(monkeypatch, train=table(8), test=table(6), **{dev: table(4)})
    assert load_corpus("hf:set").counts == {"train": 8, "dev": 4, "test": 6}


def test_sentence_column_and_dev_from_train(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, train=table(40, "sentence"), test=table(4, "sentence"))
    assert load_corpus("hf:set").counts == {"train": 36, "dev": 4, "test": 4}


def test_bad_data_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, train=table(4))
    with pytest.raises(HsEnvError, match="needs train and test"):
        load_corpus("hf:set")
    serve(monkeypatch, train=table(4, "body"), test=table(4))
    with pytest.raises(HsEnvError, match=r"split train: expected the columns .* got \['body', 'label'\]"):
        load_corpus("hf:set")
    serve(monkeypatch, train=table(4), test=Table(text=["a"], label=[-1]))
    with pytest.raises(HsEnvError, match=r"split test, row 1: .* hidden"):
        load_corpus("hf:set")


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(HsEnvError, match=r'pip install "hs-env\[hf\]"'):
        load_corpus("hf:set")
