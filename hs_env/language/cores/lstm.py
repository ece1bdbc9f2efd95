"""Stacks of LSTM layers as cores of a language model, for comparison."""

from __future__ import annotations

from torch import Tensor, nn

from hs_env.language.cores.core import CORES, Core, CoreOptions, CoreReading, Predict, State, by_step, lengths_of
from hs_env.models.h_net.stack import LSTMStack, Reading


@CORES.register("lstm.v1")
class PlainCore(nn.LSTM, Core):
    """A stack of `torch.nn.LSTM` layers."""

    title, finds_boundaries = "Plain LSTM", False

    @classmethod
    def make(cls, options: CoreOptions) -> PlainCore:
        """See `Core.make`; the bias of the forget gates is 1, as in the other models."""
        core, d = cls(options.input_size, options.hidden_size, options.layers), options.hidden_size
        for name, parameter in core.named_parameters():
            if name.startswith("bias_ih"):
                nn.init.ones_(parameter.data[d : 2 * d])
        return core

    def read(
        self, vectors: Tensor, where: Tensor, state: State | None, tokens: Tensor, predict: Predict
    ) -> CoreReading:
        """See `Core.read`."""
        h, after = self(nn.functional.embedding(where, vectors), None if state is None else tuple(state))
        return CoreReading(predict(h), None, tuple(part.detach() for part in after), [])


@CORES.register("ln_lstm.v1")
class NormalisedCore(LSTMStack, Core):
    """A stack of LSTM layers with layer normalisation of their outputs: the layers of H-Net without chunks."""

    title, finds_boundaries = "Layer-normalised LSTM", False

    @classmethod
    def make(cls, options: CoreOptions) -> NormalisedCore:
        """See `Core.make`."""
        return cls(options.input_size, options.hidden_size, options.layers)

    def read(
        self, vectors: Tensor, where: Tensor, state: State | None, tokens: Tensor, predict: Predict
    ) -> CoreReading:
        """See `Core.read`."""
        reading: Reading = self(vectors, where.t().flatten(), lengths_of(where), state)
        return CoreReading(predict(by_step(reading.output, where)), None, reading.state, [])
