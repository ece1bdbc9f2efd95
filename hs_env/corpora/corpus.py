"""Hold a corpus in memory, and register corpora by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from hs_env.corpora.tokenisation import TOKENISATIONS
from hs_env.errors import HsEnvError, shown
from hs_env.problems import PROBLEMS
from hs_env.registry import Registry, unknown_name
from hs_env.text_units import unit_of
from hs_env.textfile import has_surrogates
from hs_env.types import Sentence

if TYPE_CHECKING:
    from hs_env.problems.problem import Problem

SPLITS: Final = ("train", "dev", "test")
"""Names of the splits: for training, for model selection, for the final evaluation."""


def sentence_fault(sentence: Any, num_labels: int) -> str | None:
    """Return the first fault of a sentence, in words for an error message, or None if it is valid."""
    if not isinstance(sentence, Sentence):
        return f"it is {shown(sentence)}, expected a Sentence"
    words, gold = sentence.words, sentence.gold_actions
    label: Any = sentence.label
    try:
        text = "".join(words) if isinstance(words, tuple) else None
    except TypeError:  # a word is no text
        text = None
    if text is None:
        return f"its words are {shown(words)}, expected a tuple of texts such as ('a', 'good', 'film')"
    if not words:
        return "it has no words"
    if not all(words):
        return f"word {words.index('')} is empty"
    if has_surrogates(text):
        return f"{next(filter(has_surrogates, words))!r} contains half a surrogate pair"
    if not isinstance(label, Integral) or not 0 <= int(label) < num_labels:
        return f"its label is {label!r}, expected 0 to {num_labels - 1}"
    if gold is not None and len(gold) != len(words):
        return f"it has {len(words)} words, but {len(gold)} gold actions"
    return None


@dataclass(frozen=True)
class Corpus:
    """Labelled sentences in three splits.

    Attributes:
        name: Name for logs and tables.
        labels: Name of each class, by class index; at least two distinct names.
        splits: Sentences of "train", "dev" and "test". Missing splits become empty; "train" must not be empty.
        tokenisation: Name of the tokenisation of all sentences (see `tokenise`). New text needs the same one.
        best_accuracy: Highest accuracy that is possible (0 to 1), or None if it is unknown.
        source: Origin and licence, in one line.
        problem: Name of the decision problem that the gold actions of its sentences solve.

    Raises:
        HsEnvError: If the splits, the labels or a sentence are invalid (see `validate`).
    """

    name: str
    labels: tuple[str, ...]
    splits: Mapping[str, tuple[Sentence, ...]]
    tokenisation: str
    best_accuracy: float | None = None
    source: str = ""
    problem: str = "phrase_segmentation"

    def __post_init__(self) -> None:
        splits = {name: tuple(sentences) for name, sentences in self.splits.items()}
        object.__setattr__(self, "splits", {**dict.fromkeys(SPLITS, ()), **splits})
        object.__setattr__(self, "labels", tuple(self.labels))
        self.validate()

    def validate(self) -> None:
        """Check splits, labels and every sentence. The constructor calls this.

        Raises:
            HsEnvError: If the tokenisation or a split has an unknown name, "train" is empty, there are fewer than two
                distinct labels, or a sentence has no words, an empty word, a label out of range, gold actions that do
                not fit its words, or another unit than the tokenisation makes.
        """
        if self.tokenisation not in TOKENISATIONS:
            raise unknown_name(f"tokenisation of the corpus {self.name!r}:", self.tokenisation, TOKENISATIONS)
        if strange := self.splits.keys() - set(SPLITS):
            raise HsEnvError(f"Corpus {self.name!r}: the splits are {', '.join(SPLITS)}, got {sorted(strange)}.")
        if not self.splits["train"]:
            raise HsEnvError(f"Corpus {self.name!r}: the split 'train' holds no sentences.")
        texts = all(isinstance(label, str) for label in self.labels)
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels) or not texts:
            raise HsEnvError(f"Corpus {self.name!r}: expected two or more distinct texts as labels, got {self.labels}.")
        if has_surrogates("".join(self.labels)):
            raise HsEnvError(f"Corpus {self.name!r}: a label contains half a surrogate pair, got {self.labels}.")
        unit = unit_of(self.tokenisation)
        for split, sentences in self.splits.items():
            for index, sentence in enumerate(sentences):
                fault = sentence_fault(sentence, len(self.labels))
                if fault is None and sentence.unit != unit:
                    made = f"the tokenisation {self.tokenisation!r} makes {unit}"
                    fault = f"its unit is {sentence.unit!r}, but {made}; give Sentence(..., unit={unit!r})"
                if fault:
                    raise HsEnvError(f"Corpus {self.name!r}, {split} sentence {index}: {fault}.")
            gold = [(index, each.gold_actions) for index, each in enumerate(sentences) if each.gold_actions is not None]
            if gold and (found := PROBLEMS.get(self.problem).first_fault([actions for _, actions in gold])):
                place, fault = found
                raise HsEnvError(f"Corpus {self.name!r}, {split} sentence {gold[place][0]}: {fault}.")

    def for_problem(self, problem: Problem) -> Corpus:
        """Return the corpus for a decision problem; gold actions of another problem are translated or left out.

        See `Problem.translated`.
        """
        own = PROBLEMS.get(self.problem)
        if own == problem:
            return self

        def adapted(sentence: Sentence) -> Sentence:
            gold = sentence.gold_actions
            return replace(sentence, gold_actions=None if gold is None else own.translated(gold, problem))

        return replace(self, splits={split: tuple(map(adapted, each)) for split, each in self.splits.items()})

    @property
    def counts(self) -> dict[str, int]:
        """Count the sentences of each split."""
        return {split: len(sentences) for split, sentences in self.splits.items()}

    @property
    def description(self) -> str:
        """Describe sizes, mean length in words and labels in one line for logs."""
        sizes = ", ".join(f"{split} {count:,}" for split, count in self.counts.items())
        units = sum(len(sentence.words) for sentences in self.splits.values() for sentence in sentences)
        mean, unit = units / sum(self.counts.values()), unit_of(self.tokenisation)
        return f"{self.name}: {sizes} sentences of {mean:.1f} {unit} on average; labels {', '.join(self.labels)}"


CorpusBuilder: TypeAlias = Callable[..., Corpus]
"""Function that builds a corpus from keyword arguments.

`load_corpus` passes those of `data_dir`, `fold`, `seed`, `train`, `dev` and `test` that the function accepts. It also
passes the whole numbers that a user adds to the name (`my_corpus:depth=3`).
"""

CORPORA: Final[Registry[CorpusBuilder]] = Registry("corpus", group="hs_env.corpora")
"""Builders of corpora by versioned name."""


def register_corpus(name: str) -> Callable[[CorpusBuilder], CorpusBuilder]:
    """Return a decorator that registers a builder under a versioned name (see `Registry.register`)."""
    return CORPORA.register(name)
