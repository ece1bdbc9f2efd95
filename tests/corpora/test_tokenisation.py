"""Tokenisation: the rules one by one, and idempotence for any text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hs_env.corpora import tokenise
from hs_env.corpora.tokenisation import tokenise_words
from hs_env.errors import HsEnvError

PIECES = [
    *(
        "it's",
        "n't",
        "'s",
        "can't",
        "'",
        '"',
        "``",
        "''",
        "-LRB-",
        "\\/",
        "\\",
        "/",
        "...",
        ".",
        "--",
        "-",
        "u.s.",
        "1,000",
    ),
    *("3.5", "'90s", "a", "B", "&", "_", " ", "\u2019", "\x97", "\u2026", "!", "\u0130", "e\u0301"),
    *("n", "'t", "don", "\u200d", "\u200c", "\u00ad", "\u200b", "\ufe0f", "\u0939\u093f", "\U0001f469", "\ud83d"),
]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's good.", "it 's good ."),
        ("doesn't can't won't I'd we'll they're I've I'm", "does n't ca n't wo n't i 'd we 'll they 're i 've i 'm"),
        ("do n't it 's", "do n't it 's"),
        ("couldn\u2019t've", "could n't 've"),
        ("the movies' end, (really)!", "the movies ' end , ( really ) !"),
        ("-LRB- a -RRB- `` b '' and\\/or 9\\/11", '( a ) " b " and / or 9/11'),
        ("well... yes -- no----never", "well ... yes -- no -- never"),
        ("1,000 dollars, 3.5% of 1960s", "1,000 dollars , 3.5 % of 1960s"),
        ("co-writer/director of a well-made U.S. film.", "co-writer / director of a well-made u.s. film ."),
        ("O'Brien, AT&T, '90s, 'em", "o'brien , at&t , '90s , 'em"),
        ("slow \x97 \u201cfine\u201d \u2026", 'slow \u2014 " fine " ...'),
        ("[garbus] discards", "[ garbus ] discards"),
        ("  \n ", ""),
    ],
)
def test_glove(text: str, words: str) -> None:
    assert tokenise(text) == tuple(words.split())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("do n 't go", "do n't go"),
        ("I ca n \u2019t", "i ca n't"),
        ("it don 't, he wo n 't.", "it do n't , he wo n't ."),
        ("in 't, son 't, n 'ts", "in ' t , son ' t , n ' ts"),  # no negation
    ],
)
def test_detached_negations_are_joined(text: str, words: str) -> None:
    assert tokenise(text) == tuple(words.split())
    assert [word for piece in tokenise_words(text.split()) for word in piece] == words.split()


def test_words_are_tokenised_one_by_one() -> None:
    assert tokenise_words(["It's", "n", "'t", "\u200b", "ok"]) == [("it", "'s"), ("n't",), (), (), ("ok",)]
    assert tokenise_words(["It's", "n", "'t"], "split") == [("It's",), ("n",), ("'t",)]


@pytest.mark.parametrize(
    "word",
    [
        *("caf\u00e9", "na\u00efve", "vi\u1ec7t", "x\u0304y", "i\u0307stanbul", "\u0451\u043b\u043a\u0430"),
        *("\u0939\u093f\u0928\u094d\u0926\u0940", "\u092b\u093c\u093f\u0932\u094d\u092e"),  # Hindi
        *(
            "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22\u0e17\u0e35\u0e48",
            "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd",
        ),  # Thai, Tamil
        *(
            "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd",
            "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f",
        ),  # pointed Hebrew, Arabic
        *("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0915\u094d\u200d\u0937"),  # joiners of Persian, Hindi
        *("\u05e6\u05d4\u05f4\u05dc", "col\u00b7lecci\u00f3", "\ud55c\uad6d\uc5b4", "\u65e5\u672c\u8a9e"),
        *(
            "\u2764\ufe0f",
            "1\ufe0f\u20e3",
            "\U0001f44d\U0001f3fd",
            "\U0001f1e9\U0001f1ea",
            "\U0001f469\u200d\U0001f680",
        ),
    ],
)
def test_marks_belong_to_their_word(word: str) -> None:
    for form in ("NFC", "NFD"):
        text = unicodedata.normalize(form, word)
        assert tokenise(text) == (unicodedata.normalize("NFC", word),)


def test_invisible_characters_do_not_cut_words() -> None:
    for sign in "\u00ad\u200b\u200c\u200d\u2060\ufeff\u200e\u202a":
        text = f"{sign}go{sign}od{sign} co{sign}-operation {sign} caf\u00e9{sign}s"
        assert tokenise(text) == ("good", "co-operation", "caf\u00e9s")
    assert tokenise("well\u2011made") == ("well-made",)
    assert tokenise("\u0130stanbul") == tokenise("I\u0307stanbul")
    assert tokenise("half \ud83d, whole \U0001f600") == ("half", "\ufffd", ",", "whole", "\U0001f600")


@pytest.mark.parametrize("unit", ["'s", "n't", "-n't", "'s-"])
def test_a_word_with_any_number_of_clitics(unit: str) -> None:
    words = tokenise("it" + unit * 20_000)
    assert "".join(words) == "it" + unit * 20_000
    assert words[0] == "it"


def test_split_changes_nothing() -> None:
    assert tokenise(" It's  -LRB-\tgood. ", "split") == ("It's", "-LRB-", "good.")


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)))
def test_idempotent_and_piece_by_piece(text: str) -> None:
    for name in ("split", "glove"):
        words = tokenise(text, name)
        assert all(words)
        assert not any(character.isspace() for word in words for character in word)
        assert tokenise(" ".join(words), name) == words
        assert words == tuple(word for piece in words for word in tokenise(piece, name))


def test_unknown_name() -> None:
    with pytest.raises(HsEnvError, match="Did you mean 'glove'"):
        tokenise("a", "glov")
