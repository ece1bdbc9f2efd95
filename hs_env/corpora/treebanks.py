"""Sentences whose structure linguists have marked, to compare phrases with: chunks and trees.

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

from hs_env.corpora.tokenisation import tokenise
from hs_env.errors import HsEnvError
from hs_env.problems.segmentation import END, INSIDE
from hs_env.registry import unknown_name
from hs_env.textfile import read_lines
from hs_env.types import Sentence

Span: TypeAlias = tuple[int, int]
"""A first word, and the word behind the last one."""


@dataclass(frozen=True)
class Treebank:
    """Sentences and their brackets.

    Attributes:
        name: Where they are from.
        sentences: With label 0 for want of a better one, and gold phrases where the brackets are flat.
        brackets: The constituents of each sentence, those of one word and the whole sentence among them where they are
            marked.
    """

    name: str
    sentences: tuple[Sentence, ...]
    brackets: tuple[frozenset[Span], ...]


class _Marked(NamedTuple):
    """Words and spans as they stand in the file."""

    words: Sequence[str]
    spans: Sequence[Span]


def load_treebank(name: str, *, data_dir: Path | None, split: str = "test", tokenisation: str = "glove") -> Treebank:
    """Read a treebank, cut into words as a corpus is: where a word is cut, its brackets hold all of its parts.

    Args:
        name: `conll2000`, where a word outside all chunks is a phrase of its own; or `sst`.
        data_dir: The folder that holds `conll2000/` and `sst/`.
        split: "train", "dev" or "test", as far as there is one.
        tokenisation: A name that `tokenise` knows.

    Raises:
        HsEnvError: If there is no such treebank or file, or it is broken, with file and line.
    """
    if name not in _KINDS:
        raise unknown_name("treebank", name, _KINDS)
    kind = _KINDS[name]
    if data_dir is None:
        raise HsEnvError(f"The treebank {name!r} is read from files: give data_dir, the folder that holds {name}/.")
    stem = data_dir.expanduser() / name / kind.stem.format(split)
    path = next((path for suffix in (".txt.gz", ".txt") if (path := Path(f"{stem}{suffix}")).is_file()), None)
    if path is None:
        raise HsEnvError(f"The {split} split of the treebank {name!r} is read from {stem}.txt.gz, and there is none.")
    sentences, brackets = [], []
    for marked in kind.read(path):
        pieces = [tokenise(word, tokenisation) for word in marked.words]
        place = [0, *accumulate(map(len, pieces))]
        spans = frozenset((place[start], place[stop]) for start, stop in marked.spans)
        words = tuple(word for piece in pieces for word in piece)
        stops = {stop for _, stop in spans}
        gold = tuple(END if at in stops else INSIDE for at in range(1, len(words) + 1)) if kind.flat else None
        sentences.append(Sentence(words, 0, gold))
        brackets.append(spans)
    if not sentences:
        raise HsEnvError(f"{path}: the file holds no sentences.")
    return Treebank(f"{name}, {split}", tuple(sentences), tuple(brackets))


def _read_chunks(path: Path) -> Iterator[_Marked]:
    """`word POS chunk-tag` a line, an empty line between sentences; tags are B-X, I-X and O."""
    rows: list[list[str]] = []
    for line, text in enumerate(read_lines(path), 1):
        fields = text.split()
        if fields and (len(fields) != 3 or not re.fullmatch(r"O|[BI]-\S+", fields[2])):
            raise HsEnvError(f"{path}, line {line}: expected a word, its part of speech and B-X, I-X or O: {text!r}.")
        if fields:
            rows.append(fields)
        elif rows:
            yield _chunked(rows)
            rows = []
    if rows:
        yield _chunked(rows)


def _chunked(rows: Sequence[Sequence[str]]) -> _Marked:
    """A chunk begins at B-X, and at I-X where no chunk X goes on; a word with O stands alone."""
    tags = [tag for _, _, tag in rows]
    first = [at for at, tag in enumerate(tags) if not tag.startswith("I-") or not at or tags[at - 1][1:] != tag[1:]]
    return _Marked([word for word, _, _ in rows], list(zip(first, [*first[1:], len(rows)], strict=True)))


def _read_trees(path: Path) -> Iterator[_Marked]:
    """A tree a line, `(label (label word) (label word))`."""
    for line, text in enumerate(read_lines(path), 1):
        if text.strip():
            yield _tree(text, f"{path}, line {line}")


def _tree(text: str, place: str) -> _Marked:
    words: list[str] = []
    spans: list[Span] = []
    starts: list[int] = []
    labelled = True  # whether the bracket that was opened last has its label
    for token in re.findall(r"[()]|[^\s()]+", text):
        if not labelled:
            labelled = True
            if token in "()":
                raise HsEnvError(f"{place}: expected a label behind '(', got {token!r}.")
        elif token == "(":
            starts.append(len(words))
            labelled = False
        elif not starts:
            raise HsEnvError(f"{place}: expected one tree, got {token!r} outside of it.")
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
    """How a treebank is read.

    Attributes:
        stem: Name of a split's file, without its suffix.
        read: Its reader.
        flat: Whether the brackets are phrases, one after the other, that cover the sentence.
    """

    stem: str
    read: Callable[[Path], Iterator[_Marked]]
    flat: bool


_KINDS: Final[Mapping[str, _Kind]] = {
    "conll2000": _Kind("{}", _read_chunks, True),
    "sst": _Kind("{}.trees", _read_trees, False),
}
