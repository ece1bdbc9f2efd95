"""Change a corpus of words: add typos, or divide the words into characters or bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain

from hs_env.corpora.corpus import Corpus
from hs_env.corpora.noise import noisy
from hs_env.corpora.spec import whole_number
from hs_env.corpora.units import UNITS, divide_words
from hs_env.errors import HsEnvError
from hs_env.problems import PROBLEMS
from hs_env.registry import unknown_name
from hs_env.types import Sentence


@dataclass(frozen=True, slots=True)
class Variant:
    """What is changed in the sentences of a corpus after it is loaded. Typos are added before words are divided.

    Attributes:
        tokenisation: What the words of a sentence become: "words", "characters" or "bytes".
        noise: Probability of a typo in a word, 0 to 1, in all splits (see `noisy`).
        noise_seed: Seed of the typos.

    Raises:
        HsEnvError: If a value is not possible.
    """

    tokenisation: str = "words"
    noise: float = 0.0
    noise_seed: int = 0

    def __post_init__(self) -> None:
        if self.tokenisation not in UNITS:
            raise unknown_name("tokenisation of a corpus", str(self.tokenisation), UNITS)
        if not 0 <= self.noise <= 1:
            raise HsEnvError(f"noise is the share of words that get a typo, 0 to 1, got {self.noise!r}.")

    @classmethod
    def from_settings(cls, corpus: str, settings: Mapping[str, str]) -> Variant:
        """Read a variant from settings; those that are missing keep their defaults.

        Raises:
            HsEnvError: If a value is not possible.
        """
        try:
            noise = float(settings.get("noise", "0"))
        except ValueError:
            noise = math.nan
        if not 0 <= noise <= 1:
            raise HsEnvError(f"The corpus {corpus!r}: noise must be a number from 0 to 1, got {settings['noise']!r}.")
        seed = whole_number(corpus, "noise_seed", settings.get("noise_seed", "0"))
        return cls(settings.get("tokenisation", "words"), noise, seed)

    def to_settings(self) -> dict[str, str]:
        """Return the settings that differ from the defaults; the inverse of `from_settings`."""
        settings = {
            "tokenisation": self.tokenisation,
            "noise": f"{self.noise:g}",
            "noise_seed": str(self.noise_seed),
        }
        default = {"tokenisation": "words", "noise": "0", "noise_seed": "0"}
        return {key: value for key, value in settings.items() if value != default[key]}

    def of(self, corpus: Corpus) -> Corpus:
        """Return this variant of a corpus of words."""
        corpus = noisy(corpus, self.noise, self.noise_seed)
        return corpus if self.tokenisation == "words" else divided(corpus, self.tokenisation)


SETTINGS = frozenset(("tokenisation", "noise", "noise_seed"))
"""Names of the settings of a variant."""


def divided(corpus: Corpus, unit: str) -> Corpus:
    """Return a corpus whose words are the characters or bytes of the words.

    A gold phrase ends at the last unit of its last word; the blank after it belongs to the next phrase. Gold modules
    become the gold phrases that they read. Gold trees and other gold actions are left out.

    Args:
        corpus: Corpus of words.
        unit: "characters" or "bytes".
    """
    phrases = PROBLEMS.get("phrase_segmentation")

    def of(sentence: Sentence) -> Sentence:
        gold = sentence.gold_actions
        sizes = [len(divide_words((word,), unit)) for word in sentence.words]
        sizes[1:] = [size + 1 for size in sizes[1:]]  # the blank before each word but the first
        if gold is not None:
            gold = tuple(chain(*((0,) * (size - 1) + (action,) for size, action in zip(sizes, gold, strict=True))))
        return replace(sentence, words=divide_words(sentence.words, unit), gold_actions=gold)

    corpus = corpus.for_problem(phrases)
    splits = {split: tuple(map(of, sentences)) for split, sentences in corpus.splits.items()}
    tokenisation = f"{corpus.tokenisation}_{unit}"
    return replace(corpus, splits=splits, tokenisation=tokenisation, problem="phrase_segmentation")
