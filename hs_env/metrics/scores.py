"""Score a policy or a classifier on a split."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import torch
from torch import Tensor

from hs_env.agents import Agent, rollout
from hs_env.compute import CPU, generator_for, to_array
from hs_env.corpora.encoded import EncodedSplit
from hs_env.errors import HsEnvError
from hs_env.metrics.definitions import values_of
from hs_env.metrics.predictions import Predictions, collect, collect_flat
from hs_env.models import FlatClassifier, NestedClassifier, StructuredEncoder
from hs_env.render import Segmented
from hs_env.render.episodes import nested_phrases, segmented, undecided
from hs_env.rewards import Reward
from hs_env.types import Episodes, Sentence, SentenceBatch

WEIGHTED: Final = "weighted_log_likelihood"
"""Name of the log-likelihood in which each sentence has the weight of its class."""
_SHOWN = 8
_BATCH = 512


def greedy_episodes(encoder: StructuredEncoder, agent: Agent, split: EncodedSplit) -> Iterator[Episodes]:
    """Yield one episode per sentence, with the agent's most probable actions."""
    generator = generator_for(0, "evaluation")  # for policies that sample even so
    for batch in split.batches(_BATCH):
        with torch.no_grad():  # not around the yield, where it would affect the caller
            episodes = rollout(encoder, agent, batch, deterministic=True, generator=generator).episodes
        yield episodes


def greedy_predictions(
    model: StructuredEncoder | FlatClassifier, agent: Agent | None, split: EncodedSplit
) -> Predictions:
    """Return the predictions of a classifier, under the most probable actions of its agent if it takes actions.

    Raises:
        HsEnvError: If the classifier takes actions and there is no agent.
    """
    if isinstance(model, StructuredEncoder):
        if agent is None:
            raise HsEnvError(f"{model.title} takes actions, so it needs an agent.")
        return collect(greedy_episodes(model, agent, split), model.problem)
    return collect_flat(flat_predictions(model, split))


def sampled_predictions(
    encoder: StructuredEncoder, agent: Agent, split: EncodedSplit, samples: int
) -> Iterator[tuple[SentenceBatch, Tensor]]:
    """Yield batches, and (B, C) log of the mean class probabilities over sampled action sequences per sentence."""
    generator = generator_for(0, "samples")
    for batch in split.batches(max(1, _BATCH // samples)):
        with torch.no_grad():
            drawn = rollout(encoder, agent, batch, samples=samples, generator=generator).episodes.log_probs
        yield batch, drawn.view(len(batch), samples, -1).logsumexp(1) - math.log(samples)


def policy_scores(
    encoder: StructuredEncoder,
    agent: Agent,
    split: EncodedSplit,
    reward: Reward,
    class_weights: Tensor | None = None,
) -> dict[str, float]:
    """Compute scores under the agent's most probable actions.

    These are the scores of the classifier, the columns of the problem, and the means of the reward and its terms.
    """
    episodes = list(greedy_episodes(encoder, agent, split))
    predictions = collect(episodes, encoder.problem)
    values = values_of(predictions)
    columns = [column.name for column in encoder.problem.columns if not column.agreement]
    return {
        **_classifier_scores(predictions, class_weights),
        **reward_means(reward, episodes),
        **{name: values[name] for name in columns if name in values},
    }


def reward_means(reward: Reward, episodes: Iterable[Episodes]) -> dict[str, float]:
    """Compute the mean "reward", and of each term "reward/<term>" over the episodes that it has an opinion on."""
    total, count = 0.0, 0
    sums: dict[str, list[float]] = {}
    for batch in episodes:
        earned = reward(batch)
        total, count = total + earned.total.sum().item(), count + len(batch)
        for name, (part, number) in earned.sums().items():
            term = sums.setdefault(name, [0.0, 0.0])
            term[0], term[1] = term[0] + part, term[1] + number
    terms = {f"reward/{name}": part / number for name, (part, number) in sums.items() if number}
    return {"reward": total / count, **terms}


def flat_predictions(model: FlatClassifier, split: EncodedSplit) -> Iterator[tuple[SentenceBatch, Tensor]]:
    """Yield the sentences of a split in batches, sorted by length, with (B, C) class log-probabilities."""
    for batch in split.batches(_BATCH):
        with torch.no_grad():
            log_probs = model(batch)
        yield batch, log_probs


def nested_predictions(model: NestedClassifier, split: EncodedSplit) -> Iterator[tuple[SentenceBatch, Tensor, Tensor]]:
    """Yield batches as `flat_predictions` does, with (B, C) class log-probabilities and (B, T, levels) boundaries."""
    for batch in split.batches(_BATCH):
        with torch.no_grad():
            parse = model.parse(batch)
        yield batch, parse.log_probs, parse.boundaries


def decided_sentences(
    model: StructuredEncoder | FlatClassifier,
    agent: Agent | None,
    split: EncodedSplit,
    sentences: Sequence[Sentence],
    labels: Sequence[str],
    *,
    gold: bool = True,
) -> Iterator[tuple[Tensor, Tensor, Iterator[Segmented]]]:
    """Classify sentences with greedy actions, batch by batch, shortest first.

    Args:
        model: Classifier, in eval mode.
        agent: Agent of a model that takes actions.
        split: Sentences as tensors.
        sentences: The same sentences as words, in the same order.
        labels: Names of the classes.
        gold: Whether the display also shows gold class and gold phrases.

    Yields:
        For each batch the places of its sentences among `sentences`, their (B, C) class log-probabilities, and the
        sentences with their actions, for display.

    Raises:
        HsEnvError: If the model takes actions and there is no agent.
    """
    if isinstance(model, StructuredEncoder):
        if agent is None:
            raise HsEnvError(f"{model.title} takes actions, so it needs an agent.")
        for episodes in greedy_episodes(model, agent, split):
            decided = segmented(episodes, sentences, labels, problem=model.problem, gold=gold)
            yield episodes.sentences.indices, episodes.log_probs, decided
    elif isinstance(model, NestedClassifier):
        for batch, log_probs, boundaries in nested_predictions(model, split):
            yield batch.indices, log_probs, nested_phrases(batch, log_probs, boundaries, sentences, labels, gold=gold)
    else:
        for batch, log_probs in flat_predictions(model, split):
            yield batch.indices, log_probs, undecided(batch, log_probs, sentences, labels, gold=gold)


def flat_scores(model: FlatClassifier, split: EncodedSplit, class_weights: Tensor | None = None) -> dict[str, float]:
    """Compute scores of a flat classifier on a split."""
    return _classifier_scores(greedy_predictions(model, None, split), class_weights)


def _classifier_scores(predictions: Predictions, class_weights: Tensor | None) -> dict[str, float]:
    """Compute accuracy, log-likelihood, macro F1 and the number of classes that are predicted.

    With (C,) `class_weights`, the mean log-likelihood in which each sentence has the weight of its class is added.
    """
    values = values_of(predictions)
    scores = {name: values[name] for name in ("accuracy", "log_likelihood", "macro_f1")}
    scores["predicted_classes"] = len(set(predictions.classes.tolist()))
    if class_weights is not None:
        log_likelihood = predictions.count("log_likelihood")
        assert log_likelihood is not None
        scores[WEIGHTED] = float((to_array(class_weights)[predictions.labels] * log_likelihood).mean())
    return scores


def nested_scores(
    model: NestedClassifier, split: EncodedSplit, class_weights: Tensor | None = None
) -> dict[str, float]:
    """Compute scores of a classifier on a split, its phrases of the lowest level per sentence, and boundary shares.

    The last word always ends a phrase, so the shares (`boundary_shares`) are those of all other words. A level that has
    collapsed then shows a rate of exactly 0 or 1.
    """
    phrases, decided = 0, 0
    sums: dict[str, float] = defaultdict(float)
    classified = []
    for batch, log_probs, boundaries in nested_predictions(model, split):
        classified.append((batch, log_probs))
        words = int(batch.lengths.sum()) - len(batch)
        positions = torch.arange(batch.mask.shape[1], device=batch.tokens.device)
        before_last = positions < batch.lengths[:, None] - 1
        phrases, decided = phrases + int(boundaries[..., 0].sum()), decided + words
        for name, share in model.boundary_shares(boundaries, before_last).items():
            sums[name] += share * words
    scores = _classifier_scores(collect_flat(classified), class_weights)
    shares = {name: total / max(decided, 1) for name, total in sums.items()}
    return scores | {"phrases_per_sentence": phrases / len(split)} | shares


def segmented_examples(
    encoder: StructuredEncoder, agent: Agent, split: EncodedSplit, sentences: Sequence[Sentence], labels: Sequence[str]
) -> list[Segmented]:
    """Return the first 8 sentences of a split with the greedy decisions of the agent and the predicted classes."""
    batch = split.batch(torch.arange(min(_SHOWN, len(split)), device=CPU))
    with torch.no_grad():
        episodes = rollout(encoder, agent, batch, deterministic=True, generator=generator_for(0, "examples")).episodes
    return list(segmented(episodes, sentences, labels, problem=encoder.problem))


def nested_examples(
    model: NestedClassifier, split: EncodedSplit, sentences: Sequence[Sentence], labels: Sequence[str]
) -> list[Segmented]:
    """Return the first 8 sentences of a split with their nested phrases and the predicted classes."""
    batch = split.batch(torch.arange(min(_SHOWN, len(split)), device=CPU))
    with torch.no_grad():
        parse = model.parse(batch)
    return list(nested_phrases(batch, parse.log_probs, parse.boundaries, sentences, labels))
