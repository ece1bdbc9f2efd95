"""HM-LSTM as the core of a language model."""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.language.cores.core import CORES, Core, CoreOptions, CoreReading, Predict, State
from hs_env.models.hm.boundary import annealed_slope, operation_shares
from hs_env.models.hm.layers import HMLSTM, GatedOutput, HMState
from hs_env.models.rate import RATE_FIELDS


@CORES.register("hm_lstm.v1")
class HMCore(HMLSTM, Core):
    """HM-LSTM with the gated output module of its paper (Chung, Ahn, Bengio 2017)."""

    title = "HM-LSTM"
    own_fields = ("layer_norm", "boundary", "slope_per_epoch", *RATE_FIELDS)

    @classmethod
    def make(cls, options: CoreOptions) -> HMCore:
        """See `Core.make`."""
        widths = (options.hidden_size,) * options.layers
        return cls(options.input_size, widths, options.layer_norm, options.boundary)

    def output(self, width: int) -> GatedOutput:
        """See `Core.output`."""
        return GatedOutput(self.widths, width)

    def read(
        self, vectors: Tensor, where: Tensor, state: State | None, tokens: Tensor, predict: Predict
    ) -> CoreReading:
        """See `Core.read`."""
        steps, batch = where.shape
        before = None if state is None else HMState(*state)
        reading = self.scan(self.project(vectors), where.flatten(), [batch] * steps, before)
        stream = torch.arange(batch, device=where.device).repeat(steps)
        return CoreReading(
            predict(reading.h.view(steps, batch, -1)),
            reading.z.view(steps, batch, -1),
            (reading.state.c, reading.state.h, reading.state.z),
            self.decisions(reading, stream),
        )

    def anneal(self, epoch: float, slope_per_epoch: float) -> None:
        """See `Core.anneal`; sets the slope of the detectors."""
        self.slope = annealed_slope(epoch, slope_per_epoch)

    def settings(self) -> dict[str, float]:
        """See `Core.settings`."""
        return {"slope": self.slope}

    def scores(self, boundaries: Tensor, counted: Tensor) -> dict[str, float]:
        """See `Core.scores`; adds the shares of the operations UPDATE, COPY and FLUSH of each layer."""
        return operation_shares(boundaries, counted)
