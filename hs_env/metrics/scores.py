"""Scores of a policy or a classifier on a split, and the episodes and predictions that they are computed from."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from hs_env.agents import Agent, rollout
from hs_env.compute import generator_for
from hs_env.corpora.encoded import EncodedSplit
from hs_env.metrics.definitions import values_of
from hs_env.metrics.predictions import collect, collect_flat
from hs_env.models import FlatClassifier, HMLSTMClassifier, StructuredEncoder
from hs_env.models.hm.boundary import operation_shares
from hs_env.render import Segmented
from hs_env.render.episodes import hierarchies, segmented
from hs_env.rewards import Reward
from hs_env.types import Episodes, Sentence, SentenceBatch

_SHOWN = 8
_BATCH = 512


def greedy_episodes(encoder: StructuredEncoder, agent: Agent, split: EncodedSplit) -> Iterator[Episodes]:
    """Every sentence of `split` read once, taking the agent's most probable actions."""
    generator = generator_for(0, "evaluation")  # for policies that draw all the same
    for batch in split.batches(_BATCH, by_length=True):
        with torch.no_grad():  # not around the yield, where it would reach into the caller
            episodes = rollout(encoder, agent, batch, deterministic=True, generator=generator).episodes
        yield episodes


def sampled_predictions(
    encoder: StructuredEncoder, agent: Agent, split: EncodedSplit, samples: int
) -> Iterator[tuple[SentenceBatch, Tensor]]:
    """Every sentence of `split` read `samples` times, by decisions that the agent draws.

    Returns:
        Batches, and (B, C) log of the mean class probabilities over the readings.
    """
    generator = generator_for(0, "samples")
    for batch in split.batches(max(1, 512 // samples), by_length=True):
        with torch.no_grad():
            drawn = rollout(encoder, agent, batch, samples=samples, generator=generator).episodes.log_probs
        yield batch, drawn.view(len(batch), samples, -1).logsumexp(1) - math.log(samples)


def policy_scores(encoder: StructuredEncoder, agent: Agent, split: EncodedSplit, reward: Reward) -> dict[str, float]:
    """Accuracy, log-likelihood and mean reward on a split, and the problem's columns, under the greedy policy."""
    episodes = list(greedy_episodes(encoder, agent, split))
    values = values_of(collect(episodes, encoder.problem))
    total = sum(reward(batch).total.sum().item() for batch in episodes)
    columns = [column.name for column in encoder.problem.columns if not column.agreement]
    return {
        "accuracy": values["accuracy"],
        "log_likelihood": values["log_likelihood"],
        "reward": total / len(split),
        **{name: values[name] for name in columns if name in values},
    }


def flat_predictions(model: FlatClassifier, split: EncodedSplit) -> Iterator[tuple[SentenceBatch, Tensor]]:
    """Every sentence of `split` once, batch by batch, with (B, C) class log-probabilities."""
    for batch in split.batches(_BATCH, by_length=True):
        with torch.no_grad():
            log_probs = model(batch)
        yield batch, log_probs


def flat_scores(model: FlatClassifier, split: EncodedSplit) -> dict[str, float]:
    """Accuracy and log-likelihood on a split."""
    values = values_of(collect_flat(flat_predictions(model, split)))
    return {name: values[name] for name in ("accuracy", "log_likelihood")}


def hierarchy_scores(model: HMLSTMClassifier, split: EncodedSplit) -> dict[str, float]:
    """Phrases of the lowest level per sentence, and `operation_shares` at all words whose boundaries are not given.

    Those of the last word are; a layer whose detector has collapsed thus shows a rate of exactly 0 or 1.
    """
    phrases, decided = 0, 0
    sums: dict[str, float] = defaultdict(float)
    for batch in split.batches(_BATCH, by_length=True):
        with torch.no_grad():
            z = model.boundaries(batch).transpose(0, 1)
        words = int(batch.lengths.sum()) - len(batch)
        before_last = torch.arange(len(z))[:, None] < batch.lengths - 1
        for name, share in operation_shares(z.float(), before_last).items():
            sums[name] += share * words
        phrases, decided = phrases + int(z[..., 0].sum()), decided + words
    shares = {name: total / max(decided, 1) for name, total in sums.items()}
    return {"phrases_per_sentence": phrases / len(split), **shares}


def segmented_examples(
    encoder: StructuredEncoder, agent: Agent, split: EncodedSplit, sentences: Sequence[Sentence], labels: Sequence[str]
) -> list[Segmented]:
    """The first sentences of a split, as the agent segments them, with the predicted classes."""
    batch = split.batch(torch.arange(min(_SHOWN, len(split))))
    with torch.no_grad():
        episodes = rollout(encoder, agent, batch, deterministic=True, generator=generator_for(0, "examples")).episodes
    return list(segmented(episodes, sentences, labels, problem=encoder.problem))


def hierarchy_examples(
    model: HMLSTMClassifier, split: EncodedSplit, sentences: Sequence[Sentence], labels: Sequence[str]
) -> list[Segmented]:
    """The first sentences of a split, with the nested phrases that HM-LSTM finds and the predicted classes."""
    batch = split.batch(torch.arange(min(_SHOWN, len(split))))
    return list(hierarchies(model, batch, sentences, labels))
