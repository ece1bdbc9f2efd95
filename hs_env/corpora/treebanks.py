"""Load treebanks: sentences with the chunks or parse trees that linguists have marked.

| name | folder of `data_dir` | files | brackets |
|---|---|---|---|
| `conll2000` | `conll2000/` | `train.txt.gz`, `test.txt.gz` | chunks (Tjong Kim Sang and Buchholz 2000) |
| `sst` | `sst/` | `train.trees.txt.gz`, also `dev` and `test` | all nodes of binary trees (Socher et al. 2013) |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from hs_env.corpora.tokenisation import tokenise_words
from hs_env.errors import HsEnvError, expand
from hs_env.registry import unknown_name
from hs_env.text_units import unit_of
from hs_env.textfile import read_lines
from hs_env.types import END, INSIDE, Sentence

Span: TypeAlias = tuple[int, int]
"""Position of the first word, and one past that of the last word; positions count from 0."""


@dataclass(frozen=True)
class Treebank:
    """Sentences and their constituents.

    Attributes:
        name: Name and split, such as "sst, test".
        sentences: Sentences whose label is always 0. They have gold phrases if the brackets are chunks.
        brackets: Spans of all marked constituents of each sentence. They may include single words and the whole
            sentence.
    """

    name: str
    sentences: tuple[Sentence, ...]
    brackets: tuple[frozenset[Span], ...]


class _Marked(NamedTuple):
    """Words and spans of a sentence in the file, before tokenisation."""

    words: Sequence[str]
    spans: Sequence[Span]


def load_treebank(name: str, *, data_dir: Path | None, split: str = "test", tokenisation: str = "glove") -> Treebank:
    """Read a treebank and tokenise its sentences.

    If tokenisation divides a word, its brackets contain all parts of the word. `conll2000` has no dev
    split; in it a word outside all chunks is a phrase of its own.

    Raises:
        HsEnvError: If there is no such treebank, file or tokenisation, the tokenisation makes characters or bytes,
            `data_dir` is None, or the file is broken.
    """
    if name not in _KINDS:
        raise unknown_name("treebank", name, _KINDS)
    if (unit := unit_of(tokenisation)) != "words":
        raise HsEnvError(f"A treebank has phrases of words, but the classifier reads {unit}. Choose one of words.")
    kind = _KINDS[name]
    if data_dir is None:
        raise HsEnvError(
            f"The treebank {name!r} is read from files: give data_dir, the folder that holds {name}/. "
            f"`hs-env prepare {name}` makes it."
        )
    stem = expand(data_dir) / name / kind.stem.format(split)
    path = next((path for suffix in (".txt.gz", ".txt") if (path := Path(f"{stem}{suffix}")).is_file()), None)
    if path is None:
        raise HsEnvError(f"The {split} split of the treebank {name!r} is read from {stem}.txt.gz, but there is none.")
    sentences, brackets = [], []
    for marked in kind.read(path):
        pieces = tokenise_words(marked.words, tokenisation)
        offsets = [0, *accumulate(map(len, pieces))]
        ends = ((offsets[start], offsets[stop]) for start, stop in marked.spans)
        spans = frozenset((start, stop) for start, stop in ends if start < stop)
        words = tuple(word for piece in pieces for word in piece)
        stops = {stop for _, stop in spans}
        gold = tuple(END if stop in stops else INSIDE for stop in range(1, len(words) + 1)) if kind.flat else None
        sentences.append(Sentence(words, 0, gold))
        brackets.append(spans)
    if not sentences:
        raise HsEnvError(f"{path}: the file holds no sentences.")
    return Treebank(f"{name}, {split}", tuple(sentences), tuple(brackets))


def _read_chunks(path: Path) -> Iterator[_Marked]:
    """Read lines of `word POS chunk-tag`, with tags B-X, I-X and O and empty lines between sentences."""
    rows: list[list[str]] = []
    for line, text in enumerate(read_lines(path), 1):
        fields = text.split()
        if fields and (len(fields) != 3 or not re.fullmatch(r"O|[BI]-\S+", fields[2])):
            raise HsEnvError(f"{path}, line {line}: expected a word, its part of speech and B-X, I-X or O: {text!r}.")
        if fields:
            rows.append(fields)
        elif rows:
            yield _parse_chunks(rows)
            rows = []
    if rows:
        yield _parse_chunks(rows)


def _parse_chunks(rows: Sequence[Sequence[str]]) -> _Marked:
    """Turn tags into spans: a chunk begins at B-X, and at I-X that continues no chunk X; an O word is a span."""
    tags = [tag for _, _, tag in rows]
    first = [at for at, tag in enumerate(tags) if not tag.startswith("I-") or not at or tags[at - 1][1:] != tag[1:]]
    return _Marked([word for word, _, _ in rows], list(zip(first, [*first[1:], len(rows)], strict=True)))


def _read_trees(path: Path) -> Iterator[_Marked]:
    """Read one tree per line, `(label (label word) (label word))`."""
    for line, text in enumerate(read_lines(path), 1):
        if text.strip():
            yield _parse_tree(text, f"{path}, line {line}")


def _parse_tree(text: str, place: str) -> _Marked:
    words: list[str] = []
    spans: list[Span] = []
    starts: list[int] = []
    labelled = True  # whether the last opened bracket has its label
    for token in re.findall(r"[()]|[^\s()]+", text):
        if not labelled:
            labelled = True
            if token in "()":
                raise HsEnvError(f"{place}: expected a label after '(', got {token!r}.")
        elif token == "(":
            starts.append(len(words))
            labelled = False
        elif not starts:
            raise HsEnvError(f"{place}: expected one tree, got {token!r} outside it.")
        elif token != ")":
            words.append(token)
        elif starts[-1] == len(words):
            raise HsEnvError(f"{place}: a constituent has no words.")
        else:
            spans.append((starts.pop(), len(words)))
    if starts or not labelled or (0, len(words)) not in spans:
        raise HsEnvError(f"{place}: expected one whole tree; {len(starts)} brackets are not closed.")
    return _Marked(words, spans)


class _Kind(NamedTuple):
    """Format of a treebank; brackets that are `flat` are consecutive phrases that cover the sentence."""

    stem: str  # file name without suffix, with `{}` for the split
    read: Callable[[Path], Iterator[_Marked]]
    flat: bool


_KINDS: Final[Mapping[str, _Kind]] = {
    "conll2000": _Kind("{}", _read_chunks, True),
    "sst": _Kind("{}.trees", _read_trees, False),
}
