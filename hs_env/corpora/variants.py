"""Change a corpus of words: shorten sentences, add typos, or divide the words into characters or bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain

from hs_env.corpora.corpus import Corpus
from hs_env.corpora.noise import noisy
from hs_env.corpora.shortened import beginnings, thinned
from hs_env.corpora.spec import whole_number
from hs_env.errors import HsEnvError
from hs_env.problems import PROBLEMS
from hs_env.registry import unknown_name
from hs_env.text_units import UNITS, divide_words
from hs_env.types import Sentence


@dataclass(frozen=True, slots=True)
class Variant:
    """What is changed in the sentences of a corpus after it is loaded.

    Sentences are shortened, then typos are added, then words are divided.

    Attributes:
        tokenisation: What the words of a sentence become: "words", "characters" or "bytes".
        noise: Probability of a typo in a word, 0 to 1, in all splits (see `noisy`).
        noise_seed: Seed of the typos.
        first: Share of the words of each sentence that stay, from its beginning (see `beginnings`).
        kept: Share of the words of each sentence that stay, drawn at random (see `thinned`).

    Raises:
        HsEnvError: If a value is not possible.
    """

    tokenisation: str = "words"
    noise: float = 0.0
    noise_seed: int = 0
    first: float = 1.0
    kept: float = 1.0

    def __post_init__(self) -> None:
        if self.tokenisation not in UNITS:
            raise unknown_name("tokenisation of a corpus", str(self.tokenisation), UNITS)
        if not 0 <= self.noise <= 1:
            raise HsEnvError(f"noise is the share of words that get a typo, 0 to 1, got {self.noise!r}.")
        for name in ("first", "kept"):
            if not 0 < getattr(self, name) <= 1:
                raise HsEnvError(f"{name} is a share of the words, above 0 and at most 1, got {getattr(self, name)!r}.")

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
        first, kept = (_share(corpus, settings, name) for name in ("first", "kept"))
        return cls(settings.get("tokenisation", "words"), noise, seed, first, kept)

    def to_settings(self) -> dict[str, str]:
        """Return the settings that differ from the defaults; the inverse of `from_settings`."""
        settings = {
            "tokenisation": self.tokenisation,
            "noise": _written(self.noise),
            "noise_seed": str(self.noise_seed),
            "first": _written(self.first),
            "kept": _written(self.kept),
        }
        default = {"tokenisation": "words", "noise": "0", "noise_seed": "0", "first": "1", "kept": "1"}
        return {key: value for key, value in settings.items() if value != default[key]}

    def of(self, corpus: Corpus) -> Corpus:
        """Return this variant of a corpus of words."""
        corpus = corpus if self.first == 1 else beginnings(corpus, self.first)
        corpus = corpus if self.kept == 1 else thinned(corpus, self.kept)
        corpus = noisy(corpus, self.noise, self.noise_seed)
        return corpus if self.tokenisation == "words" else divided(corpus, self.tokenisation)


SETTINGS = frozenset(("tokenisation", "noise", "noise_seed", "first", "kept"))
"""Names of the settings of a variant."""


def _written(number: float) -> str:
    """Return all digits of a number, without `.0`."""
    return repr(float(number)).removesuffix(".0")


def _share(corpus: str, settings: Mapping[str, str], name: str) -> float:
    """Read a share of the words from the setting called `name`; 1 by default."""
    try:
        share = float(settings.get(name, "1"))
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise HsEnvError(
            f"The corpus {corpus!r}: {name} must be a number above 0 and at most 1, got {settings[name]!r}."
        )
    return share


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
        return replace(sentence, words=divide_words(sentence.words, unit), gold_actions=gold, unit=unit)

    corpus = corpus.for_problem(phrases)
    splits = {split: tuple(map(of, sentences)) for split, sentences in corpus.splits.items()}
    tokenisation = f"{corpus.tokenisation}_{unit}"
    return replace(corpus, splits=splits, tokenisation=tokenisation, problem="phrase_segmentation")
