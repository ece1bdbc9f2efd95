"""Texts for character language models: Penn Treebank, tiny Shakespeare, built-in corpora, or any file.

| name | folder of `data_dir` | files |
|---|---|---|
| `ptb` | `ptb/` | `ptb.char.train.txt`, `ptb.char.valid.txt`, `ptb.char.test.txt`, or the same with `.gz` |
| `tinyshakespeare` | `tinyshakespeare/` | `input.txt` or `input.txt.gz` |
| `phrases`, `movie_reviews` | | none: sentences of the built-in corpus of this name, one per line |

`NAME:spaces=no` removes the spaces, and keeps where the words end to evaluate boundaries.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from hs_env.compute import CPU
from hs_env.corpora import SPLITS, load_corpus
from hs_env.corpora.spec import take_settings, yes_or_no
from hs_env.errors import HsEnvError, expand, shown
from hs_env.registry import Registry, stem_of, unknown_name
from hs_env.storage import StrPath
from hs_env.textfile import has_surrogates, read_lines, text_lines

_AFTER: Final = re.compile(r":|\.v\d+$")
_SHARES: Final = (0.9, 0.05)  # of train and dev, if a text has no splits of its own

TextBuilder = Callable[[Path | None], "Text"]

TEXTS: Final[Registry[TextBuilder]] = Registry("text", group="hs_env.texts")
"""Functions that load a text from `data_dir`, by versioned name."""


@dataclass(frozen=True)
class Text:
    """A text in three parts.

    Attributes:
        name: Name in error messages.
        train: Part for training.
        dev: Part that selects the best weights.
        test: Part for the final scores.
        source: Origin and licence, in one line.
        spaced: The text before its spaces were removed; None if they were not.
    """

    name: str
    train: str
    dev: str
    test: str
    source: str = ""
    spaced: Text | None = None

    @property
    def parts(self) -> dict[str, str]:
        """The three parts by the name of the split."""
        return {split: getattr(self, split) for split in SPLITS}

    def __post_init__(self) -> None:
        for split, part in self.parts.items():
            if not isinstance(part, str) or has_surrogates(part):
                came = "halves of surrogate pairs" if isinstance(part, str) else f"a {type(part).__name__}"
                raise HsEnvError(f"The {split} part of the text {self.name!r} must be a str of characters, got {came}.")
            if len(part) < 2:
                raise HsEnvError(
                    f"The {split} part of the text {self.name!r} has fewer than 2 characters. Use a longer text."
                )

    @classmethod
    def cut(cls, name: str, whole: str, source: str = "") -> Text:
        """Split a text in order: 90% train, 5% dev, 5% test."""
        first, second = int(_SHARES[0] * len(whole)), int(sum(_SHARES) * len(whole))
        return cls(name, whole[:first], whole[first:second], whole[second:], source)

    def without_spaces(self) -> Text:
        """Return the text without white space other than line ends.

        Raises:
            HsEnvError: If fewer than 2 characters of a part remain.
        """
        train, dev, test = ("".join(filter(_stays, part)) for part in (self.train, self.dev, self.test))
        return Text(f"{self.name}:spaces=no", train, dev, test, self.source, self)

    def word_ends(self, split: str) -> Tensor | None:
        """Return whether each character of a split is the last one of a word, (characters,) bool on the CPU.

        Returns:
            None if the spaces were not removed. A line end is no part of a word.

        Raises:
            HsEnvError: If there is no such split.
        """
        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        if self.spaced is None:
            return None
        whole: str = getattr(self.spaced, split)
        following = whole[1:] + "\n"
        ends = [
            not character.isspace() and after.isspace()
            for character, after in zip(whole, following, strict=True)
            if _stays(character)
        ]
        return torch.tensor(ends, device=CPU)

    @cached_property
    def alphabet(self) -> str:
        """All characters of the three parts, sorted."""
        return "".join(sorted(set(self.train) | set(self.dev) | set(self.test)))


def _stays(character: str) -> bool:
    """Tell whether a character stays in a text without spaces."""
    return character == "\n" or not character.isspace()


def encode(text: str, alphabet: str) -> Tensor:
    """Return the position of each character in the alphabet, (characters,) int64 on the CPU.

    Raises:
        HsEnvError: If a character is not in the alphabet.
    """
    places = {character: place for place, character in enumerate(alphabet)}
    try:
        return torch.tensor([places[character] for character in text], dtype=torch.long, device=CPU)
    except KeyError as error:
        raise HsEnvError(
            f"The character {error.args[0]!r} is not among the {len(alphabet)} that the model knows: {alphabet!r}."
        ) from error


def load_text(name: StrPath, data_dir: StrPath | None = None) -> Text:
    """Load a text.

    Args:
        name: Name in `TEXTS`, or path of a UTF-8 text file, which may be packed with gzip. After either, `:spaces=no`
            removes the spaces.
        data_dir: Folder with the folders `ptb/` and `tinyshakespeare/`.

    Raises:
        HsEnvError: If there is no such text or file, or it is too short or not UTF-8.
    """
    name, settings = take_settings(os.fspath(name), ["spaces"])
    text = _load(name, None if data_dir is None else expand(data_dir))
    return text if yes_or_no(f"The text {name!r}", "spaces", settings.get("spaces", "yes")) else text.without_spaces()


def _load(name: str, data_dir: Path | None) -> Text:
    """Load a text with its spaces."""
    path, stems = expand(name), {stem_of(full) for full in TEXTS}
    stem = _AFTER.split(name)[0]  # of a name with another version, or with settings that no text has
    is_path = path.is_file() or (stem not in stems and (path.suffix or len(path.parts) > 1))
    if name not in {*TEXTS, *stems} and is_path:
        return Text.cut(path.name, _whole(path))
    builder: object = TEXTS.get(name)
    try:
        text: object = builder(data_dir) if callable(builder) else builder
    except HsEnvError:
        raise
    except Exception as error:  # a plug-in may raise anything
        raise HsEnvError(
            f"The function of the text {name!r} failed: {type(error).__name__}: {error}. It gets one argument, the "
            "folder of texts or None."
        ) from error
    if not isinstance(text, Text):
        raise HsEnvError(f"The function of the text {name!r} must return a Text, got {shown(text)}.")
    return text


def _whole(path: Path) -> str:
    """Return the text of a file, with LF at each line end."""
    return "".join(text_lines(read_lines(path), path)).replace("\r\n", "\n").replace("\r", "\n")


@TEXTS.register("ptb.v1")
def ptb(data_dir: Path | None) -> Text:
    """Load the Penn Treebank as Mikolov et al. 2012 prepared it for characters: 50 symbols, including the line end."""
    parts = [_file("ptb", data_dir, f"ptb.char.{split}.txt") for split in ("train", "valid", "test")]
    train, dev, test = ("".join(map(_joined, read_lines(path))) for path in parts)
    return Text("ptb", train, dev, test, "Penn Treebank, prepared by Mikolov et al. 2012; for research, (C) LDC")


def _joined(line: str) -> str:
    """Convert a line such as `a _ c a t` to `a cat`."""
    return line.strip().replace(" ", "").replace("_", " ") + "\n"


@TEXTS.register("tinyshakespeare.v1")
def tinyshakespeare(data_dir: Path | None) -> Text:
    """Load plays of Shakespeare: 1.1 million characters (Karpathy 2015), split in order."""
    whole = _whole(_file("tinyshakespeare", data_dir, "input.txt"))
    return Text.cut("tinyshakespeare", whole, "Plays of Shakespeare, collected by Karpathy 2015; public domain")


@TEXTS.register("phrases.v1")
def phrases(data_dir: Path | None) -> Text:
    """Load the sentences of the generated corpus `phrases`, one per line. Needs no files."""
    return _sentences("phrases")


@TEXTS.register("movie_reviews.v1")
def movie_reviews(data_dir: Path | None) -> Text:
    """Load the sentences of the corpus `movie_reviews`, lower-cased and tokenised, one per line. Needs no files."""
    return _sentences("movie_reviews")


def _sentences(corpus: str) -> Text:
    """Return the sentences of a corpus, one per line."""
    loaded = load_corpus(corpus)
    parts = ("".join(" ".join(sentence.words) + "\n" for sentence in loaded.splits[split]) for split in SPLITS)
    train, dev, test = parts
    return Text(corpus, train, dev, test, loaded.source)


def _file(text: str, data_dir: Path | None, name: str) -> Path:
    if data_dir is None:
        raise HsEnvError(f"The text {text!r} needs files: give data_dir, the folder that contains {text}/.")
    for path in (data_dir / text / name, data_dir / text / f"{name}.gz"):
        if path.is_file():
            return path
    raise HsEnvError(
        f"The text {text!r} is read from {data_dir / text / name}[.gz], which does not exist. Check data_dir."
    )
