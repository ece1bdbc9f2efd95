"""Compare a run with the baseline policies on its classifier and with a plain LSTM."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType

import torch
from rich.console import Console

from hs_env.agents import AGENTS, Agent, LearnedBoundaries, baselines_for, beam_search, make_baseline
from hs_env.compute import CPU, device_of, isolated
from hs_env.corpora.encoded import EncodedSplit
from hs_env.errors import HsEnvError
from hs_env.evaluation.classes import ClassReport
from hs_env.evaluation.deletions import Deletions
from hs_env.evaluation.paired import Paired
from hs_env.evaluation.recurring import Recurring
from hs_env.evaluation.runs import noise_of
from hs_env.evaluation.table import CAPTION, Comparison, Row
from hs_env.metrics.bootstrap import intervals
from hs_env.metrics.predictions import Predictions, collect, collect_flat
from hs_env.metrics.scores import greedy_episodes, greedy_predictions, sampled_predictions
from hs_env.models import FlatClassifier, PlainLSTM, StructuredEncoder
from hs_env.models.classifier import Model
from hs_env.models.sentence import SentenceParameters
from hs_env.parameters import plain_values
from hs_env.problems.segmentation import PhraseSegmentation
from hs_env.registry import stem_of
from hs_env.storage import HISTORY, StrPath, read_json
from hs_env.text_units import unit_of
from hs_env.training.config import ResolvedConfig, TrainConfig
from hs_env.training.data import MissingVectorsError, TrainingData
from hs_env.training.digests import DATA, VECTORS
from hs_env.training.folders import saving
from hs_env.training.run import Run, train_or_resume
from hs_env.types import Episodes

_PLAIN = "plain_lstm"
"""Name of the model, and of its folder in the folder of the run."""


@isolated
def compare(
    run: Run,
    split: str = "test",
    console: Console | None = None,
    oracle: int = 0,
    policies: Sequence[StrPath] = (),
    samples: int = 0,
    agents: Mapping[str, Agent] | None = None,
) -> Comparison:
    """Evaluate a run, the baseline policies of its decision problem and a plain LSTM on one split, and save the result.

    The baseline policies decide for the run's own classifier. The plain LSTM is trained like the classifier, with as
    many updates, if the run's folder does not hold it yet; its row is left out with a warning if its word
    vectors are missing or the folder cannot be written. The comparison is saved there too, as `evaluation-<split>.json`
    and `.csv`. With further rows there are two more files, such as `evaluation-test-oracle16-samples5.json`. If another
    agent or classifier replaces that of the run, there are only those, named after it: `evaluation-test-EveryK.json`.

    Args:
        run: Run to evaluate.
        split: Sentences to evaluate on.
        console: Console that shows progress. Default: standard error.
        oracle: Width of a beam search for the actions that make the gold class most probable. Its row shows what a
            perfect P-Net could at least gain on this classifier. It takes about `4 * oracle` times as long as the
            policy; 0 skips it.
        policies: Folders of runs of HM-LSTM or H-Net, whose boundaries of the lowest level are policies on the run's
            classifier.
        samples: Sampled action sequences per sentence, for a row with their mean class probabilities; 0 skips it.
        agents: Other agents by name or absolute path, each for a row with its decisions on the run's classifier.

    Raises:
        HsEnvError: If the split is unknown, the corpus has changed since the training, the model cannot use `policies`,
            `agents` or `samples`, or `samples` or `oracle` is negative.
    """
    model, console = run.classifier.model, console or Console(stderr=True)
    folders, agents = [Path(folder) for folder in policies], agents or {}
    _check_wishes(model, folders, samples, oracle, agents)
    data = run.data(split)
    sentences, updates = data.splits[split], f"{sum(run.classifier_updates.values()):,} updates"
    title = f"{run.config.corpus}, {split}{noise_of(run)}: {len(sentences):,} sentences"
    note, sampled, wished, baselines, deletions, recurring = updates, list[Row](), list[Row](), list[Row](), None, None
    if isinstance(model, StructuredEncoder):
        assert run.agent is not None
        episodes = list(greedy_episodes(model, run.agent, sentences))
        trained = collect(episodes, model.problem)
        note = _policy(run.config, model) if run.is_own else f"{type(run.agent).__name__}, greedy"
        sampled, baselines = _readings(model, run.agent, sentences, samples), _baselines(model, data, split)
        wished = [
            *_others(model, agents, sentences),
            *_learned_boundaries(model, data, split, folders),
            *_oracle(model, episodes, oracle),
        ]
        if model.problem.covers:
            recurring = Recurring.of(episodes, data.vocabulary, model.problem, unit_of(run.classifier.tokenisation))
        else:
            deletions = Deletions.of(episodes, data.vocabulary, model.problem)
    else:
        trained = greedy_predictions(model, None, sentences)
    rows, caption, paired = [Row(model.title, intervals(trained), note)], CAPTION, None
    classes = ClassReport.of(model.title, trained, run.classifier.labels)
    if not isinstance(model, PlainLSTM):
        plain = _plain_predictions(run, data, split, console)
        if plain is not None:
            rows.append(Row(PlainLSTM.title, intervals(plain), "trained for as many updates"))
            paired = Paired.of(model.title, trained, PlainLSTM.title, plain)
            caption += f" {paired}"
    own_rows = [*rows, *baselines]
    comparison = Comparison(
        title, [*rows, *sampled, *baselines, *wished], caption, trained.columns, deletions, recurring, classes, paired
    )
    with saving(console):
        stem = _file_stem(run, split, oracle, folders, samples, agents)
        comparison.save(run.folder, stem)
        if run.is_own and stem != (plain_stem := _file_stem(run, split)):  # then the first rows are a plain evaluation
            replace(comparison, rows=own_rows).save(run.folder, plain_stem)
    if classes.only_class is not None:
        warnings.warn(
            f"{model.title} predicts the class {classes.only_class!r} for all {len(sentences):,} sentences of {split}.",
            stacklevel=3,
        )
    return comparison


def _file_stem(
    run: Run,
    split: str,
    oracle: int = 0,
    policies: Sequence[Path] = (),
    samples: int = 0,
    agents: Mapping[str, Agent] = MappingProxyType({}),
) -> str:
    """Name the files of a comparison by what they hold, so that no other comparison overwrites them."""
    parts = [f"evaluation-{split}"]
    parts += [] if run.noise is None else [f"noise{run.noise:g}"]
    if not run.is_own:
        parts.append(type(run.classifier.model if run.agent is None else run.agent).__name__)
    parts += [f"oracle{oracle}"] if oracle else []
    parts += [f"policy-{_as_part(path.name, path.as_posix())}" for path in map(Path.resolve, policies)]
    parts += [f"agent-{_as_part(label, name)}" for name, label in _labels(agents).items()]
    parts += [f"samples{samples}"] if samples else []
    return "-".join(parts)


def _labels(agents: Iterable[str]) -> dict[str, str]:
    """Return what a row calls each agent: its name, or for a path as many of the last parts as tell it from others."""
    parts = {name: Path(name).parts[1:] if Path(name).is_absolute() else (name,) for name in agents}
    labels = {}
    for name, own in parts.items():
        others = [each for other, each in parts.items() if other != name]
        count = next((n for n in range(1, len(own)) if all(own[-n:] != each[-n:] for each in others)), len(own))
        labels[name] = "-".join(own[-count:])
    return labels


def _as_part(name: str, whole: str) -> str:
    """Return a name as part of a file's name. A digest of `whole` follows unless the part equals it."""
    part = re.sub(r"[^\w.-]+", "-", name)
    return part if part == whole else f"{part}-{hashlib.sha256(whole.encode(errors='surrogatepass')).hexdigest()[:6]}"


def _check_wishes(
    model: Model, policies: Sequence[Path], samples: int, oracle: int, agents: Mapping[str, Agent]
) -> None:
    """Reject options that the model cannot use."""
    if oracle < 0:
        raise HsEnvError(f"oracle must be 0 or more, got {oracle}.")
    if samples < 0:
        raise HsEnvError(f"samples must be 0 or more, got {samples}.")
    if policies and not (isinstance(model, StructuredEncoder) and isinstance(model.problem, PhraseSegmentation)):
        raise HsEnvError(f"{model.title} takes no phrases from a policy. Give policies for a run of HS-LSTM.")
    if agents and not isinstance(model, StructuredEncoder):
        raise HsEnvError(f"{model.title} takes no actions, so no agent can act on it. Leave agents out.")
    if samples and not isinstance(model, StructuredEncoder):
        raise HsEnvError(f"{model.title} takes no actions, so none can be sampled. Leave samples out.")


def _readings(encoder: StructuredEncoder, agent: Agent, sentences: EncodedSplit, samples: int) -> list[Row]:
    """Return the row of the mean over sampled action sequences, if any are wanted."""
    if not samples:
        return []
    drawn = collect_flat(sampled_predictions(encoder, agent, sentences, samples))
    return [Row(encoder.title, intervals(drawn), f"mean over {samples} samples")]


def _others(encoder: StructuredEncoder, agents: Mapping[str, Agent], sentences: EncodedSplit) -> list[Row]:
    """Return rows of other agents, on the run's own classifier."""
    rows = []
    for label, agent in zip(_labels(agents).values(), agents.values(), strict=True):
        found = greedy_predictions(encoder, agent, sentences)
        rows.append(Row(label, intervals(found), f"{type(agent).__name__}, same classifier"))
    return rows


def _learned_boundaries(
    encoder: StructuredEncoder, data: TrainingData, split: str, folders: Sequence[Path]
) -> list[Row]:
    """Return rows of the boundaries of the lowest level that trained runs find, on the run's own classifier."""
    rows = []
    for folder in folders:
        policy = LearnedBoundaries.load(data.vocabulary, folder, device_of(encoder))
        found = greedy_predictions(encoder, policy, data.splits[split])
        rows.append(Row(f"{policy.model.title} boundaries", intervals(found), f"{folder.name}, same classifier"))
    return rows


def _oracle(encoder: StructuredEncoder, episodes: Sequence[Episodes], width: int) -> list[Row]:
    """Return the row of the best actions that a beam search finds, if it is wanted."""
    if not width:
        return []
    found = collect((_best_found(encoder, batch, width) for batch in episodes), encoder.problem)
    return [Row("oracle", intervals(found), f"knows the class, beam of {width}, same classifier")]


def _baselines(encoder: StructuredEncoder, data: TrainingData, split: str) -> list[Row]:
    """Return rows of the baseline policies, on the run's own classifier."""
    sentences, rows = data.splits[split], []
    has_gold = sentences.batch(torch.tensor([0], device=CPU)).gold_actions is not None
    for name in baselines_for(encoder.problem, gold=has_gold):
        agent: Agent = make_baseline(name, data.vocabulary, encoder.problem)
        found = greedy_predictions(encoder, agent, sentences)
        rows.append(Row(stem_of(name), intervals(found), "same classifier"))
    return rows


@torch.no_grad()
def _best_found(encoder: StructuredEncoder, episodes: Episodes, width: int) -> Episodes:
    """Search the actions that make the gold class most probable; they are never worse than the given ones."""
    actions, log_likelihood = beam_search(encoder, episodes.sentences, width)
    better = log_likelihood > episodes.log_likelihood
    actions = torch.where(better[:, None], actions, episodes.actions)
    return encoder.read(episodes.sentences, actions)


def _policy(config: ResolvedConfig, encoder: StructuredEncoder) -> str:
    """Describe the decisions, such as `phrases learned by REINFORCE` or `phrases of function_words`."""
    kind, made = AGENTS.get(config.agent), f"{encoder.problem.span[0]}s"
    return f"{made} learned by {kind.title(config.agent_settings)}" if kind.learns else f"{made} of {config.warm_start}"


def _warn_without_plain(reason: str, console: Console) -> None:
    """Warn that a comparison has no plain LSTM."""
    warning = f"Warning: there is no plain LSTM to compare with, since {reason}"
    console.print(warning, markup=False, highlight=False, soft_wrap=True)


def _same_vectors(*folders: Path) -> bool:
    """Tell whether runs began with the same word vectors, as far as their folders say."""
    saved = [read_json(folder / DATA) for folder in folders if (folder / DATA).is_file()]
    return len({str(each[VECTORS]) for each in saved if isinstance(each, dict) and VECTORS in each}) < 2


def _plain_config(run: Run, per_epoch: int) -> TrainConfig:
    """Return the configuration of the run's plain LSTM, which has at least as many updates, in whole epochs."""
    shared = {each.name for each in fields(SentenceParameters)}
    changed = {
        "model": _PLAIN,
        "device": str(run.classifier.device),
        "init_from": None,
        "model_parameters": {name: value for name, value in run.config.model_parameters.items() if name in shared},
        "agent": TrainConfig.agent,
        "agent_parameters": {},
        "warm_start": None,
        "reward": None,
        "reward_parameters": {},
        "reward_dropout": None,
        "c_net_samples": None,
        "pnet_epochs": None,
        "warm_epochs": -(-run.classifier_updates["warm"] // per_epoch),
        "joint_epochs": -(-run.classifier_updates["joint"] // per_epoch),
        "curriculum_epochs": 0,
        "min_updates": 0,
        "patience": 10**9,  # the number of updates is given
    }
    return TrainConfig(**plain_values(run.config) | changed)


def _plain_predictions(run: Run, data: TrainingData, split: str, console: Console) -> Predictions | None:
    """Return the predictions of the run's plain LSTM; it is trained at the first request.

    Returns:
        None if it cannot be trained because its word vectors are missing or its folder cannot be written.
    """
    folder = run.folder / _PLAIN
    config = _plain_config(run, -(-len(data.splits["train"]) // run.config.batch_size))
    finished = (folder / HISTORY).exists()
    try:
        if folder.is_symlink() and not finished:
            raise PermissionError(f"{folder} is a link, and a run writes only into its own folder")
        try:
            if not folder.exists():
                console.print("Plain LSTM to compare with")
            plain = Run.load(folder, config.device) if finished else train_or_resume(config, folder, console)
        except KeyboardInterrupt:
            console.print(f"The run itself is finished. Compare it with: hs-env evaluate {run.folder}", markup=False)
            raise
    except (MissingVectorsError, OSError) as error:
        if finished:
            raise
        _warn_without_plain(f"it cannot be trained: {error}", console)
        return None
    if not _same_vectors(run.folder, folder):
        _warn_without_plain("the word vectors have changed since the run began. Restore their file.", console)
        return None
    assert isinstance(plain.classifier.model, FlatClassifier)
    evaluated = replace(plain, noise=run.noise).data(split).splits[split]
    return greedy_predictions(plain.classifier.model, None, evaluated)
