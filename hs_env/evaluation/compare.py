"""The comparison of a run: its agent, the baseline policies on its classifier, and a plain LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import torch
from rich.console import Console

from hs_env.agents import AGENTS, Agent, HMBoundaries, baselines_for, beam_search, make_baseline
from hs_env.corpora.encoded import EncodedSplit
from hs_env.errors import HsEnvError
from hs_env.evaluation.deletions import Deletions
from hs_env.evaluation.recurring import Recurring
from hs_env.evaluation.table import CAPTION, Comparison, Row
from hs_env.metrics.bootstrap import difference, intervals
from hs_env.metrics.predictions import Predictions, collect, collect_flat
from hs_env.metrics.scores import flat_predictions, greedy_episodes, sampled_predictions
from hs_env.models import FlatClassifier, PlainLSTM, StructuredEncoder
from hs_env.models.classifier import Model
from hs_env.models.sentence import SentenceParameters
from hs_env.problems.segmentation import PhraseSegmentation
from hs_env.training.config import ResolvedConfig, TrainConfig
from hs_env.training.data import TrainingData
from hs_env.training.run import Run, train_or_resume
from hs_env.types import Episodes

_PLAIN = "plain_lstm"
"""Name of the model, and of its folder in the folder of the run that it is compared with."""


def compare(
    run: Run,
    split: str = "test",
    console: Console | None = None,
    oracle: int = 0,
    policies: Sequence[Path] = (),
    samples: int = 0,
) -> Comparison:
    """Evaluate a run next to honest baselines on one split.

    The baseline policies, those of its task, decide for the run's own classifier. The plain LSTM is trained as the
    classifier was, for as many updates: a run of its own in the run's folder. The comparison is saved there too,
    `evaluation-<split>.json` and `.csv`.

    Args:
        run: The run.
        split: Sentences to evaluate on.
        console: Where progress is shown; None is standard error.
        oracle: Width of a beam that searches the decisions under which the gold class is most probable, for a row that
            says how much a perfect P-Net could gain on this classifier, at least; 0 searches none. It costs some
            `4 * oracle` times what the policy does.
        policies: Folders of runs of HM-LSTM, whose lowest boundaries are policies on the run's classifier.
        samples: How often each sentence is read by decisions that the policy draws, for a row of the mean class
            probabilities; 0 draws none.

    Raises:
        HsEnvError: If policies or samples are asked for that the model has no use for, or the samples are less than 0.
    """
    model = run.classifier.model
    _check_wishes(model, policies, samples)
    data = run.data(split)
    sentences, updates = data.splits[split], f"{sum(run.classifier_updates.values()):,} updates"
    title = f"{run.config.corpus}, {split}: {len(sentences):,} sentences"
    note, others, deletions, recurring = updates, [], None, None
    if isinstance(model, StructuredEncoder):
        assert run.agent is not None
        episodes = list(greedy_episodes(model, run.agent, sentences))
        trained, note = collect(episodes, model.problem), _policy(run.config)
        others = [
            *_readings(model, run.agent, sentences, samples),
            *_baselines(model, data, split),
            *_hm_boundaries(model, data, split, policies),
            *_oracle(model, episodes, oracle),
        ]
        if model.problem.covers:
            recurring = Recurring.of(episodes, data.vocabulary, model.problem)
        else:
            deletions = Deletions.of(episodes, data.vocabulary, model.problem)
    else:
        trained = collect_flat(flat_predictions(model, sentences))
    rows, caption = [Row(model.title, intervals(trained), note)], CAPTION
    if not isinstance(model, PlainLSTM):
        plain = _plain_predictions(run, data, split, console)
        rows += [Row(PlainLSTM.title, intervals(plain), f"{updates}, as the C-Net"), *others]
        gain = difference(trained, plain)
        caption += (
            f" {model.title} less plain LSTM: {100 * gain.value:+.1f} points of accuracy "
            f"({100 * gain.low:+.1f} to {100 * gain.high:+.1f}, paired)."
        )
    comparison = Comparison(title, rows, caption, trained.columns, deletions, recurring)
    comparison.save(run.folder, f"evaluation-{split}")
    return comparison


def _check_wishes(model: Model, policies: Sequence[Path], samples: int) -> None:
    """Refuse what this model has no use for."""
    if samples < 0:
        raise HsEnvError(f"Readings are drawn 0 times or more often, got {samples}.")
    if policies and not (isinstance(model, StructuredEncoder) and isinstance(model.problem, PhraseSegmentation)):
        raise HsEnvError(f"{model.title} takes no phrases from a policy. Give policies with a run of HS-LSTM.")
    if samples and not isinstance(model, StructuredEncoder):
        raise HsEnvError(f"{model.title} takes a sentence as it is: there are no decisions to draw. Leave samples out.")


def _readings(encoder: StructuredEncoder, agent: Agent, sentences: EncodedSplit, samples: int) -> list[Row]:
    """The mean over drawn readings, if there are to be any."""
    if not samples:
        return []
    drawn = collect_flat(sampled_predictions(encoder, agent, sentences, samples))
    return [Row(encoder.title, intervals(drawn), f"mean over {samples} drawn readings")]


def _hm_boundaries(encoder: StructuredEncoder, data: TrainingData, split: str, folders: Sequence[Path]) -> list[Row]:
    """The lowest boundaries of trained HM-LSTMs, on the run's own classifier."""
    rows = []
    for folder in folders:
        found = collect(
            greedy_episodes(encoder, HMBoundaries.load(data.vocabulary, folder), data.splits[split]), encoder.problem
        )
        rows.append(Row("HM-LSTM boundaries", intervals(found), f"{folder.name}, same classifier"))
    return rows


def _oracle(encoder: StructuredEncoder, episodes: Sequence[Episodes], width: int) -> list[Row]:
    """The best decisions that a beam finds, if it is to look for any."""
    if not width:
        return []
    found = collect((_best_found(encoder, batch, width) for batch in episodes), encoder.problem)
    return [Row("oracle", intervals(found), f"knows the class, beam of {width}, same classifier")]


def _baselines(encoder: StructuredEncoder, data: TrainingData, split: str) -> list[Row]:
    """The policies that learn nothing, on the run's own classifier."""
    sentences, rows = data.splits[split], []
    has_gold = sentences.batch(torch.tensor([0])).gold_actions is not None
    for name in baselines_for(encoder.problem):
        if has_gold or name != "gold.v1":
            agent: Agent = make_baseline(name, data.vocabulary, encoder.problem)
            found = collect(greedy_episodes(encoder, agent, sentences), encoder.problem)
            rows.append(Row(name.rpartition(".")[0], intervals(found), "same classifier"))
    return rows


@torch.no_grad()
def _best_found(encoder: StructuredEncoder, episodes: Episodes, width: int) -> Episodes:
    """The actions that make the gold class most probable, as far as a beam finds them: never worse than those given."""
    actions, log_likelihood = beam_search(encoder, episodes.sentences, width)
    better = log_likelihood > episodes.log_likelihood
    actions = torch.where(better[:, None], actions, episodes.actions)
    return Episodes(episodes.sentences, actions, encoder(episodes.sentences, actions))


def _policy(config: ResolvedConfig) -> str:
    """A note on what decides: how it learned, such as `REINFORCE` or `MASKABLE PPO`; or the policy in its place."""
    kind = AGENTS.get(config.agent)
    return f"{kind.title(config.agent_settings)}, greedy" if kind.learns else f"{config.warm_start}, kept"


def _plain_predictions(run: Run, data: TrainingData, split: str, console: Console | None) -> Predictions:
    """The predictions of the run's plain LSTM on a split; it is trained the first time it is asked for."""
    console, folder = console or Console(stderr=True), run.folder / _PLAIN
    per_epoch = -(-len(data.splits["train"]) // run.config.batch_size)
    same = {each.name: getattr(run.config, each.name) for each in fields(TrainConfig)}
    shared = {each.name for each in fields(SentenceParameters)}
    plain_config = {
        "model": _PLAIN,
        "model_parameters": {name: value for name, value in run.config.model_parameters.items() if name in shared},
        "agent_parameters": {},
        "warm_start": None,
        "reward": None,
        "reward_parameters": {},
        "reward_dropout": None,
        "pnet_epochs": None,
        "warm_epochs": run.classifier_updates["warm"] // per_epoch,
        "joint_epochs": run.classifier_updates["joint"] // per_epoch,
        "patience": 10**9,  # the number of updates is given
    }
    config = TrainConfig(**same | plain_config)
    if not folder.exists():
        console.print("The plain LSTM, to compare with")
    plain = train_or_resume(config, folder, console)
    assert isinstance(plain.classifier.model, FlatClassifier)
    return collect_flat(flat_predictions(plain.classifier.model, plain.data(split).splits[split]))
