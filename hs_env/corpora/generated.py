"""Generate a corpus of distinct sentences with gold trees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, TypeAlias
from zlib import crc32

from hs_env.corpora.corpus import SPLITS, Corpus
from hs_env.errors import HsEnvError
from hs_env.types import Sentence

Draw: TypeAlias = Callable[[], float]
"""Draws a number from 0 to 1, 1 excluded."""

LARGEST_SPLIT: Final = 10**7
"""Largest number of sentences of a generated split."""

_SHARES: Final = {"test": range(1), "dev": range(1, 2), "train": range(2, 10)}  # tenths of all sentences
_ATTEMPTS: Final = 100_000  # draws without a new sentence, after which there probably is none


def check_sizes(name: str, seed: int, sizes: Sequence[int]) -> None:
    """Check the seed of a generated corpus and its numbers of sentences of train, dev and test.

    Raises:
        HsEnvError: If a number is negative, train is 0, or a size is above `LARGEST_SPLIT`.
    """
    if min(seed, *sizes) < 0 or not sizes[0] or max(sizes) > LARGEST_SPLIT:
        raise HsEnvError(
            f"{name}: expected a seed from 0, train from 1, other sizes from 0 and all up to {LARGEST_SPLIT:,}, got "
            f"seed={seed} and {', '.join(map('{}={}'.format, SPLITS, sizes))}."
        )


def composition_corpus(
    name: str,
    labels: tuple[str, ...],
    after: str,
    seed: int,
    sizes: Sequence[int],
    kinds: Sequence[tuple[Callable[[Draw], Sentence | None], str]],
) -> Corpus:
    """Generate a corpus with gold trees, whose sentences are all distinct.

    Sentence `i` of a split depends only on the seed, the split, the kind of sentence and the sentences before it, so a
    larger corpus begins with the smaller one. The split of a sentence is a function of its words: no sentence is in two
    splits, whatever seeds, sizes and settings are.

    Args:
        name: Name of the corpus.
        labels: Name of each class.
        after: Authors and year of the publication that describes it.
        seed: Seed, from 0.
        sizes: Numbers of sentences of train, dev and test.
        kinds: For train, dev and test: a function that draws a sentence, or returns None to draw again; and a
            description of wanted sentences for an error, such as "20 to 100 words".

    Raises:
        HsEnvError: If a number is out of range, or there are too few distinct sentences.
    """
    check_sizes(name, seed, sizes)
    splits = {
        split: _distinct(seed, split, size, *kind) for split, size, kind in zip(SPLITS, sizes, kinds, strict=True)
    }
    source = f"generated after {after}; no licence needed"
    return Corpus(name, labels, splits, "split", best_accuracy=1.0, source=source, problem="composition")


def _distinct(
    seed: int, split: str, size: int, make: Callable[[Draw], Sentence | None], wanted: str
) -> tuple[Sentence, ...]:
    """Draw the sentences of a split.

    Raises:
        HsEnvError: If there are too few distinct sentences.
    """
    found: dict[str, Sentence] = {}
    for index in range(size):
        draw = Random((seed * len(SPLITS) + SPLITS.index(split)) * 2**32 + index).random
        for _ in range(_ATTEMPTS):
            sentence = make(draw)
            if sentence is None:
                continue
            text = " ".join(sentence.words)
            if text not in found and crc32(text.encode()) % 10 in _SHARES[split]:
                found[text] = sentence
                break
        else:
            raise HsEnvError(
                f"After {index:,} of {size:,} {split} sentences, {_ATTEMPTS:,} draws gave no new one of {wanted}. Ask "
                "for fewer, or for longer or deeper ones."
            )
    return tuple(found.values())
