"""Tokenisation: the rules one by one, and idempotence for any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hs_env.corpora import TOKENISATIONS, tokenise
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


def test_split_changes_nothing() -> None:
    assert tokenise(" It's  -LRB-\tgood. ", "split") == ("It's", "-LRB-", "good.")


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)))
def test_idempotent_and_piece_by_piece(text: str) -> None:
    for name in TOKENISATIONS:
        words = tokenise(text, name)
        assert all(words)
        assert not any(character.isspace() for word in words for character in word)
        assert tokenise(" ".join(words), name) == words
        assert words == tuple(word for piece in words for word in tokenise(piece, name))


def test_unknown_name() -> None:
    with pytest.raises(HsEnvError, match="Did you mean 'glove'"):
        tokenise("a", "glov")
