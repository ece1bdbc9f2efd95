"""The command `hs-env evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import tyro
from rich.console import Console

from hs_env.cli.common import Format, Split, print_comparison
from hs_env.cli.options import main_options
from hs_env.errors import HsEnvError

if TYPE_CHECKING:
    from hs_env.agents import Agent
    from hs_env.training.run import Run


@main_options("runs", "split", "format")
def evaluate(
    runs: tyro.conf.Positional[tuple[Path, ...]],
    split: Split = "test",
    format: Format = "table",
    oracle: int = 0,
    policy: tuple[Path, ...] = (),
    samples: int = 0,
    agent: tuple[Path, ...] = (),
    noise: float | None = None,
    trust: bool = False,
    device: str = "auto",
) -> None:
    """Compare a run with the baselines, or several runs with each other.

    Args:
        runs: Folder of the run. Several runs on the same sentences are compared in one table, in pairs with the first.
        split: Sentences to evaluate on.
        format: Format of the printed comparison. A single run's folder gets JSON and CSV files in any case.
        oracle: Width of a beam search, such as 16, that shows what a perfect P-Net gains at least; 0 skips it.
        policy: Folders of runs of HM-LSTM or H-Net. Their boundaries of the lowest level segment the sentences.
        samples: Sampled action sequences per sentence, over which class probabilities are averaged; 0 skips it.
        agent: Other agents to act on this run's classifier: folders of runs, agents' files, zips of Stable-Baselines3.
        noise: Share of the words of two or more letters that get a typo; by default that of the run's corpus.
        trust: Load zip files, although they contain pickles, which can execute any code.
        device: Device: cpu, cuda, cuda:1, mps, or auto for a CUDA GPU if there is one.
    """
    from hs_env.evaluation import compare, compare_runs

    if not runs:
        raise HsEnvError("Expected the folder of a run, such as runs/NAME.")
    if len(runs) > 1:
        if oracle or policy or samples or agent:
            raise HsEnvError("--oracle, --policy, --samples and --agent are for a single run. Leave them out.")
        print_comparison(compare_runs([_with_noise(folder, noise, device) for folder in runs], split), format)
        return
    run = _with_noise(runs[0], noise, device)
    agents = _load_agents(run, agent, trust)
    print_comparison(compare(run, split, Console(stderr=True), oracle, policy, samples, agents), format)


def _with_noise(folder: Path, noise: float | None, device: str) -> Run:
    """Load a run that is evaluated with noise. From now on the process has as many threads as its training had."""
    from hs_env.compute import prepare
    from hs_env.training.run import Run

    run = Run.load(folder, device)
    prepare(run.config.threads)
    return replace(run, noise=noise)


def _load_agents(run: Run, paths: Sequence[Path], trust: bool) -> dict[str, Agent]:
    """Load agents for the classifier of a run, by their absolute paths or the names of shipped runs."""
    from hs_env.agents import load_agent_for
    from hs_env.models import StructuredEncoder
    from hs_env.shipped import AGENT

    model = run.classifier.model
    if not paths:
        return {}
    if not isinstance(model, StructuredEncoder):
        raise HsEnvError(f"{model.title} takes no actions, so no agent can act on it. Leave --agent out.")
    named: dict[str, Path] = {}
    for path in paths:
        resolved = path.resolve()
        name = str(resolved.parent if resolved.name == AGENT else resolved) if resolved.exists() else str(path)
        if name in named:
            raise HsEnvError(f"The agent {path} is given twice. Give it once.")
        named[name] = path
    return {name: load_agent_for(model, run.classifier.vocabulary, path, trust=trust) for name, path in named.items()}
