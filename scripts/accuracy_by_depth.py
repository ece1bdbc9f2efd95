"""Print the accuracy of runs on sentences of `phrases_deep` of several depths, as a Markdown table.

A structured encoder has two rows: with its own policy, and with the gold modules.
"""

from __future__ import annotations

import tyro
from command import run_script

from hs_env.agents import Agent, load_pair, make_baseline
from hs_env.corpora import load_corpus
from hs_env.metrics.definitions import values_of
from hs_env.metrics.scores import greedy_predictions
from hs_env.models import StructuredEncoder


def main(
    runs: tyro.conf.Positional[tuple[str, ...]], depths: tuple[int, ...] = (0, 3, 5, 8, 12, 16), size: int = 1000
) -> None:
    """Print the table.

    Args:
        runs: Folders of runs, or names of runs that ship with the package.
        depths: Depths of the test sentences; each also includes the two that follow.
        size: Number of sentences per depth.
    """
    print(f"| | {' | '.join(f'{depth}–{depth + 2}' for depth in depths)} |")
    print(f"|:--|{'--:|' * len(depths)}")
    corpora = [load_corpus(f"phrases_deep:train=1,dev=0,test={size},test_depth={depth}") for depth in depths]
    for run in runs:
        classifier, agent = load_pair(run)
        policies: dict[str, Agent | None] = {run: agent}
        suitable = corpora
        if isinstance(classifier.model, StructuredEncoder):
            problem = classifier.model.problem
            policies[f"{run}, gold"] = make_baseline("gold", classifier.vocabulary, problem)
            suitable = [corpus.for_problem(problem) for corpus in corpora]
        splits = [classifier.encode(corpus.splits["test"]) for corpus in suitable]
        for name, agent in policies.items():
            found = [values_of(greedy_predictions(classifier.model, agent, split)) for split in splits]
            cells = [f"{100 * each['accuracy']:.1f}" for each in found]
            print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    run_script(main)
