"""The command `hs-env treebank`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import tyro

from hs_env.cli.common import Format, Split, load_policy, print_comparison
from hs_env.shipped import DEFAULT_RUN


def treebank(
    name: tyro.conf.Positional[Literal["conll2000", "sst"]],
    run: str = DEFAULT_RUN,
    data_dir: Path | None = None,
    split: Split = "test",
    format: Format = "table",
    device: str = "auto",
) -> None:
    """Compare the phrases of a run with chunks or parse trees.

    CoNLL-2000 has chunks, SST has constituents of parse trees.

    Args:
        name: Name of the treebank.
        run: Folder of a trained run, which gets JSON and CSV files, name of a run that ships, or hf:owner/name.
        data_dir: Folder that contains the treebank's folder.
        split: Sentences to compare on. CoNLL-2000 has no dev split.
        format: Format of the printed comparison.
        device: Device: cpu, cuda, cuda:1, mps, or auto for a CUDA GPU if there is one.
    """
    from hs_env.corpora import load_treebank
    from hs_env.evaluation import compare_with_treebank

    classifier, agent, folder = load_policy(run, device)
    trees = load_treebank(name, data_dir=data_dir, split=split, tokenisation=classifier.tokenisation)
    comparison = compare_with_treebank(classifier, agent, trees)
    if folder is not None:
        comparison.save(folder, f"treebank-{name}-{split}")
    print_comparison(comparison, format)
