"""Typos, characters and bytes as settings of any corpus."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from hs_env.cli.reading import ReadingOptions
from hs_env.corpora import Corpus, load_corpus
from hs_env.corpora.noise import noisy
from hs_env.corpora.shortened import beginnings, thinned
from hs_env.corpora.spec import take_settings
from hs_env.corpora.variants import SETTINGS, divided
from hs_env.errors import HsEnvError
from hs_env.text_units import to_text
from hs_env.types import Sentence

SMALL = "phrases:train=40,dev=10,test=10"


@pytest.fixture(scope="module")
def reviews() -> Corpus:
    corpus = load_corpus("movie_reviews")
    return replace(corpus, splits={split: sentences[:250] for split, sentences in corpus.splits.items()})


def changed(corpus: Corpus, other: Corpus) -> list[tuple[str, str]]:
    """The words that differ, before and after."""
    pairs = zip(all_words(corpus), all_words(other), strict=True)
    return [(one, two) for one, two in pairs if one != two]


def all_words(corpus: Corpus) -> list[str]:
    return [word for sentences in corpus.splits.values() for sentence in sentences for word in sentence.words]


def test_no_noise_changes_nothing(reviews: Corpus) -> None:
    assert noisy(reviews, 0.0, seed=3) is reviews
    assert load_corpus(f"{SMALL},noise=0") == load_corpus(SMALL) == load_corpus(f"{SMALL},tokenisation=words")


def test_the_expected_share_of_words_has_a_typo(reviews: Corpus) -> None:
    can = sum(sum(map(str.isalpha, word)) > 1 for word in all_words(reviews))
    found = noisy(reviews, 0.1)
    share = len(changed(reviews, found)) / can
    assert abs(share - 0.1) < 4 * (0.1 * 0.9 / can) ** 0.5
    assert len(changed(reviews, noisy(reviews, 1.0))) == can  # each typo changes its word
    assert [each.label for each in found.splits["test"]] == [each.label for each in reviews.splits["test"]]
    assert found.counts == reviews.counts


def test_every_typo_is_one_of_four_equally_frequent_kinds(reviews: Corpus) -> None:
    kinds: Counter[str] = Counter()
    for one, two in changed(reviews, noisy(reviews, 0.5)):
        different = [at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b]
        if len(two) != len(one):
            longer, shorter = sorted((one, two), key=len, reverse=True)
            assert any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))
            kinds["insert" if two == longer else "delete"] += 1
        elif len(different) == 1:
            kinds["replace"] += 1
        else:
            at, after = different
            assert after == at + 1
            assert (one[at], one[after]) == (two[after], two[at])
            kinds["swap"] += 1
    assert all(0.2 < count / kinds.total() < 0.3 for count in kinds.values()), kinds
    assert len(kinds) == 4


def test_noise_is_a_function_of_seed_split_and_place(reviews: Corpus) -> None:
    few = replace(reviews, splits={split: each[:50] for split, each in reviews.splits.items()})
    assert noisy(few, 0.3, 1) == noisy(few, 0.3, 1) != noisy(few, 0.3, 2)
    assert noisy(few, 0.3).splits["test"] == noisy(reviews, 0.3).splits["test"][:50]
    same = replace(few, splits=dict.fromkeys(few.splits, few.splits["train"]))
    assert noisy(same, 0.3).splits["dev"] != noisy(same, 0.3).splits["test"]


def test_more_noise_keeps_the_typos_of_less(reviews: Corpus) -> None:
    corpora = [noisy(reviews, share) for share in (0.05, 0.1, 0.3)]
    for less, more in pairwise(corpora):
        rows = zip(all_words(reviews), all_words(less), all_words(more), strict=True)
        assert all(two == three for one, two, three in rows if one != two)


def test_short_words_and_signs_stay() -> None:
    sentence = Sentence(("a", "'s", "...", "1,000", "good", "zz", "\u0436\u0436"), 0)
    corpus = Corpus("x", ("no", "yes"), {"train": (sentence,) * 200}, "split")
    for each in noisy(corpus, 1.0).splits["train"]:
        assert each.words[:4] == sentence.words[:4]
        assert all(one != two for one, two in zip(each.words[4:], sentence.words[4:], strict=True))


@pytest.mark.parametrize("unit", ["characters", "bytes"])
def test_a_gold_phrase_ends_at_the_last_character_of_its_last_word(unit: str) -> None:
    words, units = load_corpus(SMALL), load_corpus(f"{SMALL},tokenisation={unit}")
    assert units.tokenisation == f"glove_{unit}"
    assert units.description.endswith(words.description.partition(";")[2])
    assert f"{unit} on average" in units.description
    for one, two in zip(words.splits["train"], units.splits["train"], strict=True):
        assert to_text(two.words, unit) == " ".join(one.words)
        assert one.gold_actions is not None
        assert two.gold_actions is not None
        ends = [at for at, action in enumerate(two.gold_actions, 1) if action]
        phrases = [to_text(two.words[start:stop], unit).strip() for start, stop in pairwise([0, *ends])]
        stops = [at for at, action in enumerate(one.gold_actions, 1) if action]
        assert phrases == [" ".join(one.words[start:stop]) for start, stop in pairwise([0, *stops])]


def test_gold_modules_become_phrases_and_trees_are_left_out() -> None:
    modules = load_corpus("phrases_deep:train=5,dev=1,test=1")
    found = divided(modules, "characters")
    assert found.problem == "phrase_segmentation"
    for one, two in zip(modules.splits["train"], found.splits["train"], strict=True):
        assert sum(map(bool, one.gold_actions or ())) == sum(two.gold_actions or ())
    trees = divided(load_corpus("listops_short:train=5,dev=1,test=1"), "characters")
    assert all(each.gold_actions is None for each in trees.splits["train"])


def test_files_folders_and_arguments(tmp_path) -> None:
    rows = [{"review": f"Not very good, {i}\u00e9", "stars": i % 2} for i in range(30)]
    path = tmp_path / "reviews.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = "text=review,tokenisation=characters,label=stars,noise=0.2,noise_seed=4"
    given = {"text": "review", "label": "stars", "tokenisation": "characters", "noise": 0.2, "noise_seed": 4}
    found = load_corpus(f"{path}:{settings}")
    assert found == load_corpus(str(path), **given) == load_corpus(path, **given)
    assert found.tokenisation == "glove_characters"
    options = ReadingOptions(text_column="review", label_column="stars", tokenisation="characters", noise=0.2)
    assert load_corpus(options.add_to(str(path))) == load_corpus(f"{path}:{settings.removesuffix(',noise_seed=4')}")
    odd = tmp_path / "a:noise=0.5"
    path.rename(odd)
    assert take_settings(str(odd), SETTINGS) == (str(odd), {})  # the whole name is that of a file


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("phrases:noise=x", "noise must be a number from 0 to 1, got 'x'"),
        ("phrases:noise=1.5", "noise must be a number from 0 to 1, got '1.5'"),
        ("phrases:noise=nan", "noise must be a number from 0 to 1, got 'nan'"),
        ("phrases:noise_seed=-1", "expected whole numbers"),
        ("phrases:tokenisation=chars", "Unknown tokenisation of a corpus ['\"]chars"),
        ("phrases:noise=0.1,noise=0.2", "the setting 'noise' occurs twice"),
    ],
)
def test_settings_that_are_not_possible(name: str, message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        load_corpus(name)


def test_arguments_that_are_not_possible() -> None:
    with pytest.raises(HsEnvError, match="share of words that get a typo, 0 to 1, got -1"):
        load_corpus("phrases", noise=-1)
    with pytest.raises(HsEnvError, match="Did you mean 'characters'"):
        load_corpus("phrases", tokenisation="character")


def test_sentences_are_shortened() -> None:
    whole = load_corpus(SMALL)
    first, kept = (load_corpus(f"{SMALL},{name}=0.4") for name in ("first", "kept"))
    assert first == load_corpus(SMALL, first=0.4)
    assert kept == load_corpus(SMALL, kept=0.4)
    rows = zip(*(each.splits["train"] for each in (whole, first, kept)), strict=True)
    differ = 0
    for sentence, begun, thin in rows:
        stay = -(-2 * len(sentence.words) // 5)
        assert begun == replace(sentence, words=sentence.words[:stay], gold_actions=None)
        assert (len(thin.words), thin.label, thin.gold_actions) == (stay, sentence.label, None)
        words = iter(sentence.words)
        assert all(word in words for word in thin.words)  # in their order
        differ += begun.words != thin.words
    assert differ > 30
    assert load_corpus(f"{SMALL},first=1,kept=1") == whole


@pytest.mark.parametrize("value", ["0", "1.5", "-1", "nan", "half"])
@pytest.mark.parametrize("name", ["first", "kept"])
def test_a_share_of_the_words_is_above_0_and_at_most_1(name: str, value: str) -> None:
    with pytest.raises(HsEnvError, match=f"{name} must be a number above 0 and at most 1, got '{value}'"):
        load_corpus(f"{SMALL},{name}={value}")


@pytest.mark.parametrize("key", ["first", "kept"])
def test_a_share_as_an_argument_is_that_of_the_setting(key: str) -> None:
    assert load_corpus(SMALL, **{key: 2 / 3}) == load_corpus(f"{SMALL},{key}={2 / 3}")
    corpus = load_corpus(SMALL, **{key: 2 / 3})
    for before, after in zip(load_corpus(SMALL).splits["train"], corpus.splits["train"], strict=True):
        assert len(after.words) == -(-2 * len(before.words) // 3)


def test_a_share_of_the_words_is_rounded_up_without_the_errors_of_floats() -> None:
    corpus = Corpus("x", ("a", "b"), {"train": (Sentence(tuple("abcdefghijklmnopqrstuvwxy"), 0),)}, "glove")
    assert 0.28 * 25 > 7
    assert len(beginnings(corpus, 0.28).splits["train"][0].words) == 7
    assert len(thinned(corpus, 0.28).splits["train"][0].words) == 7
