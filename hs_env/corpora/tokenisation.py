r"""Tokenise text. A corpus records the name of its tokenisation, so that new text is tokenised the same way.

| name | what it does |
|---|---|
| `split` | splits at white space and changes nothing else: for text that is tokenised already |
| `glove` | lower-cases and tokenises by the rules behind the GloVe vectors (Penn Treebank), see below |
| `split_characters`, `glove_characters` | the characters of these words, with a blank between two words |
| `split_bytes`, `glove_bytes` | the same with UTF-8 bytes (see `units`) |

`glove` accepts both raw and tokenised text:

* Each punctuation mark becomes a token, but `...` and `--` stay whole.
* Clitics become tokens: `it's` -> `it 's`, `doesn't` -> `does n't`, `can't` -> `ca n't`; `do n't` is not changed.
* Treebank escapes are decoded: `-LRB-` -> `(`, ``` `` ``` and `''` -> `"`, `\/` -> `/`.
* Numbers (`1,000`, `3.5`, `9/11`), hyphenated words, `o'brien`, `at&t` and `u.s.` stay whole.
* Typographic quotes, dashes and ellipses, also those of Windows-1252, become characters that GloVe knows.
* Detached negations are joined first: `do n 't` and `don 't` -> `do n't`.
* Text becomes Unicode NFC. Combining marks belong to their word. Soft hyphens, zero-width spaces and marks of direction
  are removed; so are joiners, except in scripts and emoji that need them. Half a surrogate pair becomes U+FFFD.

`split` and `glove` are idempotent. Except for detached negations, they treat each white-space separated piece of the
text independently.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, groupby
from types import MappingProxyType
from typing import Final

from hs_env.errors import HsEnvError
from hs_env.registry import unknown_name
from hs_env.text_units import UNITS, divide_words, unit_of

_TYPOGRAPHY: Final = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\x91": "'", "\x92": "'",
        "\u201c": '"', "\u201d": '"', "\x93": '"', "\x94": '"',
        "\u2026": " ... ", "\x85": " ... ", "\x96": "\u2013", "\x97": "\u2014", "\u2010": "-", "\u2011": "-",
    }
)  # fmt: skip


def _marks() -> str:
    """Return all combining marks as ranges of a character class, since `re` has no name for them."""
    marks = (
        code for code in (*range(0x300, 0x1F000), *range(0xE0100, 0xE01F0)) if unicodedata.category(chr(code))[0] == "M"
    )
    runs = [[code for _, code in run] for _, run in groupby(enumerate(marks), lambda pair: pair[1] - pair[0])]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)


_MARK: Final = _marks()
_IGNORED: Final = re.compile("[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_JOINS: Final = "\u0600-\u1dff\u2190-\u2bff\ufe0f\U00010000-\U0003ffff"  # scripts and emoji that need joiners
_JOINER: Final = re.compile(f"(?<![{_JOINS}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINS}])")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NEGATION: Final = re.compile(
    r"\b(n|(?:ai|are|ca|could|dare|did|do|does|had|has|have|is|might|must|need|ought|sha|should|was|were|wo|would)n)"
    rf"\s+'t(?![\w{_MARK}])"
)
_BRACKETS: Final = {"-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]", "-lcb-": "{", "-rcb-": "}"}
_ESCAPED: Final = re.compile(r"\\+([/*])")
_TOKEN: Final = re.compile(
    rf"""
      (?P<bracket> -(?:lrb|rrb|lsb|rsb|lcb|rcb)-(?![\w{_MARK}]) )
    | (?P<dots> \.{{2,}} )
    | (?P<dashes> -{{2,}} )
    | (?P<quote> ``|'' )
    | '(?:s|m|d|ll|re|ve|em|til|\d0s)(?![\w{_MARK}])        # clitics and clipped words, already separate
    | [^\W\d_](?:\.[^\W\d_])+\.?(?![\w{_MARK}])             # u.s. and j.r.r.
    | (?P<word> WORD (?:[-'&\u00b7\u05f3\u05f4]WORD)* )
    | [\U0001f1e6-\U0001f1ff]{{2}}                           # flags
    | SIGN (?:\u200dSIGN)*                                 # with its marks and skin tones, such as a joined emoji
    """.replace("SIGN", rf"(?:.[{_MARK}\U0001f3fb-\U0001f3ff]*)").replace(
        "WORD", rf"(?:\d+(?:[.,:/]\d+)+[\w{_MARK}]*|\w[\w{_MARK}]*(?:[\u200c\u200d]+[\w{_MARK}]+)*)"
    ),
    re.VERBOSE | re.DOTALL,
)
_CLITICS: Final = ("n't", "'s", "'m", "'d", "'ll", "'re", "'ve")
_NORMAL: Final = {"dots": "...", "dashes": "--", "quote": '"'}


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _glove(text: str) -> tuple[str, ...]:
    return tuple(chain.from_iterable(map(_glove_piece, _normal(text).split())))


def _normal(text: str) -> str:
    """Return a text in lower case, with plain typography, without invisible characters, and with joined negations."""
    text = text.translate(_TYPOGRAPHY).lower()
    if not text.isascii():
        text = _JOINER.sub("", _IGNORED.sub("", _SURROGATE.sub("\ufffd", text)))
        text = unicodedata.normalize("NFC", text)
    return _NEGATION.sub(r"\1't", text)


def _divided(make: Callable[[str], tuple[str, ...]], unit: str) -> Callable[[str], tuple[str, ...]]:
    """Return a tokenisation into the units of the words that `make` returns."""
    return lambda text: divide_words(make(text), unit)


@lru_cache(maxsize=1 << 18)
def _glove_piece(piece: str) -> tuple[str, ...]:
    """Tokenise a piece of text without white space. Texts repeat most pieces, hence the cache."""
    words: list[str] = []
    for match in _TOKEN.finditer(_ESCAPED.sub(r"\1", piece)):
        kind, token = match.lastgroup, match.group()
        if kind == "bracket":
            words.append(_BRACKETS[token])
        elif kind == "word":
            words += _separate_clitics(token)
        elif token := token.strip("\u200c\u200d"):
            words.append(_NORMAL.get(kind or "", token))
    return tuple(words)


def _separate_clitics(word: str) -> list[str]:
    """Separate all clitics at the end of a word, and the signs that then are at its end: `do-n't` -> `do - n't`."""
    parts: list[str] = []
    end = len(word)
    while True:
        clitic = next((clitic for clitic in _CLITICS if word.endswith(clitic, 0, end)), "")
        if 0 < len(clitic) < end:
            end -= len(clitic)
            parts.append(clitic)
        elif parts and word[end - 1] in "-'&\u00b7\u05f3\u05f4":
            end -= 1
            parts.append(word[end])
        else:
            return [word[:end], *reversed(parts)]


_WORDS: Final = {"split": _split, "glove": _glove}

TOKENISATIONS: Final[Mapping[str, Callable[[str], tuple[str, ...]]]] = MappingProxyType(
    _WORDS | {f"{name}_{unit}": _divided(make, unit) for name, make in _WORDS.items() for unit in UNITS[1:]}
)
"""Tokenisations by name."""


def tokenise(text: str, name: str = "glove") -> tuple[str, ...]:
    """Tokenise a text by one of `TOKENISATIONS`. Blank text has no words.

    Raises:
        HsEnvError: If there is no such tokenisation.
    """
    if name not in TOKENISATIONS:
        raise unknown_name("tokenisation", name, TOKENISATIONS)
    return TOKENISATIONS[name](text)


def tokenise_words(words: Sequence[str], name: str = "glove") -> list[tuple[str, ...]]:
    """Tokenise the words of a text one by one, so that something can be aligned with them.

    A word has several tokens if tokenisation divides it. It has none if it is invisible, or if it belongs to the word
    before it as in `n 't`. The tokens together are those of `tokenise(" ".join(words))`.

    Raises:
        HsEnvError: If there is no such tokenisation, or it makes characters or bytes.
    """
    if (unit := unit_of(name)) != "words":
        raise HsEnvError(f"Expected a tokenisation into words, got {name!r}, which makes {unit}.")
    pieces = [tokenise(word, name) for word in words]
    tokens = tokenise(" ".join(words), name)
    if sum(map(len, pieces)) == len(tokens):
        return pieces
    for at in range(len(words) - 1):
        joined = tokenise(f"{words[at]} {words[at + 1]}", name)
        if len(joined) < len(pieces[at]) + len(pieces[at + 1]):
            pieces[at : at + 2] = [joined, ()]
    return pieces
