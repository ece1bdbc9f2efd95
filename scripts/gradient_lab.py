"""Measure bias and variance of the gradient estimators on short sentences, against the exact gradient.

The script uses sentences of the generated corpus, the frozen classifier that ships with the package and two policies:
one is untrained, one has had a few updates. It prints Markdown tables and draws a figure.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from command import run_script
from rich.progress import track

from hs_env.agents import ESTIMATORS, PNet, PolicyNet, Reinforce, ReinforceParameters
from hs_env.agents.estimators import ExpectedReward
from hs_env.agents.estimators.exact import LONGEST
from hs_env.agents.estimators.lab import Measured, measure
from hs_env.corpora import load_corpus
from hs_env.models import Classifier, StructuredEncoder
from hs_env.rewards import HSLSTMReward
from hs_env.types import SentenceBatch


def sentences(classifier: Classifier, number: int) -> SentenceBatch:
    """Return the first test sentences that are short enough for the exact gradient."""
    short = [one for one in load_corpus("phrases").splits["test"] if 8 <= len(one.words) <= LONGEST]
    return classifier.batch(short[:number])


def measured(expected: ExpectedReward, policy: PolicyNet, estimates: int, seed: int) -> dict[str, Measured]:
    """Measure all estimators except the exact one; sort them by variance times passes."""
    names = [name for name in ESTIMATORS if name != "exact.v1"]
    results = {}
    for name in track(names, "estimating", transient=True):
        estimator = ESTIMATORS.get(name)(expected.encoder.state_size)
        results[name] = measure(estimator, expected, list(policy.parameters()), estimates, seed, warm_up=estimates // 2)
    return dict(sorted(results.items(), key=lambda item: item[1].variance * item[1].passes))


def table(results: dict[str, Measured]) -> str:
    """Format results as a Markdown table."""
    lines = [
        "| estimator | bias | (noise) | cosine | variance | passes | variance x passes |",
        "|:--|--:|--:|--:|--:|--:|--:|",
    ]
    for name, one in results.items():
        cells = (one.bias, one.bias_error, one.cosine, one.variance, one.passes, one.variance * one.passes)
        lines.append(f"| `{name.partition('.')[0]}` | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    return "\n".join(lines)


def draw(panels: dict[str, dict[str, Measured]], path: Path) -> None:
    """Draw variance times passes, and bias, of each estimator: one row of two panels per policy."""
    figure, axes = plt.subplots(len(panels), 2, figsize=(9, 3.6 * len(panels)), squeeze=False)
    for row, (title, results) in zip(axes, panels.items(), strict=True):
        names = [name.partition(".")[0] for name in results][::-1]
        colours = ["tab:blue" if ESTIMATORS.get(name)(1).unbiased else "tab:red" for name in results][::-1]
        measured = list(results.values())[::-1]
        left, right = row
        left.hlines(names, 0.1, [one.variance * one.passes for one in measured], colours, linewidth=3)
        left.set(title=title, xscale="log", xlabel="variance x passes, in squared norms of the gradient")
        right.barh(names, [one.bias for one in measured], color=colours)
        right.set(xscale="symlog", xlabel="bias, in norms of the gradient", yticks=[], xlim=(0, 20))
        right.errorbar([one.bias_error for one in measured], names, fmt="|", color="black", label="noise")
        right.legend()
    figure.tight_layout()
    figure.savefig(path)


def main(
    number: int = 8,
    samples: int = 2,
    estimates: int = 1000,
    updates: int = 10,
    gamma: float = 0.2,
    seed: int = 0,
    out: Path | None = None,
) -> None:
    """Measure the estimators for both policies, and print the results.

    Args:
        number: Number of sentences.
        samples: Episodes per sentence.
        estimates: Number of gradient estimates per estimator.
        updates: Number of REINFORCE updates of the second policy.
        gamma: Weight of the structure term in the reward.
        seed: Seed of all random generators.
        out: File of the figure (SVG, PNG or PDF); None draws no figure.
    """
    torch.set_num_threads(1)
    classifier = Classifier.load("phrases")
    encoder = classifier.model
    assert isinstance(encoder, StructuredEncoder)
    encoder.requires_grad_(False)
    torch.manual_seed(seed)
    batch, reward = sentences(classifier, number), HSLSTMReward(gamma)
    learner = Reinforce(encoder.state_size, encoder.problem, ReinforceParameters(hidden_size=32))
    for _ in range(updates):
        learner.update(encoder, batch, reward)
    policies: dict[str, PolicyNet] = {
        "an untrained policy": PNet(encoder.state_size, 32),
        f"a policy after {updates} updates": learner.pnet,
    }
    panels = {}
    for title, policy in policies.items():
        expected = ExpectedReward(encoder, policy, batch, reward, samples)
        panels[title] = measured(expected, policy, estimates, seed)
        print(f"\n{title}\n\n{table(panels[title])}")
    if out is not None:
        draw(panels, out)


if __name__ == "__main__":
    run_script(main)
