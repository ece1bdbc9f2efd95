"""Measure what products of lower precision gain in speed here, and what they cost in accuracy.

A processor without such products computes in float32 whatever the precision. For the accuracy, the operands of all
products are therefore rounded to bfloat16, forwards and backwards, and sums stay float32, as such hardware does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final, get_args

from accuracy import figures_of
from benchmark_training import measure
from command import run_script
from measuring import gemm_rate
from rich.console import Console
from torch.utils._python_dispatch import TorchDispatchMode

from hs_env.compute import Precision, multiplying, prepare
from hs_env.experiments.statistics import t_interval
from hs_env.training import TrainConfig, train

_PRODUCTS: Final = {"aten::mm", "aten::addmm", "aten::addmm_", "aten::bmm", "aten::baddbmm"}


class RoundedProducts(TorchDispatchMode):
    """A mode that rounds the operands of products of matrices to bfloat16; an added matrix keeps float32."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func._schema.name in _PRODUCTS:
            operands = [operand.bfloat16().float() for operand in args[-2:]]
            args = (*args[:-2], *operands)
        return func(*args, **(kwargs or {}))


def accuracy(seed: int, rounded: bool, corpus: str) -> float:
    """Train HS-LSTM with hidden size 100, and else the defaults; return its accuracy on test, in %."""
    config = TrainConfig(corpus=corpus, model_parameters={"hidden_size": 100}, seed=seed, threads=1)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        with RoundedProducts() if rounded else nullcontext():
            train(config, run, Console(quiet=True))
        return 100 * figures_of(str(run), corpus)["accuracy"].value


def speed(precision: Precision, corpus: str, hidden_size: int) -> str:
    """Measure a product and the phases of training with 128 sentences and 5 samples each, on one thread."""
    config = TrainConfig(corpus=corpus, model_parameters={"hidden_size": hidden_size}).resolve()
    with multiplying(precision):
        measured = measure(config, 128, 5, 2)
        rate = gemm_rate(640, hidden_size) / 1e9
    phases = ", ".join(f"{each['name']} {each['sentences_per_second']:,.0f}/s" for each in measured["phases"])
    return f"{precision:8} product {rate:4.0f} GFLOP/s, sentences: {phases}"


def main(corpus: str = "movie_reviews", seeds: int = 3, hidden_size: int = 300) -> None:
    """Print speeds at each precision, and accuracies.

    Args:
        corpus: Corpus that HS-LSTM is trained on.
        seeds: Number of seeds, at least 2; with 0, only speeds are measured.
        hidden_size: Hidden size d whose speed is measured.
    """
    if seeds == 1:
        raise SystemExit("Expected 0 seeds, for speeds alone, or at least 2, got 1.")
    prepare(1)
    for precision in get_args(Precision):
        print(speed(precision, corpus, hidden_size), flush=True)
    if not seeds:
        return
    differences = []
    for seed in range(seeds):
        exact, rounded = (accuracy(seed, each, corpus) for each in (False, True))
        differences.append(rounded - exact)
        print(f"seed {seed}: {exact:.1f}% in float32, {rounded:.1f}% with products of bfloat16", flush=True)
    found = t_interval(differences)
    print(f"difference {found.value:+.1f} points ({found.low:+.1f} to {found.high:+.1f})")


if __name__ == "__main__":
    run_script(main)
