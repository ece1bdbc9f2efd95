"""H-Net as the core of a language model."""

from __future__ import annotations

from torch import Tensor

from hs_env.language.cores.core import CORES, Core, CoreOptions, CoreReading, Predict, State, by_step, lengths_of
from hs_env.models.h_net.layers import HNet
from hs_env.models.h_net.routers import make_router
from hs_env.models.h_net.stack import Gates, Reading
from hs_env.models.rate import DEFAULT_RATE, RATE_FIELDS


@CORES.register("h_net.v1")
class HNetCore(HNet, Core):
    """H-Net over LSTM layers (Hwang, Wang, Gu 2025)."""

    title, boundary_rate = "H-Net", DEFAULT_RATE
    own_fields = ("stages", *RATE_FIELDS, "router", "discount", "early_exit", "baseline")

    @classmethod
    def make(cls, options: CoreOptions) -> HNetCore:
        """See `Core.make`."""
        router = make_router(options.router, options.hidden_size, options.rate, options.spaces)
        return cls(options.input_size, options.hidden_size, options.layers, options.stages, router)

    def read(
        self, vectors: Tensor, where: Tensor, state: State | None, tokens: Tensor, predict: Predict
    ) -> CoreReading:
        """See `Core.read`."""
        reading: Reading = self(vectors, where.t().flatten(), lengths_of(where), state, tokens.t().flatten())
        gates = reading.gates
        if gates is not None:
            gates = Gates(by_step(gates.x, where), by_step(gates.log_probs, where).squeeze(-1))
        output, boundaries = by_step(reading.output, where), by_step(reading.boundaries, where)
        return CoreReading(predict(output), boundaries, reading.state, reading.decisions, gates)
