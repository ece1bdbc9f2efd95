"""Encoded splits: a batch holds exactly its sentences."""

import subprocess
import sys
from tempfile import TemporaryFile

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hs_env.corpora import Vocabulary, encoded
from hs_env.corpora.encoded import EncodedSplit
from hs_env.errors import HsEnvError
from hs_env.problems.segmentation import INSIDE
from hs_env.types import PADDING, Sentence

VOCABULARY = Vocabulary(["a", "b", "c"])
WORDS = st.lists(st.sampled_from(["a", "b", "c", "unknown"]), min_size=1, max_size=9).map(tuple)


@st.composite
def sentences_and_indices(draw: st.DrawFn) -> tuple[list[Sentence], list[int]]:
    sentences = []
    for words in draw(st.lists(WORDS, min_size=1, max_size=8)):
        boundaries = (*draw(st.lists(st.integers(0, 1), min_size=len(words) - 1, max_size=len(words) - 1)), 1)
        sentences.append(Sentence(words, draw(st.integers(0, 3)), boundaries))
    return sentences, draw(st.lists(st.integers(0, len(sentences) - 1), min_size=1, max_size=10))


@given(sentences_and_indices())
def test_a_batch_holds_its_sentences(case: tuple[list[Sentence], list[int]]) -> None:
    sentences, indices = case
    batch = EncodedSplit.from_sentences(sentences, VOCABULARY).batch(torch.tensor(indices))
    longest = max(len(sentences[index].words) for index in indices)
    assert batch.tokens.shape == batch.gold_actions.shape == (len(indices), longest)
    assert batch.indices.tolist() == indices
    for row, index in enumerate(indices):
        sentence = sentences[index]
        padding = longest - len(sentence.words)
        assert batch.lengths[row] == len(sentence.words)
        assert batch.labels[row] == sentence.label
        assert batch.tokens[row].tolist() == VOCABULARY.encode(sentence.words) + [PADDING] * padding
        assert batch.gold_actions[row].tolist() == [*sentence.gold_actions, *[INSIDE] * padding]


@given(st.lists(WORDS, max_size=12), st.integers(1, 5))
def test_batches_hold_every_sentence_once(texts: list[tuple[str, ...]], size: int) -> None:
    split = EncodedSplit.from_sentences([Sentence(words, 0) for words in texts], VOCABULARY)
    batches = list(split.batches(size))
    seen = [index for batch in batches for index in batch.indices.tolist()]
    assert len(split) == len(texts)
    assert sorted(seen) == list(range(len(texts)))
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(batch.gold_actions is None for batch in batches)
    lengths = [len(texts[index]) for index in seen]
    assert lengths == sorted(lengths)


def test_boundaries_only_if_every_sentence_has_them() -> None:
    mixed = [Sentence(("a",), 0, (1,)), Sentence(("b",), 0)]
    assert EncodedSplit.from_sentences(mixed, VOCABULARY).gold_actions is None


def test_bad_indices() -> None:
    split = EncodedSplit.from_sentences([Sentence(("a",), 0)], VOCABULARY)
    for indices, message in (([], "no indices"), ([1], "from 0 to 0"), ([-1], "from 0 to 0")):
        with pytest.raises(HsEnvError, match=message):
            split.batch(torch.tensor(indices, dtype=torch.int64))


def test_the_package_does_not_import_torch() -> None:
    code = "import sys, hs_env.corpora; assert not {'torch', 'pandas', 'gensim', 'pyarrow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("gold", [True, False])
def test_a_large_split_is_mapped_from_a_file_and_equal(gold: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [("a", "b"), ("c", "unknown", "a"), ("b",)]
    sentences = [Sentence(each, 0, (0,) * (len(each) - 1) + (1,) if gold else None) for each in words]
    plain = EncodedSplit.from_sentences(sentences, VOCABULARY)
    files = [TemporaryFile() for _ in range(2)]  # noqa: SIM115
    monkeypatch.setattr(encoded, "TemporaryFile", files.pop)
    monkeypatch.setattr(encoded, "MAPPED", 5)
    mapped = EncodedSplit.from_sentences(sentences, VOCABULARY)
    assert len(files) == (0 if gold else 1)
    for name in ("tokens", "offsets", "lengths", "labels", *(["gold_actions"] if gold else [])):
        one, two = getattr(plain, name), getattr(mapped, name)
        assert one.dtype == two.dtype
        assert torch.equal(one, two)
    assert torch.equal(mapped.batch(torch.tensor([2, 1])).tokens, plain.batch(torch.tensor([2, 1])).tokens)
