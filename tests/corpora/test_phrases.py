"""The generated corpus: its grammar, its labels, and that words alone do not decide."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from hs_env.corpora import Corpus, Vocabulary, compose, phrase_sentence, tokenise
from hs_env.corpora.phrases import _QUALITIES, ADVERBS, COPULAS, FILLER_NOUNS, NOUNS, WEIGHTS, phrases
from hs_env.errors import HsEnvError
from hs_env.problems.segmentation import END, INSIDE
from hs_env.types import Sentence

HEADS = {*NOUNS, *FILLER_NOUNS, *ADVERBS, "but", "although", ",", *(word for pair in _QUALITIES for word in pair)}
KEYS = st.tuples(st.integers(0, 2**32), st.sampled_from(["train", "dev", "test"]), st.integers(0, 10**6))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return phrases()


def read_phrasing(words: tuple[str, ...]) -> tuple[int, ...]:
    """Gold boundaries from the words, left to right without a look ahead."""
    boundaries, opening = [], None
    for word in words:
        opening = opening or word
        ends = word in HEADS or (word in WEIGHTS and opening in (*COPULAS, "and"))
        boundaries.append(END if ends else INSIDE)
        opening = None if ends else opening
    return tuple(boundaries)


@settings(max_examples=300)
@given(KEYS)
def test_every_sentence(key: tuple[int, str, int]) -> None:
    sentence = phrase_sentence(*key)
    assert sentence == phrase_sentence(*key)
    assert 5 <= len(sentence.words) <= 20
    assert sentence.gold_actions == read_phrasing(sentence.words)
    value = compose(sentence.words, sentence.gold_actions)
    assert value != 0
    assert (value > 0) == bool(sentence.label)
    assert tokenise(" ".join(sentence.words)) == sentence.words
    seed, split, index = key
    assert sentence.label != phrase_sentence(seed, split, index ^ 1).label


def test_the_sentences_never_change() -> None:
    """Results that refer to `phrases.v1` are of these sentences."""
    splits = repr(phrases(train=300, dev=50, test=50).splits)
    for later in (", columns=None", ", unit='words'"):
        splits = splits.replace(later, "")
    assert (
        hashlib.sha256(splits.encode()).hexdigest()
        == "19f4c7260f26035b8ad10a0ec7ee6bd699a32f61f9e958e36239b7c12e332a2c"
    )


def test_sizes_do_not_change_sentences(corpus: Corpus) -> None:
    small = phrases(train=10, dev=5, test=0)
    for split, sentences in small.splits.items():
        assert sentences == corpus.splits[split][: len(sentences)]
    assert phrases(seed=1, train=10).splits["train"] != small.splits["train"]


def test_figures(corpus: Corpus) -> None:
    sentences = corpus.splits["train"]
    words = sum(len(sentence.words) for sentence in sentences)
    lengths = [len(part.split()) for sentence in sentences for part in cut(sentence)]
    assert 11 < words / len(sentences) < 13
    assert 2.3 < sum(lengths) / len(lengths) < 3.3
    assert set(lengths) == {1, 2, 3, 4, 5}
    assert 100 < len(Vocabulary.from_sentences(sentences)) < 200
    for part in corpus.splits.values():
        assert abs(sum(sentence.label for sentence in part) / len(part) - 0.5) < 0.001
    assert corpus.best_accuracy == 1.0


def cut(sentence: Sentence) -> list[str]:
    marked = (f"{word}|" if at == END else word for word, at in zip(sentence.words, sentence.gold_actions, strict=True))
    return " ".join(marked).rstrip("|").split("| ")


@pytest.mark.parametrize(
    ("marked", "value"),
    [
        ("the plot | was hardly ever dull | and really very funny", 1 + 4),
        ("the plot | was not great | and funny", -2 + 1),
        ("the plot | was great | and not funny", 2 - 1),
        ("the plot | was not great and funny", -2 - 1),
        ("the plot | was not | great | and funny", 2 + 1),
        ("the film | is brilliant | but | the cast | is bad", -1),
        ("although | the film | is brilliant | , | the cast | is bad", -1),
        ("the film | is brilliant | although | the cast | is bad", 2),
        ("the never clever film | is slightly bad | without much charm | in the second half", -1 - 0.5 - 2),
    ],
)
def test_composition(marked: str, value: float) -> None:
    cut_up = [phrase.split() for phrase in marked.split("|")]
    words = [word for phrase in cut_up for word in phrase]
    boundaries = [at for phrase in cut_up for at in [INSIDE] * (len(phrase) - 1) + [END]]
    assert compose(words, boundaries) == value


def test_a_bag_of_words_does_not_suffice_but_gold_phrases_do(corpus: Corpus) -> None:
    train, test = corpus.splits["train"], corpus.splits["test"]
    counter = CountVectorizer(token_pattern=r"\S+")
    bags = counter.fit_transform([" ".join(sentence.words) for sentence in train])
    model = LogisticRegression(max_iter=1000).fit(bags, [sentence.label for sentence in train])
    test_bags = counter.transform([" ".join(sentence.words) for sentence in test])
    assert model.score(test_bags, [sentence.label for sentence in test]) < 0.85
    assert all((compose(s.words, s.gold_actions) > 0) == s.label for s in test)


def test_other_boundaries_change_the_meaning(corpus: Corpus) -> None:
    test = corpus.splits["test"]
    one_phrase = [compose(s.words, [INSIDE] * (len(s.words) - 1) + [END]) for s in test]
    assert sum((value > 0) != s.label for value, s in zip(one_phrase, test, strict=True)) > 0.15 * len(test)


def test_bad_sizes() -> None:
    with pytest.raises(HsEnvError, match="train from 1"):
        phrases(train=0)
    with pytest.raises(HsEnvError, match="seed=-1"):
        phrases(seed=-1)
