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
    with pytest.raises(HsEnvError, match="needs train, and test or validation"):
        load_corpus("hf:set")
    serve(monkeypatch, train=table(4, "body"), test=table(4))
    with pytest.raises(HsEnvError, match=r"split train: expected the columns .* got \['body', 'label'\]"):
        load_corpus("hf:set")
    serve(monkeypatch, train=table(4), test=Table(text=["a"], label=[-1]))
    with pytest.raises(HsEnvError, match=r"split test: all labels are -1, so they are hidden"):
        load_corpus("hf:set")
    serve(monkeypatch, train=table(4, names=["a", "b"]), test=Table(text=["a", "b"], label=[-1, 1]))
    with pytest.raises(HsEnvError, match=r"split test, row 1: the label is -1"):
        load_corpus("hf:set")
    words = Table(text=["good", "bad"] * 3, label=["pos", "neg"] * 3)
    serve(monkeypatch, train=words, test=Table(text=["a"], label=[1]))
    with pytest.raises(HsEnvError, match="use the same labels in every split"):
        load_corpus("hf:set")
    serve(monkeypatch, train=table(4), test=Table(text=["a"], label=[1], boundaries=["1"]))
    with pytest.raises(HsEnvError, match="the boundaries are '1'; expected a list"):
        load_corpus("hf:set")


def test_a_test_split_with_hidden_labels_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = Table(text=["a", "b"], label=[-1, -1])
    serve(monkeypatch, train=table(8), validation=table(4), test=hidden)
    with pytest.warns(UserWarning, match="labels of the split test are hidden"):
        assert load_corpus("hf:set").counts == {"train": 8, "dev": 4, "test": 0}


def test_columns_of_pictures_are_neither_decoded_nor_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    class Image:
        """A feature as `datasets` has it."""

    class Pictured(Table):
        def __getitem__(self, key: str) -> list:
            assert key != "picture"
            return super().__getitem__(key)

    parts = {name: Pictured(text=[f"a {name}", f"b {name}"], label=[0, 1], picture=[0, 1]) for name in ("train", "dev")}
    for part in parts.values():
        part.features["picture"] = Image()
    serve(monkeypatch, **parts)
    assert load_corpus("hf:set").splits["dev"][0].columns is None


def test_minus_one_may_be_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = (Table(text=[f"a {i} {part}" for i in range(20)], label=[-1, 1] * 10) for part in ("x", "y"))
    serve(monkeypatch, train=train, test=test)
    assert load_corpus("hf:set").labels == ("-1", "1")


def test_gold_phrases_and_other_columns_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {
        split: Table(text=[f"a {split} 0", f"a {split} 1"], label=[0, 1], boundaries=[[0, 1, 1]] * 2, stars=[5, 5])
        for split in ("train", "validation", "test")
    }
    serve(monkeypatch, **parts)
    sentence = load_corpus("hf:set").splits["test"][0]
    assert sentence.gold_actions == (0, 1, 1)
    assert sentence.columns == {"stars": 5}


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(HsEnvError, match=r'pip install "hs-env\[hf\]"'):
        load_corpus("hf:set")
