"""Measure a training step of H-Net next to `nn.LSTM` with as many parameters, at a given boundary rate.

The router's probabilities are replaced by random ones, so that the rate is exact whatever the weights. The layer steps
that H-Net computes are counted, next to those of as many layers that read every character. Seconds are those of the
processor, with one thread, so that other processes disturb them less.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from unittest.mock import patch

import torch
from measuring import median_seconds
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from hs_env.compute import prepare
from hs_env.models.h_net.layers import DECODER_LAYERS, ENCODER_LAYERS, HNet
from hs_env.models.h_net.routers import CosineRouter, Routing
from hs_env.models.h_net.stack import State


def size(module: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def equal_lstm(wanted: int, embedding: int, layers: int) -> nn.LSTM:
    """Return a stack of LSTM layers whose number of parameters is closest to `wanted`, from above."""
    with torch.device("meta"):
        width = bisect_left(range(2000), wanted, lo=1, key=lambda width: size(nn.LSTM(embedding, width, layers)))
    return nn.LSTM(embedding, width, layers)


def benchmark_h_net(
    width: int = 204,
    layers: int = 3,
    batch: int = 32,
    steps: int = 100,
    embedding: int = 128,
    rates: tuple[float, ...] = (1.0, 0.5, 0.2, 0.1),
    repeat: int = 7,
) -> None:
    """Measure a forward and a backward pass.

    Args:
        width: Width of the layers of H-Net.
        layers: Layers of its main network, and of `nn.LSTM`.
        batch: Number of streams.
        steps: Characters per stream.
        embedding: Width of the inputs.
        rates: Shares of the characters with a boundary.
        repeat: Number of calls per median.
    """
    prepare(1)
    torch.manual_seed(0)
    net = HNet(embedding, width, layers)
    lstm = equal_lstm(size(net), embedding, layers)
    x = torch.randn(steps, batch, embedding)
    flat, lengths = x.transpose(0, 1).flatten(0, 1), torch.full((batch,), steps)
    index, computed = torch.arange(len(flat)), CosineRouter.forward

    def lstm_step() -> None:
        lstm(x)[0].sum().backward()

    theirs = median_seconds(lstm_step, repeat, time.process_time)
    table = Table("rate", "layer steps", "of all", "seconds", "nn.LSTM", "speed next to nn.LSTM")
    for rate in rates:
        drawn = torch.rand(len(flat), generator=torch.Generator().manual_seed(1))
        p = torch.where(drawn < rate, 0.6, 0.4)

        def given(
            router: CosineRouter, x: Tensor, tokens: Tensor | None, lengths: Tensor, state: State, p: Tensor = p
        ) -> Routing:
            routing = computed(router, x, tokens, lengths, state)
            return routing._replace(p=p + 0 * routing.p, chosen=p > 0.5)  # the cost of the router stays

        with patch.object(CosineRouter, "forward", given):
            read = net(flat, index, lengths)

            def step() -> None:
                net(flat, index, lengths).output.sum().backward()

            ours = median_seconds(step, repeat, time.process_time)
        share = read.computed / ((ENCODER_LAYERS + DECODER_LAYERS + layers) * len(flat))
        row = (f"{read.boundaries.mean():.2f}", f"{read.computed:,}", f"{share:.0%}")
        table.add_row(*row, f"{ours:.3f}", f"{theirs:.3f}", f"{theirs / ours:.2f}")
    title = f"{batch} x {steps} characters; H-Net {size(net):,} parameters, width {width}; "
    Console().print(title + f"nn.LSTM {size(lstm):,}, width {lstm.hidden_size}", table)
