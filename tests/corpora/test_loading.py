"""Names, settings and paths."""

from pathlib import Path

import pytest

from hs_env.corpora import CORPORA, Corpus, load_corpus, register_corpus
from hs_env.corpora.cached import read_corpus
from hs_env.errors import HsEnvError
from hs_env.types import Sentence


def test_settings_in_the_name_are_the_arguments() -> None:
    named = load_corpus("phrases:seed=3,train=20,dev=4,test=0")
    assert named == load_corpus("phrases", seed=3, sizes={"train": 20, "dev": 4, "test": 0})
    assert named.counts == {"train": 20, "dev": 4, "test": 0}


def test_a_third_party_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CORPORA, "_entries", dict(CORPORA._entries))

    @register_corpus("toy.v1")
    def toy(*, depth: int = 1) -> Corpus:
        return Corpus("toy", ("a", "b"), {"train": (Sentence(("x",) * depth, 0),)}, "split")

    assert load_corpus("toy:depth=4", data_dir=".", seed=8).splits["train"][0].words == ("x",) * 4


def test_a_builder_returns_a_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CORPORA, "_entries", dict(CORPORA._entries))
    register_corpus("listed.v1")(lambda: [Sentence(("a",), 0)])  # type: ignore[arg-type, return-value]
    register_corpus("made.v1")(load_corpus("phrases:train=1,dev=0,test=0"))  # type: ignore[arg-type]
    with pytest.raises(HsEnvError, match="The function of the corpus 'listed' must return a Corpus, got"):
        load_corpus("listed")
    with pytest.raises(HsEnvError, match=r"The corpus 'made' is registered as .*, expected a function"):
        load_corpus("made")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("movie_revews", {}, "Did you mean 'movie_reviews.v1'"),
        ("phrases:size=3", {}, "has no setting 'size'; its settings: seed, train, dev, test"),
        ("phrases:seed=x", {}, "expected whole numbers .* got 'seed=x'"),
        ("phrases", {"fold": 1}, "has no setting 'fold'"),
        ("movie_reviews", {"sizes": {"train": 5}}, "no setting 'train'; its settings: none"),
        ("none/at.all", {}, "no file or folder 'none/at.all'"),
        ("none.jsonl", {}, "no file or folder 'none.jsonl'"),
        ("hf:x/y", {"fold": 1}, "has no folds"),
        ("none.csv", {"sizes": {"train": 5}}, "cannot be chosen"),
    ],
)
def test_bad_names(name: str, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        load_corpus(name, **arguments)


def test_a_registered_name_is_not_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mr").mkdir()
    (tmp_path / "mine").mkdir()
    with pytest.raises(HsEnvError, match="give data_dir"):
        load_corpus("mr")
    with pytest.raises(HsEnvError, match="mine: a corpus folder holds"):
        load_corpus("mine")


@pytest.mark.parametrize(
    "name",
    [
        "phrases:train=99999999999999",
        "phrases:seed=" + "9" * 5000,
        "x" * 5000,
        "./" + "y" * 300,
        "\ud800",
        "./\ud800.csv",
        3,
        None,
        b"phrases",
    ],
)
def test_names_that_none_can_have(name) -> None:
    with pytest.raises(HsEnvError):
        load_corpus(name)


@pytest.mark.parametrize("fold", ["1", 1.5, True])
def test_a_fold_of_another_type(fold, tmp_path) -> None:
    with pytest.raises(HsEnvError, match="The fold must be a whole number from 0"):
        load_corpus(tmp_path, fold=fold)


def test_corpora_of_plug_ins_are_read_anew_and_those_of_the_package_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CORPORA, "_entries", {**CORPORA._entries})
    numbers = iter(range(9))

    @register_corpus("growing.v1")
    def growing() -> Corpus:
        word = f"w{next(numbers)}"
        splits = {split: (Sentence((word,), label),) for label, split in enumerate(("train", "dev", "test"))}
        return Corpus("growing", ("a", "b", "c"), splits, "split")

    assert [read_corpus("growing").splits["dev"][0].words for _ in range(2)] == [("w0",), ("w1",)]
    assert read_corpus("phrases:train=9,dev=9,test=9") is read_corpus("phrases:train=9,dev=9,test=9")
