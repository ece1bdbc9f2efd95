"""Splits: nothing lost, nothing twice, every label in its share."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hs_env.corpora.splits import SHARES, fold_splits, stratified_split, ten_folds
from hs_env.types import Sentence

SENTENCES = st.lists(
    st.builds(lambda word, label: Sentence((str(word),), label), st.integers(0, 60), st.integers(0, 2))
)


@given(SENTENCES)
def test_every_sentence_is_in_one_split_and_equal_ones_together(sentences: list[Sentence]) -> None:
    splits = stratified_split(sentences, SHARES)
    assert Counter(s for part in splits.values() for s in part) == Counter(sentences)
    texts = [{s.words for s in part} for part in splits.values()]
    assert sum(map(len, texts)) == len(set.union(*texts))
    assert splits == stratified_split(sentences, SHARES)


def test_shares_of_every_label() -> None:
    sentences = [Sentence((f"{label}-{i}",), label) for label, size in enumerate((200, 50, 4)) for i in range(size)]
    counts = {split: Counter(s.label for s in part) for split, part in stratified_split(sentences, SHARES).items()}
    assert counts == {"test": {0: 20, 1: 5, 2: 1}, "dev": {0: 20, 1: 5, 2: 1}, "train": {0: 160, 1: 40, 2: 2}}


def test_ten_folds_are_stratified_and_keep_equal_sentences_together() -> None:
    sentences = [Sentence((f"{number % 170}",), int(number > 120)) for number in range(200)]
    folds = ten_folds(sentences)
    assert folds == ten_folds(sentences)
    for words in {sentence.words for sentence in sentences}:
        assert len({fold for each, fold in zip(sentences, folds, strict=True) if each.words == words}) == 1
    sizes = Counter(folds).values()
    assert len(sizes) == 10
    assert max(sizes) - min(sizes) <= 2


def test_folds() -> None:
    sentences = [Sentence((str(i),), 0) for i in range(6)]
    splits = fold_splits(sentences, [0, 1, 2, 0, 1, 2], 2)
    assert {split: [s.words[0] for s in part] for split, part in splits.items()} == {
        "train": ["1", "4"],
        "dev": ["0", "3"],
        "test": ["2", "5"],
    }
