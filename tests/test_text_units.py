"""Characters and bytes: nothing of the text is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hs_env.corpora import TOKENISATIONS, load_treebank, tokenise
from hs_env.corpora.tokenisation import tokenise_words
from hs_env.errors import HsEnvError
from hs_env.text_units import UNITS, divide_words, to_text, unit_of

WORD = st.text(min_size=1).filter(lambda text: not any(character.isspace() for character in text))


@given(st.lists(WORD, min_size=1, max_size=6), st.sampled_from(UNITS))
def test_units_give_the_text_back(words: list[str], unit: str) -> None:
    units = divide_words(words, unit)
    assert all(units)
    assert to_text(units, unit) == " ".join(words)


@given(st.text(st.characters(), min_size=1))
def test_any_characters_and_half_surrogate_pairs_have_bytes(text: str) -> None:
    assert to_text(divide_words([text], "bytes"), "bytes") == text
    assert len(divide_words([text], "bytes")) == len(text.encode(errors="surrogatepass"))


def test_bytes_and_their_names() -> None:
    assert divide_words(["aé", "<"], "bytes") == ("a", "<0xC3>", "<0xA9>", " ", "<")
    assert to_text(("<0xA9>", "a"), "bytes") == "\ufffda"
    assert to_text(divide_words(["<0xC3>"], "bytes"), "bytes") == "<0xC3>"  # text that looks like a byte


@given(st.text())
def test_new_text_is_divided_as_its_words_are(text: str) -> None:
    for name in ("split", "glove"):
        for unit in UNITS[1:]:
            assert tokenise(text, f"{name}_{unit}") == divide_words(tokenise(text, name), unit)


def test_the_unit_of_each_tokenisation() -> None:
    found = {name: unit_of(name) for name in TOKENISATIONS}
    assert found["glove"] == found["split"] == "words"
    assert found["glove_characters"] == found["split_characters"] == "characters"
    assert found["glove_bytes"] == found["split_bytes"] == "bytes"
    assert len(found) == 6


def test_treebanks_have_words(tmp_path) -> None:
    with pytest.raises(HsEnvError, match="phrases of words, but the classifier reads characters"):
        load_treebank("sst", data_dir=tmp_path, tokenisation="glove_characters")
    with pytest.raises(HsEnvError, match="tokenisation into words, got 'split_bytes', which makes bytes"):
        tokenise_words(["a"], "split_bytes")
