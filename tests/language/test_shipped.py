"""The language model that ships with the package: its size, its figures, and what its boundaries find."""

from __future__ import annotations

import pytest

from hs_env.language import LanguageModel, evaluate_lm, load_text
from hs_env.language.models import DEFAULT_MODEL, FILE_NAME
from hs_env.language.operations import operations_in
from hs_env.language.texts import encode
from hs_env.shipped import shipped_language_models


def test_it_is_small_and_says_where_it_comes_from() -> None:
    folder = shipped_language_models()[DEFAULT_MODEL]
    assert (folder / FILE_NAME).stat().st_size < 700 * 1024
    notes = LanguageModel.load(DEFAULT_MODEL).notes
    assert notes["made_by"] == "scripts/make_hm_lstm.py characters"
    for split in ("dev", "test"):
        low, high = notes["intervals"][split]
        assert low < notes[split] < high
        assert notes[split] - notes["float32"][split] < 0.01, "8 bits cost less than a hundredth of a bit"


def test_its_score_is_the_noted_one() -> None:
    model = LanguageModel.load(DEFAULT_MODEL)
    text = load_text("movie_reviews").test[:20_000]
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
