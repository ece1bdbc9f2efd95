"""Print figures of a shipped run, or of any run, on the test sentences of a corpus, under its own or another policy."""

from __future__ import annotations

import tyro
from command import run_script

from hs_env.agents import load_pair, make_baseline
from hs_env.corpora import load_corpus
from hs_env.errors import HsEnvError
from hs_env.metrics.bootstrap import Interval, intervals
from hs_env.metrics.definitions import metrics_of
from hs_env.metrics.scores import greedy_predictions
from hs_env.models import Classifier, StructuredEncoder


def figures_of(run: str, corpus: str, policy: str | None = None) -> dict[str, Interval]:
    """Accuracy, and tree F1 of trees, with 95% bootstrap intervals over sentences."""
    classifier, agent = load_pair(run) if policy is None else (Classifier.load(run), None)
    loaded = load_corpus(corpus)
    model = classifier.model
    if isinstance(model, StructuredEncoder):
        loaded = loaded.for_problem(model.problem)
        agent = agent or make_baseline(policy or "", classifier.vocabulary, model.problem)
    elif policy is not None:
        raise HsEnvError(f"{run} takes no actions, so it cannot follow the policy {policy!r}.")
    found = greedy_predictions(model, agent, classifier.encode(loaded.splits["test"]))
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
    run_script(main)
