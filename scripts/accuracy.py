"""Print figures of a shipped run, or of any run, on the test sentences of a corpus, under its own or another policy."""

from __future__ import annotations

from pathlib import Path

import tyro

from hs_env.agents import load_agent, make_baseline
from hs_env.agents.base import FILE_NAME as AGENT
from hs_env.corpora import load_corpus
from hs_env.metrics.bootstrap import Interval, intervals
from hs_env.metrics.definitions import metrics_of
from hs_env.metrics.predictions import collect, collect_flat
from hs_env.metrics.scores import flat_predictions, greedy_episodes
from hs_env.models import Classifier, StructuredEncoder, find_classifier


def figures_of(run: str, corpus: str, policy: str | None = None) -> dict[str, Interval]:
    """Accuracy, and tree F1 of trees, with 95% bootstrap intervals over sentences."""
    classifier, loaded = Classifier.load(run), load_corpus(corpus)
    model = classifier.model
    if isinstance(model, StructuredEncoder):
        split = classifier.encode(loaded.for_problem(model.problem).splits["test"])
        own = Path(find_classifier(run)).parent / AGENT
        agent = load_agent(own) if policy is None else make_baseline(policy, classifier.vocabulary, model.problem)
        found = collect(greedy_episodes(model, agent, split), model.problem)
    else:
        found = collect_flat(flat_predictions(model, classifier.encode(loaded.splits["test"])))
    return intervals(found, metrics=[name for name in ("accuracy", "tree_f1") if name in metrics_of(found)])


def main(run: tyro.conf.Positional[str], corpus: str, policy: str | None = None) -> None:
    """Print each figure in per cent with its interval.

    Args:
        run: Folder of a run, or name of a run that ships with the package.
        corpus: Corpus whose test sentences are read.
        policy: Baseline policy instead of the run's own, such as gold.
    """
    for name, each in figures_of(run, corpus, policy).items():
        print(f"{name} {100 * each.value:.1f} ({100 * each.low:.1f} to {100 * each.high:.1f})")


if __name__ == "__main__":
    tyro.cli(main)
