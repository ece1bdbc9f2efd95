"""Choose the example sentences of a demo, and measure how often its classifier is right."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any, Final

import torch
from torch import Tensor

from hs_env.agents import make_baseline, rollout
from hs_env.compute import CPU
from hs_env.demo.source import Source
from hs_env.models import StructuredEncoder
from hs_env.types import Sentence, SentenceBatch

_READ: Final = 1000
"""Number of test sentences that are read."""
_NUMBER: Final = 12
_WORDS: Final = range(5, 15)
"""Numbers of words of an example, if there are enough such sentences."""
_CONTRAST: Final = {
    "phrase segmentation": ("all_inside", "all_end"),
    "information distillation": ("all_retain", "content_words"),
}
"""Two baseline policies of each problem; examples are sentences whose class depends most on which of them decides."""


@dataclass(frozen=True)
class Examples:
    """The examples of a run.

    Attributes:
        sentences: Sentences with text, label and gold actions, as JSON values.
        accuracy: Share of the test sentences whose class is right, from 0 to 1.
        tested: Number of test sentences that it is measured on.
    """

    sentences: list[dict[str, Any]]
    accuracy: float
    tested: int


def examples_of(source: Source) -> Examples:
    """Read the first test sentences of a run's corpus, and choose examples, in turn from each class.

    They are short sentences whose class depends on the actions, those with the right class first. Without actions, they
    are the first short sentences.
    """
    sentences = source.corpus.splits["test"][:_READ]
    if not sentences:
        return Examples([], 0.0, 0)
    split = source.classifier.encode(sentences)
    right = torch.zeros(len(split), dtype=torch.bool, device=CPU)
    spread = torch.zeros(len(split), device=CPU)
    for batch in split.batches(256):
        log_probs, spread[batch.indices] = _read(source, batch)
        right[batch.indices] = log_probs.argmax(1) == batch.labels
    order = sorted(range(len(sentences)), key=lambda at: (len(sentences[at].words) not in _WORDS, -float(spread[at])))
    by_class = [[at for at in order if sentences[at].label == label] for label in range(len(source.classifier.labels))]
    chosen = [at for at in chain(*zip_longest(*by_class)) if at is not None][:_NUMBER]
    chosen.sort(key=lambda at: not right[at])
    return Examples([_as_json(sentences[at]) for at in chosen], float(right.float().mean()), len(sentences))


def _read(source: Source, batch: SentenceBatch) -> tuple[Tensor, Tensor]:
    """Read a batch.

    Returns:
        (B, C) class log-probabilities under the run's policy; and (B,) by how much the probability of the gold class
        differs between two baseline policies, 0 without actions.
    """
    model = source.classifier.model
    with torch.no_grad():
        if not isinstance(model, StructuredEncoder):
            return model(batch), torch.zeros(len(batch), device=CPU)
        assert source.agent is not None
        read = rollout(model, source.agent, batch, deterministic=True).episodes
        one, other = (
            rollout(model, make_baseline(name, source.classifier.vocabulary, model.problem), batch).episodes
            for name in _CONTRAST[model.problem.title]
        )
        return read.log_probs, (one.log_likelihood.exp() - other.log_likelihood.exp()).abs()


def _as_json(sentence: Sentence) -> dict[str, Any]:
    gold = sentence.gold_actions
    return {
        "text": sentence.text,
        "label": sentence.label,
        "gold": None if gold is None else list(gold),
    }
