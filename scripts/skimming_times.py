"""Measure how long skimming, ID-LSTM and a plain LSTM take per sentence, for docs/skimming.md.

Times are seconds of processor time with one thread, which are those of a wall clock on an idle machine. All models are
measured in this process and take turns; each time is the median over the rounds. The result is
docs/results/skimming_times.json, from which `skimming.py` makes the tables.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import tyro
from command import run_script
from skimming import CORPUS, GRID, PLAIN, TIMES

from hs_env.agents import Agent, LogitPolicy, PNet, rollout, skim
from hs_env.compute import prepare
from hs_env.corpora import Vocabulary, load_corpus
from hs_env.corpora.encoded import EncodedSplit
from hs_env.experiments.grid import load_grid
from hs_env.models import Classifier, FlatClassifier, PlainLSTM, SkimLSTM, StructuredEncoder
from hs_env.models.classifier import Model
from hs_env.problems.skimming import NEXT, SKIP, STOP
from hs_env.storage import write_json
from hs_env.training.run import Run
from hs_env.types import SentenceBatch

BATCH: Final = 64
SINGLE: Final = 50
"""Number of sentences that are classified one by one."""
WIDTHS: Final = (100, 300)
"""Hidden sizes of the models with random weights."""
SOME: Final = 256
"""Number of test sentences for the models with random weights."""
UNITS: Final = 16
"""Width of the P-Net's tanh layer for random weights, as in the grid."""


@dataclass(frozen=True)
class Reader:
    """A model that classifies test sentences.

    Attributes:
        name: Name in the result.
        read: Share of the words that it reads, in per cent.
        classify: Classifies a batch.
        batches: All test sentences in batches of similar length.
        singles: Some test sentences, one per batch.
    """

    name: str
    read: float
    classify: Callable[[SentenceBatch], Any]
    batches: list[SentenceBatch]
    singles: list[SentenceBatch]

    def seconds(self) -> dict[str, float]:
        """Return the time per sentence, in batches and one by one."""
        found = {}
        for name, batches in (("batched", self.batches), ("single", self.singles)):
            begun = time.process_time()
            for batch in batches:
                self.classify(batch)
            found[name] = (time.process_time() - begun) / sum(map(len, batches))
        return found


def readers(name: str, model: Model, agent: Agent | None, test: EncodedSplit) -> list[Reader]:
    """Return a model as reader of a split; the skim LSTM also with jumps."""
    batches = list(test.batches(BATCH))
    singles = [test.batch(torch.tensor([place])) for place in range(SINGLE)]
    if isinstance(model, FlatClassifier):
        return [Reader(name, 100.0, model, batches, singles)]
    assert isinstance(model, StructuredEncoder) and agent is not None  # noqa: PT018
    read = share_read(model, agent, test)
    made = [
        Reader(name, read, lambda batch: rollout(model, agent, batch, deterministic=True).episodes, batches, singles)
    ]
    if isinstance(model, SkimLSTM):
        made.append(Reader(f"{name} jumps", read, lambda batch: skim(model, agent, batch), batches, singles))
    return made


def share_read(model: StructuredEncoder, agent: Agent, test: EncodedSplit) -> float:
    """Return the share of the words that a policy selects, in per cent."""
    read = 0
    for batch in test.batches(512):
        episodes = rollout(model, agent, batch, deterministic=True).episodes
        read += len(model.problem.spans(episodes.actions, batch.lengths))
    return 100 * read / int(test.lengths.sum())


def of_the_grid(runs: Path) -> list[Reader]:
    """Return the readers of the runs with seed 0 on all words."""
    corpus, made = load_corpus(CORPUS), []
    for cell in load_grid(GRID):
        if not cell.number and cell.corpus == CORPUS:
            run = Run.load(runs / cell.key)
            test = run.classifier.encode(corpus.splits["test"])
            made += readers(cell.variant, run.classifier.model, run.agent, test)
    return made


def of_random_weights(width: int) -> list[Reader]:
    """Return a plain LSTM and a skim LSTM with random weights, whose P-Nets read about half of the words and all."""
    corpus = load_corpus(CORPUS)
    sentences = corpus.splits["test"][:SOME]
    vocabulary = Vocabulary.from_sentences(sentences)
    torch.manual_seed(0)
    size = (len(vocabulary), len(corpus.labels), 50, width)
    plain, model = PlainLSTM(*size).eval(), SkimLSTM(*size).eval()
    test = Classifier(plain, vocabulary, corpus.labels, corpus.tokenisation, {}).encode(sentences)
    pnet = PNet(model.state_size, UNITS, model.problem.num_actions)
    for weight in pnet.parameters():
        torch.nn.init.normal_(weight)
    list(pnet.parameters())[-1].data[STOP] = -1e6
    with_all, half = copy.deepcopy(pnet), pnet
    list(with_all.parameters())[-1].data[NEXT] = 1e6
    bias, low, high = list(half.parameters())[-1].data, -40.0, 40.0
    for _ in range(8):  # a greater bias of SKIP reads fewer words
        bias[SKIP] = (low + high) / 2
        more = share_read(model, LogitPolicy(half), test) > 50
        low, high = (float(bias[SKIP]), high) if more else (low, float(bias[SKIP]))
    agents = {"": LogitPolicy(half), " all": LogitPolicy(with_all)}
    return readers(f"{PLAIN} {width}", plain, None, test) + [
        reader for name, agent in agents.items() for reader in readers(f"skim_lstm {width}{name}", model, agent, test)
    ]


@torch.inference_mode()
def main(runs: tyro.conf.Positional[Path], rounds: int = 3) -> None:
    """Measure all models and write the result.

    Args:
        runs: Folder `cells` of the sweep.
        rounds: Number of measurements of each model.
    """
    prepare(threads=1)
    result = {}
    for part in (of_the_grid(runs), *map(of_random_weights, WIDTHS)):
        times = [[reader.seconds() for reader in part] for _ in range(rounds + 1)][1:]  # the first one warms up
        for place, reader in enumerate(part):
            milliseconds = {
                name: 1000 * statistics.median(each[place][name] for each in times) for name in ("batched", "single")
            }
            result[reader.name] = {key: round(value, 3) for key, value in {"read": reader.read, **milliseconds}.items()}
            print(reader.name, result[reader.name], flush=True)
    write_json(TIMES, result)


if __name__ == "__main__":
    run_script(main)
