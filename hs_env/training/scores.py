"""How a policy and a classifier do on dev while they train."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from hs_env.agents import Agent, rollout
from hs_env.corpora.encoded import EncodedSplit
from hs_env.models import StructuredEncoder
from hs_env.render import Segmented
from hs_env.render.episodes import segmented
from hs_env.rewards import Reward
from hs_env.training.data import TrainingData, evaluation_batches
from hs_env.training.seeds import generator_for
from hs_env.types import DISTILLATION, Episodes

_SHOWN = 8


def greedy_episodes(encoder: StructuredEncoder, agent: Agent, split: EncodedSplit) -> Iterator[Episodes]:
    """Every sentence of `split` read once, taking the agent's most probable actions."""
    generator = generator_for(0, "evaluation")  # for policies that draw all the same
    with torch.no_grad():
        for batch in evaluation_batches(split):
            yield rollout(encoder, agent, batch, deterministic=True, generator=generator).episodes


def dev_scores(encoder: StructuredEncoder, agent: Agent, split: EncodedSplit, reward: Reward) -> dict[str, float]:
    """Accuracy, log-likelihood and reward on `split`; phrases per sentence and words per phrase, or words retained."""
    sums = dict.fromkeys(("accuracy", "log_likelihood", "reward", "chosen", "words"), 0.0)
    for episodes in greedy_episodes(encoder, agent, split):
        sums["accuracy"] += (episodes.predictions == episodes.sentences.labels).sum().item()
        sums["log_likelihood"] += episodes.log_likelihood.sum().item()
        sums["reward"] += reward(episodes).total.sum().item()
        sums["chosen"] += episodes.actions.sum().item()
        sums["words"] += episodes.sentences.lengths.sum().item()
    chosen, words = sums.pop("chosen"), sums.pop("words")
    scores = {name: total / len(split) for name, total in sums.items()}
    if encoder.task == DISTILLATION:
        return scores | {"words_retained": chosen / len(split), "share_retained": chosen / words}
    return scores | {"phrases_per_sentence": chosen / len(split), "words_per_phrase": words / chosen}


def segmented_examples(encoder: StructuredEncoder, agent: Agent, data: TrainingData) -> list[Segmented]:
    """The first sentences of dev with what the agent makes of them, and verdicts."""
    split = data.splits["dev"]
    batch = split.batch(torch.arange(min(_SHOWN, len(split))))
    with torch.no_grad():
        episodes = rollout(encoder, agent, batch, deterministic=True, generator=generator_for(0, "examples")).episodes
    return list(segmented(episodes, data.corpus.splits["dev"], data.corpus.labels, task=encoder.task))
