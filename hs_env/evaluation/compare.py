"""The comparison of a run: its agent, the baseline policies on its classifier, and a plain LSTM."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from rich.console import Console
from torch import Tensor

from hs_env.agents import Agent, baselines_for, beam_search, make_baseline
from hs_env.evaluation.bootstrap import difference, intervals
from hs_env.evaluation.deletions import Deletions
from hs_env.evaluation.metrics import Outcome, collect, collect_plain
from hs_env.evaluation.recurring import Recurring
from hs_env.evaluation.table import CAPTION, Comparison, Row
from hs_env.models import Classifier, PlainLSTM, StructuredEncoder
from hs_env.training.data import TrainingData, evaluation_batches
from hs_env.training.plain import train_plain_lstm
from hs_env.training.run import Run
from hs_env.training.scores import greedy_episodes
from hs_env.types import Episodes, SentenceBatch

_PLAIN_FILE = "plain_lstm.safetensors"


def compare(run: Run, split: str = "test", console: Console | None = None, oracle: int = 0) -> Comparison:
    """Evaluate a run next to honest baselines on one split.

    The baseline policies, those of its task, decide for the run's own classifier. The plain LSTM is trained as the
    classifier was, for as many updates, and kept in the run's folder. The comparison is saved there too,
    `evaluation-<split>.json` and `.csv`.

    Args:
        run: The run.
        split: Sentences to evaluate on.
        console: Where progress is shown; None is standard error.
        oracle: Width of a beam that searches the decisions under which the gold class is most probable, for a row that
            says how much a perfect P-Net could gain on this classifier, at least; 0 searches none. It costs some
            `4 * oracle` times what the policy does.
    """
    data = TrainingData.load(run.config)
    encoder = run.classifier.model
    assert isinstance(encoder, StructuredEncoder)
    sentences = data.splits[split]

    def outcome(agent: Agent) -> Outcome:
        return collect(greedy_episodes(encoder, agent, sentences), encoder.task)

    episodes = list(greedy_episodes(encoder, run.agent, sentences))
    trained = collect(episodes, encoder.task)
    plain = collect_plain(_verdicts(_plain_lstm(run, data, console), data, split))
    rows = [Row(encoder.title, intervals(trained), f"{_agent_title(run.config.agent)}, greedy")]
    rows.append(Row("plain LSTM", intervals(plain), f"{sum(run.classifier_updates.values()):,} updates, as the C-Net"))
    has_gold = sentences.batch(torch.tensor([0])).boundaries is not None
    for name in baselines_for(encoder.task):
        if has_gold or name != "gold.v1":
            agent = make_baseline(name, data.vocabulary, encoder.task)
            rows.append(Row(name.rpartition(".")[0], intervals(outcome(agent)), "same classifier"))
    if oracle:
        found = collect((_best_found(encoder, batch, oracle) for batch in episodes), encoder.task)
        rows.append(Row("oracle", intervals(found), f"knows the class, beam of {oracle}, same classifier"))
    gain = difference(trained, plain)
    caption = (
        f"{CAPTION} {encoder.title} less plain LSTM: {100 * gain.value:+.1f} points of accuracy "
        f"({100 * gain.low:+.1f} to {100 * gain.high:+.1f}, paired)."
    )
    title = f"{run.config.corpus}, {split}: {len(sentences):,} sentences"
    if encoder.task.structure == "selection":
        comparison = Comparison(title, rows, caption, deletions=Deletions.of(episodes, data.vocabulary))
    else:
        comparison = Comparison(title, rows, caption, recurring=Recurring.of(episodes, data.vocabulary))
    comparison.save(run.folder, f"evaluation-{split}")
    return comparison


@torch.no_grad()
def _best_found(encoder: StructuredEncoder, episodes: Episodes, width: int) -> Episodes:
    """The actions that make the gold class most probable, as far as a beam finds them: never worse than those given."""
    actions, log_likelihood = beam_search(encoder, episodes.sentences, width)
    better = log_likelihood > episodes.log_likelihood
    actions = torch.where(better[:, None], actions, episodes.actions)
    return Episodes(episodes.sentences, actions, encoder(episodes.sentences, actions))


def _agent_title(name: str) -> str:
    """`REINFORCE` of `reinforce.v1`, `MASKABLE PPO` of `maskable_ppo`."""
    return name.partition(".")[0].replace("_", " ").upper()


def _plain_lstm(run: Run, data: TrainingData, console: Console | None) -> PlainLSTM:
    """The run's plain LSTM, trained the first time it is asked for."""
    path = run.folder / _PLAIN_FILE
    if not path.exists():
        console = console or Console(stderr=True)
        train_plain_lstm(run.config, data, run.classifier_updates, console).save(path)
    model = Classifier.load(path).model
    assert isinstance(model, PlainLSTM)
    return model


@torch.no_grad()
def _verdicts(model: PlainLSTM, data: TrainingData, split: str) -> Iterator[tuple[SentenceBatch, Tensor]]:
    for batch in evaluation_batches(data.splits[split]):
        yield batch, model(batch)
