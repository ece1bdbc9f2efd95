"""Measure an update of a segmental language model next to one of an LSTM with as many parameters.

Seconds are those of the processor, with one thread, so that other processes disturb them less. The floor is the time of
the products of matrices at the rate of one plain product with as many rows as a step of the segments has.
"""

from __future__ import annotations

import time

import torch
from measuring import gemm_rate, median_seconds
from rich.console import Console
from rich.table import Table
from torch.nn.functional import nll_loss

from hs_env.compute import prepare
from hs_env.language import CharacterLM, LMConfig
from hs_env.language.cores.segmental import LONGEST
from hs_env.language.models import new_model

ALPHABET = "".join(map(chr, range(97, 147)))


def products(model: CharacterLM, config: LMConfig) -> int:
    """Return the floating-point operations per character of all products, forward and backward."""
    width: int = model.config()["hidden_size"]
    context = 8 * width * (width + 2 * width * (config.layers - 1))  # embeddings are projected once per alphabet
    segments = LONGEST * 8 * width * width  # the first step reads g, the others the state of the one before
    softmax = LONGEST * 2 * (width * (config.output_size + 1) + config.output_size * len(ALPHABET))
    return 3 * (context + segments + softmax)


def benchmark_segmental(
    hidden_size: int = 128, layers: int = 2, batch: int = 32, steps: int = 100, repeat: int = 7
) -> None:
    """Measure a forward and a backward pass.

    Args:
        hidden_size: Width of the HM-LSTM that has as many parameters.
        layers: Number of layers of the context network, and of the LSTM.
        batch: Number of streams.
        steps: Characters per stream.
        repeat: Number of calls per median.
    """
    prepare(1)
    torch.manual_seed(0)
    tokens = torch.randint(0, len(ALPHABET), (steps + 1, batch))
    table = Table("core", "parameters", "width", "seconds", "floor", "floor / seconds", "next to lstm")
    found: dict[str, float] = {}
    for core in ("lstm", "segmental"):
        config = LMConfig(core=core, hidden_size=hidden_size, layers=layers)
        model = new_model(config, ALPHABET)

        def update(model: CharacterLM = model) -> None:
            log_probs = model.read(tokens[:-1]).log_probs
            nll_loss(log_probs.flatten(0, 1), tokens[1:].flatten()).backward()

        found[core] = median_seconds(update, repeat, time.process_time)
        width: int = model.config()["hidden_size"]
        floor = "", ""
        if core == "segmental":
            least = products(model, config) * batch * steps / gemm_rate(batch * steps, width, time.process_time)
            floor = f"{least:.3f}", f"{least / found[core]:.2f}"
        row = (core, f"{model.size:,}", str(width), f"{found[core]:.3f}", *floor, f"{found[core] / found['lstm']:.1f}")
        table.add_row(*row)
    Console().print(f"{batch} x {steps} characters", table)
