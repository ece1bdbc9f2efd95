"""Shorten the sentences of a corpus, as controls for models that choose which words they read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from random import Random

from hs_env.corpora.corpus import Corpus
from hs_env.types import Sentence


def beginnings(corpus: Corpus, share: float) -> Corpus:
    """Return a corpus of the first words of each sentence.

    Args:
        corpus: Corpus of words.
        share: Share of the words of a sentence that stay, above 0; their number is rounded up.
    """
    return _selected(corpus, lambda split, at, words: range(_count(share, words)))


def thinned(corpus: Corpus, share: float, seed: int = 0) -> Corpus:
    """Return a corpus whose words are deleted at random, without a change of their order.

    The number of words that stay in a sentence is that of `beginnings`. Which ones depends only on the seed, the split,
    the place of the sentence in it, and its number of words.

    Args:
        corpus: Corpus of words.
        share: Share of the words of a sentence that stay, above 0.
        seed: Seed of the choice.
    """
    from hs_env.compute import seed_for  # imports torch, which a list of corpora does not need

    def drawn(split: str, at: int, words: int) -> list[int]:
        draw = Random(seed_for(seed, "thinned", split, at))
        return sorted(draw.sample(range(words), _count(share, words)))

    return _selected(corpus, drawn)


def _count(share: float, words: int) -> int:
    """Return how many words stay, rounded up; 0.28 of 25 words are 7, though as floats their product is above it."""
    return max(1, math.ceil(round(share * words, 9)))


def _selected(corpus: Corpus, select: Callable[[str, int, int], range | list[int]]) -> Corpus:
    """Return a corpus of some words of each sentence, without gold actions.

    Args:
        corpus: Corpus of words.
        select: Function of the split, the place of a sentence in it and its number of words; returns the places of the
            words that stay, in order.
    """

    def of(split: str, at: int, sentence: Sentence) -> Sentence:
        words = tuple(sentence.words[place] for place in select(split, at, len(sentence.words)))
        return replace(sentence, words=words, gold_actions=None)

    splits = {
        split: tuple(of(split, at, sentence) for at, sentence in enumerate(each))
        for split, each in corpus.splits.items()
    }
    return replace(corpus, splits=splits)
