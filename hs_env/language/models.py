"""Character language models: an embedding, recurrent layers, an output module, a softmax over the next character."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hs_env.errors import HsEnvError
from hs_env.language.config import LMConfig
from hs_env.models.hm.layers import HMLSTM, GatedOutput, HMState
from hs_env.storage import load_state, save_state

State = tuple[Tensor, ...]
"""What is carried over from stretch to stretch, one row (or column) a stream."""

FILE_NAME = "language_model.safetensors"
"""The model's file in the folder of a run."""


class CharacterLM(nn.Module):
    """Predicts the next character, many streams side by side.

    `core="hm_lstm"` is the model of Chung, Ahn, Bengio 2017: HM-LSTM and the gated output module. `core="lstm"` is a
    stack of `torch.nn.LSTM` layers, the top one read by a linear layer and ReLU.

    Args:
        alphabet_size: Number of characters.
        core: "hm_lstm" or "lstm".
        layers: Number of layers.
        hidden_size: Width of each.
        embedding_size: Width of the character embeddings.
        output_size: Width of the layer between the states and the softmax.
        layer_norm: Of HM-LSTM.
        boundary: Of HM-LSTM.
        dropout: On the embeddings and before the softmax.
    """

    def __init__(
        self,
        alphabet_size: int,
        core: str,
        layers: int,
        hidden_size: int,
        embedding_size: int,
        output_size: int,
        layer_norm: bool = True,
        boundary: Any = "step",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self._config = {key: value for key, value in locals().items() if key not in ("self", "__class__")}
        self.embedding = nn.Embedding(alphabet_size, embedding_size)
        self.dropout = nn.Dropout(dropout)
        self.core: HMLSTM | nn.LSTM
        self.output: nn.Module
        if core == "hm_lstm":
            widths = (hidden_size,) * layers
            self.core = HMLSTM(embedding_size, widths, layer_norm, boundary)
            self.output = GatedOutput(widths, output_size)
        else:
            self.core = nn.LSTM(embedding_size, hidden_size, layers)
            for name, parameter in self.core.named_parameters():
                if name.startswith("bias_ih"):  # the forget gate, as everywhere here
                    nn.init.ones_(parameter.data[hidden_size : 2 * hidden_size])
            self.output = nn.Sequential(nn.Linear(hidden_size, output_size), nn.ReLU())
        self.softmax = nn.Linear(output_size, alphabet_size)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, Tensor | None, State]:
        """Read a stretch of each stream.

        Args:
            tokens: (T, B) int64.
            state: As it came out of the stretch before; nothing has been read by default.

        Returns:
            (T, B, V) log-probabilities of the next characters; boundaries (T, B, N - 1), None without HM-LSTM; the
            state, a constant, to go on from.
        """
        if isinstance(self.core, nn.LSTM):
            h, after = self.core(self.dropout(self.embedding(tokens)), None if state is None else tuple(state))
            z, carried = None, tuple(part.detach() for part in after)
        else:
            h, z, carried = self._read(self.core, tokens, state)
        return torch.log_softmax(self.softmax(self.dropout(self.output(h))), -1), z, carried

    def _read(self, core: HMLSTM, tokens: Tensor, state: State | None) -> tuple[Tensor, Tensor, State]:
        """The hidden states of HM-LSTM, boundaries, and its state; each character is projected once where it can be."""
        steps, batch = tokens.shape
        where = tokens.flatten()
        vectors = self.embedding.weight
        if self.training and self.dropout.p:  # which differs from place to place
            vectors, where = self.dropout(vectors[where]), torch.arange(steps * batch, device=tokens.device)
        before = None if state is None else HMState(*state)
        h, z, after = core.scan(core.project(vectors), where, [batch] * steps, before)
        return h.view(steps, batch, -1), z.view(steps, batch, -1), (after.c, after.h, after.z)

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    def config(self) -> dict[str, Any]:
        """The constructor's keyword arguments, as JSON values."""
        return dict(self._config)


def new_model(config: LMConfig, alphabet_size: int) -> CharacterLM:
    """The model that a configuration asks for, its first weights drawn from torch's global generator."""
    width = config.hidden_size
    if config.core == "lstm" and config.equal_parameters:
        width = _equal_width(config, alphabet_size)
    return _make(config, alphabet_size, config.core, width)


def hm_lstm_size(config: LMConfig, alphabet_size: int) -> int:
    """Number of parameters that the model has, or would have, with HM-LSTM."""
    with torch.device("meta"):
        return _make(config, alphabet_size, "hm_lstm", config.hidden_size).size


def _equal_width(config: LMConfig, alphabet_size: int) -> int:
    """The width at which plain LSTM layers come nearest to the parameters of HM-LSTM."""
    wanted = hm_lstm_size(config, alphabet_size)
    with torch.device("meta"):

        def excess(width: int) -> int:
            return _make(config, alphabet_size, "lstm", width).size - wanted

        high = 1
        while excess(high) < 0:
            high *= 2
        above = bisect_left(range(high), 0, lo=1, key=excess)
        return min(max(above - 1, 1), above, key=lambda width: abs(excess(width)))


def _make(config: LMConfig, alphabet_size: int, core: str, hidden_size: int) -> CharacterLM:
    return CharacterLM(
        alphabet_size,
        core,
        config.layers,
        hidden_size,
        config.embedding_size,
        config.output_size,
        config.layer_norm,
        config.boundary,
        config.dropout,
    )


@dataclass(frozen=True)
class LanguageModel:
    """A model and the characters it knows: what is saved and loaded.

    Attributes:
        model: The network, in eval mode.
        alphabet: Its characters, in the order of their numbers.
        notes: How it was made, its figures: JSON values.
    """

    model: CharacterLM
    alphabet: str
    notes: dict[str, Any]

    def save(self, path: Path) -> None:
        """Save as one safetensors file."""
        state = {
            "config": self.model.config(),
            "weights": self.model.state_dict(),
            "alphabet": self.alphabet,
            "notes": self.notes,
        }
        save_state(path, "language model", state)

    @classmethod
    def load(cls, path: Path) -> LanguageModel:
        """Load one from its file or the folder of its run.

        Raises:
            HsEnvError: If there is none, or its file is damaged.
        """
        file = path / FILE_NAME if path.is_dir() else path
        state = load_state(file, "language model")
        try:
            with torch.random.fork_rng():  # first weights are drawn for nothing
                model = CharacterLM(**state["config"])
            model.load_state_dict(state["weights"])
            return cls(model.eval(), state["alphabet"], state["notes"])
        except (KeyError, TypeError, RuntimeError) as error:
            raise HsEnvError(f"The language model in {file} does not fit its own description: {error}") from error
