r"""Tokenise text. A corpus records the name of its tokenisation, so that new text is tokenised the same way.

| name | what it does |
|---|---|
| `split` | splits at white space and changes nothing else: for text that is tokenised already |
| `glove` | lower-cases and tokenises by the rules behind the GloVe vectors (Penn Treebank), see below |

`glove` accepts both raw and tokenised text:

* Each punctuation mark becomes a token, but `...` and `--` stay whole.
* Clitics become tokens: `it's` -> `it 's`, `doesn't` -> `does n't`, `can't` -> `ca n't`; `do n't` is not changed.
* Treebank escapes are decoded: `-LRB-` -> `(`, ``` `` ``` and `''` -> `"`, `\/` -> `/`.
* Numbers (`1,000`, `3.5`, `9/11`), hyphenated words, `o'brien`, `at&t` and `u.s.` stay whole.
* Typographic quotes, dashes and ellipses, also those of Windows-1252, become characters that GloVe knows.

Every tokenisation is idempotent and treats each white-space separated piece of the text independently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from hs_env.registry import unknown_name

_TYPOGRAPHY: Final = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\x91": "'", "\x92": "'",
        "\u201c": '"', "\u201d": '"', "\x93": '"', "\x94": '"',
        "\u2026": " ... ", "\x85": " ... ", "\x96": "\u2013", "\x97": "\u2014",
    }
)  # fmt: skip
_BRACKETS: Final = {"-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]", "-lcb-": "{", "-rcb-": "}"}
_ESCAPED: Final = re.compile(r"\\+([/*])")
_TOKEN: Final = re.compile(
    r"""
      (?P<bracket> -(?:lrb|rrb|lsb|rsb|lcb|rcb)-(?!\w) )
    | (?P<dots> \.{2,} )
    | (?P<dashes> -{2,} )
    | (?P<quote> ``|'' )
    | '(?:s|m|d|ll|re|ve|em|til|\d0s)(?!\w)                # clitics and clipped words, already separate
    | [^\W\d_](?:\.[^\W\d_])+\.?(?!\w)                     # u.s. and j.r.r.
    | (?P<word> (?:\d+(?:[.,:/]\d+)+\w*|\w+) (?:[-'&](?:\d+(?:[.,:/]\d+)+\w*|\w+))* )
    | .
    """,
    re.VERBOSE,
)
_CLITIC: Final = re.compile(r"(?P<stem>.+?)(?P<clitic>n't|'(?:s|m|d|ll|re|ve))")
_NORMAL: Final = {"dots": "...", "dashes": "--", "quote": '"'}


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _glove(text: str) -> tuple[str, ...]:
    return tuple(word for piece in text.translate(_TYPOGRAPHY).lower().split() for word in _glove_piece(piece))


@lru_cache(maxsize=1 << 18)
def _glove_piece(piece: str) -> tuple[str, ...]:
    """Tokenise a piece of text without white space. Texts repeat most pieces, hence the cache."""
    words: list[str] = []
    for match in _TOKEN.finditer(_ESCAPED.sub(r"\1", piece)):
        kind, token = match.lastgroup, match.group()
        if kind == "bracket":
            words.append(_BRACKETS[token])
        elif kind == "word" and (clitic := _CLITIC.fullmatch(token)):
            words += [*_glove_piece(clitic["stem"]), clitic["clitic"]]
        else:
            words.append(_NORMAL.get(kind or "", token))
    return tuple(words)


TOKENISATIONS: Final[Mapping[str, Callable[[str], tuple[str, ...]]]] = MappingProxyType(
    {"split": _split, "glove": _glove}
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
