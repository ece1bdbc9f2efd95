"""The language models that ship with the package: their sizes, their figures, and what their boundaries find."""

from __future__ import annotations

import pytest

from hs_env.language import LanguageModel, evaluate_lm, load_text
from hs_env.language.models import DEFAULT_MODEL
from hs_env.language.operations import operations_in
from hs_env.language.texts import encode
from hs_env.shipped import LANGUAGE_MODEL, shipped_language_models

SEGMENTS = "movie_reviews_segments"


@pytest.mark.parametrize(("name", "made"), [(DEFAULT_MODEL, "characters"), (SEGMENTS, "segments")])
def test_it_is_small_and_says_where_it_comes_from(name: str, made: str) -> None:
    folder = shipped_language_models()[name]
    assert (folder / LANGUAGE_MODEL).stat().st_size < 700 * 1024
    notes = LanguageModel.load(name).notes
    assert notes["made_by"] == f"scripts/make_language_model.py {made}"
    for split in ("dev", "test"):
        low, high = notes["intervals"][split]
        assert low < notes[split] < high
        assert notes[split] - notes["float32"][split] < 0.01, "8 bits cost less than a hundredth of a bit"


@pytest.mark.parametrize("name", [DEFAULT_MODEL, SEGMENTS])
def test_its_score_is_the_noted_one(name: str) -> None:
    model = LanguageModel.load(name)
    text = load_text(model.notes["corpus"]).test[:20_000]
    bits = evaluate_lm(model.model, encode(text, model.alphabet))["bits_per_character"]
    assert bits == pytest.approx(model.notes["test"], abs=0.15)


def test_segments_end_after_words_more_often_than_within_them() -> None:
    model = LanguageModel.load(DEFAULT_MODEL)
    ends, letters = {"last": 0, "within": 0}, {"last": 0, "within": 0}
    for line in load_text("movie_reviews").test.splitlines()[:40]:
        operations, _ = operations_in(model, line)
        for end, here, following in zip(operations.ends, line, f"{line[1:]} ", strict=True):
            if here.isalpha():
                place = "last" if following == " " else "within"
                ends[place] += bool(end)
                letters[place] += 1
    assert ends["last"] / letters["last"] > 1.4 * ends["within"] / letters["within"]


def test_segments_of_a_text_without_spaces_are_mostly_words() -> None:
    model, text = LanguageModel.load(SEGMENTS), load_text("movie_reviews:spaces=no")
    ends = text.word_ends("test")
    assert ends is not None
    size = 20_000
    scores = evaluate_lm(model.model, model.encode(text.test[:size]), alphabet=model.alphabet, ends=ends[:size])
    assert scores["token_f1_1"] == pytest.approx(model.notes["operations"]["token_f1_1"], abs=0.05)
    assert scores["boundary_f1_1"] > 0.6  # at random places, with the rate of the words, it would be that rate, 0.25
