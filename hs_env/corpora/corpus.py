"""A corpus in memory, and the registry of the corpora that have a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from hs_env.errors import HsEnvError
from hs_env.problems import PROBLEMS
from hs_env.registry import Registry
from hs_env.types import Sentence

SPLITS: Final = ("train", "dev", "test")
"""The parts of a corpus: to learn from, to choose by, to report on."""


def sentence_fault(sentence: Sentence, num_labels: int) -> str | None:
    """What is wrong with a sentence of a corpus with `num_labels` classes, or None."""
    words, gold = sentence.words, sentence.gold_actions
    if not words:
        return "it has no words"
    if not all(words):
        return f"word {words.index('')} is empty"
    if not 0 <= sentence.label < num_labels:
        return f"its label is {sentence.label}, expected 0 to {num_labels - 1}"
    if gold is not None and len(gold) != len(words):
        return f"it has {len(words)} words, but {len(gold)} gold actions"
    return None


@dataclass(frozen=True)
class Corpus:
    """Labelled sentences in three splits.

    Attributes:
        name: What it is called in logs and tables.
        labels: The name of each class, by index.
        splits: The sentences of "train", "dev" and "test". One that is not given is empty; "train" may not be.
        tokenisation: Name of the step that made words of text (see `tokenise`); new text takes the same.
        best_accuracy: The accuracy that a perfect learner reaches, where it is known.
        source: One line: where the corpus is from, and its licence.
        problem: Name of the decision problem that the gold actions of its sentences solve.

    Raises:
        HsEnvError: If a sentence is empty, has a label out of range or gold actions that are not legal, or a split has
            another name than the three.
    """

    name: str
    labels: tuple[str, ...]
    splits: Mapping[str, tuple[Sentence, ...]]
    tokenisation: str
    best_accuracy: float | None = None
    source: str = ""
    problem: str = "phrase_segmentation"

    def __post_init__(self) -> None:
        object.__setattr__(self, "splits", {**dict.fromkeys(SPLITS, ()), **self.splits})
        self.validate()

    def validate(self) -> None:
        """Check every sentence; called whenever a corpus is made."""
        if strange := self.splits.keys() - set(SPLITS):
            raise HsEnvError(f"Corpus {self.name!r}: the splits are {', '.join(SPLITS)}, got {sorted(strange)}.")
        if not self.splits["train"]:
            raise HsEnvError(f"Corpus {self.name!r}: the split 'train' holds no sentences.")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise HsEnvError(f"Corpus {self.name!r}: expected two or more distinct labels, got {self.labels}.")
        for split, sentences in self.splits.items():
            for index, sentence in enumerate(sentences):
                if fault := sentence_fault(sentence, len(self.labels)):
                    raise HsEnvError(f"Corpus {self.name!r}, {split} sentence {index}: {fault}.")
            gold = [(index, each.gold_actions) for index, each in enumerate(sentences) if each.gold_actions is not None]
            if gold and (found := PROBLEMS.get(self.problem).first_fault([actions for _, actions in gold])):
                place, fault = found
                raise HsEnvError(f"Corpus {self.name!r}, {split} sentence {gold[place][0]}: {fault}.")

    @property
    def counts(self) -> dict[str, int]:
        """The number of sentences of each split."""
        return {split: len(sentences) for split, sentences in self.splits.items()}

    @property
    def description(self) -> str:
        """One line for logs: sizes, mean length in words, labels."""
        sizes = ", ".join(f"{split} {count:,}" for split, count in self.counts.items())
        words = sum(len(sentence.words) for sentences in self.splits.values() for sentence in sentences)
        mean = words / sum(self.counts.values())
        return f"{self.name}: {sizes} sentences of {mean:.1f} words on average; labels {', '.join(self.labels)}"


CorpusBuilder: TypeAlias = Callable[..., Corpus]
"""A function that makes a corpus.

Its settings are keyword arguments. `load_corpus` gives it those of `data_dir`, `fold`, `seed`, `train`, `dev`, `test`
that it has, and any whole number that the user writes into the name (`my_corpus:depth=3`).
"""

CORPORA: Final[Registry[CorpusBuilder]] = Registry("corpus")


def register_corpus(name: str) -> Callable[[CorpusBuilder], CorpusBuilder]:
    """Decorator that makes a builder known to `load_corpus`.

    Args:
        name: A versioned name such as `my_corpus.v1`.

    Raises:
        HsEnvError: If the name has no version, or is taken.
    """
    return CORPORA.register(name)
