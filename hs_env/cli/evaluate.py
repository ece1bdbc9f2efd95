"""The command `hs-env evaluate`."""

from __future__ import annotations

from pathlib import Path

import tyro
from rich.console import Console

from hs_env.cli.common import Format, Split, print_comparison
from hs_env.evaluation import compare
from hs_env.training.run import Run


def evaluate(
    run: tyro.conf.Positional[Path],
    split: Split = "test",
    format: Format = "table",
    oracle: int = 0,
    policy: tuple[Path, ...] = (),
    samples: int = 0,
) -> None:
    """Compare a trained run with the baseline policies and a plain LSTM.

    Args:
        run: Folder of the run.
        split: Sentences to evaluate on.
        format: Format of the printed comparison. JSON and CSV files are written to the run's folder in any case.
        oracle: Width of a beam search, such as 16, that shows what a perfect P-Net gains at least; 0 skips it.
        policy: Folders of HM-LSTM runs. Their lowest boundaries segment the sentences for this run's classifier.
        samples: Sampled action sequences per sentence, over which class probabilities are averaged; 0 skips it.
    """
    print_comparison(compare(Run.load(run), split, Console(stderr=True), oracle, policy, samples), format)
