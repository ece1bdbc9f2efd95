"""Measure HM-LSTM: a training step next to `nn.LSTM` and a plain GEMM, and inference that skips copied sequences.

The products of all layers take a time at the rate of a GEMM with as many rows; a backward pass counts twice its forward
pass. HM-LSTM leaves out products of words without a boundary, so it can take less. It is measured with new weights, and
with a lower bias of the detectors, so that boundaries are rarer. Inference is measured on a trained language model. The
ceiling of its speed-up is the number of layer updates of a dense reader divided by the number of those that UPDATE or
FLUSH. The dense reader stores nothing for gradients either.
"""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path

import torch
from measuring import gemm_rate, median_seconds
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from hs_env.compute import prepare
from hs_env.language import LMRun, load_text
from hs_env.language.texts import encode
from hs_env.models.hm.boundary import decide
from hs_env.models.hm.inference import Reader
from hs_env.models.hm.layer_scan import EPSILON, Layer, layers_of
from hs_env.models.hm.layers import HMLSTM
from hs_env.models.hm.plan import ScanPlan
from hs_env.models.lstm import fast_tanh

_RARER = 0.9
"""Amount subtracted from the biases of the detectors."""


class DenseReader(Reader):
    """Computes every layer at every step, then restores the sequences that are copied."""

    def lowest(self, layer: Layer, projected: Tensor, flushed: Tensor, ends: Tensor | None) -> Tensor:
        """See `Reader.lowest`."""
        return self._dense(layer, projected, flushed, torch.ones_like(flushed), ends)

    def higher(self, layer: Layer, flushed: Tensor, below: Tensor, ends: Tensor | None) -> Tensor:
        """See `Reader.higher`."""
        return self._dense(layer, None, flushed, below, ends)

    def _dense(
        self, layer: Layer, projected: Tensor | None, flushed: Tensor, below: Tensor, ends: Tensor | None
    ) -> Tensor:
        d, size, own, low = layer.width, len(below), flushed[:, None], below[:, None]
        c, h = self.c[:size, layer.column], self.h[:size, layer.column]
        inputs = [h]
        if layer.above is not None:
            inputs.append(self.h[:size, layer.above] * own)
        if layer.below is not None:
            inputs.append(self.h[:size, layer.below] * low)
        x = torch.cat(inputs, 1)
        sums = x @ layer.weight if projected is None else torch.addmm(projected, x, layer.weight)
        if layer.gain is None:
            a = sums + layer.bias
        else:
            a = torch.native_layer_norm(sums, sums.shape[1:], layer.gain, layer.bias, EPSILON)[0]
        i, f, o = torch.sigmoid(a[:, : 3 * d]).chunk(3, 1)
        new = torch.addcmul(i * fast_tanh(a[:, 3 * d : 4 * d]), f.masked_fill(own, 0), c)
        active = own | low
        self.c[:size, layer.column] = torch.where(active, new, c)
        self.h[:size, layer.column] = torch.where(active, o * fast_tanh(new), h)
        self.computed += size
        if layer.above is None:
            return below
        boundary = decide(a[:, -1], self.plan.slope, "step", None)
        self.z[:size, layer.number] = boundary
        return boundary.bool()


def training(console: Console, width: int, batch: int, steps: int, embedding: int, repeat: int) -> None:
    """Measure a forward and a backward pass."""
    torch.manual_seed(0)
    hm, lstm, x = HMLSTM(embedding, (width,) * 3), nn.LSTM(embedding, width, 3), torch.randn(steps, batch, embedding)
    rare = copy.deepcopy(hm)
    with torch.no_grad():
        for bias in rare.biases[:-1]:
            bias[-1] -= _RARER

    def step(core: nn.Module) -> None:
        core(x)[0].sum().backward()

    rate, theirs = gemm_rate(batch, width), median_seconds(partial(step, lstm), repeat)
    products = sum(weight.numel() for weight in (*hm.weights, hm.weight_in))
    dense = 6 * products * batch * steps / rate
    title = f"Training step, 3 x {width}, {batch} x {steps}"
    table = Table("", "boundaries", "seconds", "rate of nn.LSTM", "all products as a share", title=title)
    for core in (hm, rare):
        ours = median_seconds(partial(step, core), repeat)
        with torch.no_grad():
            shares = ", ".join(f"{share:.0%}" for share in core(x)[1].mean((0, 1)).tolist())
        table.add_row("HM-LSTM", shares, f"{ours:.2f}", f"{theirs / ours:.2f}", f"{dense / ours:.2f}")
    table.add_row("nn.LSTM", "", f"{theirs:.2f}", "1", "")
    console.print(table, f"GEMM {rate / 1e9:.0f} GFLOP/s")


@torch.no_grad()
def reading(console: Console, folder: Path, batches: tuple[int, ...], steps: int, repeat: int) -> None:
    """Measure how fast a trained language model reads its test text, with and without skipping copied sequences."""
    run = LMRun.load(folder)
    model = run.language_model.model
    core = model.core
    assert isinstance(core, HMLSTM)
    text = encode(load_text(run.config.text, run.config.data_dir).test, run.language_model.alphabet)
    projected = core.project(model.embedding.weight)
    kinds = (Reader, DenseReader)
    table = Table("streams", "boundaries", "ceiling", "reached", "share", "ms a step", "dense", "greatest difference")
    for batch in batches:
        index = text[: batch * steps].view(batch, steps).t().flatten()
        (quick, h, z), (dense, dense_h, _) = (_read(kind, core, projected, index, batch) for kind in kinds)
        seconds = [median_seconds(partial(_read, kind, core, projected, index, batch), repeat) for kind in kinds]
        ceiling, reached = dense.computed / quick.computed, seconds[1] / seconds[0]
        rates = ", ".join(f"{rate:.0%}" for rate in z.mean(0).tolist())
        difference = f"{(h - dense_h).abs().max():.0e}"
        milliseconds = [f"{1000 * one / steps:.2f}" for one in seconds]
        row = (
            str(batch),
            rates,
            f"{ceiling:.2f}",
            f"{reached:.2f}",
            f"{reached / ceiling:.2f}",
            *milliseconds,
            difference,
        )
        table.add_row(*row)
    console.print(table)


def _read(
    kind: type[Reader], core: HMLSTM, projected: Tensor, index: Tensor, batch: int
) -> tuple[Reader, Tensor, Tensor]:
    """Read streams from the initial state; return the reader, hidden states and boundaries."""
    parts = (core.weights, core.biases) if core.gains is None else (core.weights, core.biases, core.gains)
    parameters = [part for layer in zip(*parts, strict=True) for part in layer]
    plan = ScanPlan(core.widths, [batch] * (len(index) // batch), "step", core.slope, None, None)
    start = core.start(batch)
    reader = kind(plan, layers_of(plan, parameters), (start.c, start.h, start.z))
    return reader, *reader.read(projected, index)


def benchmark_hm_lstm(
    run: Path | None = None,
    width: int = 512,
    batch: int = 64,
    steps: int = 100,
    embedding: int = 128,
    repeat: int = 5,
    threads: int = 0,
) -> None:
    """Measure training, and inference if there is a trained run.

    Args:
        run: Folder of a trained language model, for inference; None measures training only.
        width: Width of each of the three layers, in training.
        batch: Number of streams, in training.
        steps: Characters per stream.
        embedding: Width of the inputs.
        repeat: Number of calls per median.
        threads: Threads of torch; 0 lets torch choose.
    """
    prepare(threads)
    console = Console()
    training(console, width, batch, steps, embedding, repeat)
    if run is not None:
        reading(console, run, (1, 16, 128), steps, repeat)
