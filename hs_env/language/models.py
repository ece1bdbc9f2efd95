"""Character language models: an embedding, recurrent layers, an output module, a softmax over the next character."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hs_env.compute import Device, device_of, find_device, isolated, kept_generators, making_on
from hs_env.errors import HsEnvError, shown
from hs_env.language.config import EQUAL_TO, LMConfig
from hs_env.language.cores import CORES, Core, CoreOptions, CoreReading, HNetCore, State
from hs_env.language.texts import encode
from hs_env.models.rate import DEFAULT_RATE
from hs_env.models.rounded import to_float32, to_int8
from hs_env.models.saved import LOADING_ERRORS, check_weights, find_file, is_out_of_memory
from hs_env.shipped import LANGUAGE_MODEL
from hs_env.storage import StrPath, load_state, save_state

DEFAULT_MODEL = "movie_reviews_characters"
"""Name of the shipped language model that reads texts if no other is named."""


class CharacterLM(nn.Module):
    """Predicts the next character of B streams in parallel. V is the size of the alphabet.

    Args:
        alphabet_size: Number of different characters, V.
        core: Name of the recurrent layers in `CORES`.
        layers: Number of layers; with H-Net, of the main network.
        hidden_size: Number of units per layer.
        embedding_size: Width of the character embeddings.
        output_size: Width of the layer between the states and the softmax.
        layer_norm: Whether HM-LSTM uses layer normalisation.
        boundary: How HM-LSTM decides boundaries in training: "step", "sample" or "soft".
        dropout: Dropout probability of the embeddings and of the input of the softmax.
        stages: Number of times that H-Net cuts the text.
        router: How H-Net decides boundaries; see `hs_env.models.h_net.routers`.
        rate: Boundary rate of the router.
        spaces: Positions of the white-space characters in the alphabet, for the router "spaces".
        early_exit: Whether H-Net also predicts from the vectors below its router.
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
        stages: int = 1,
        router: Any = "cosine",
        rate: float = DEFAULT_RATE,
        spaces: Sequence[int] = (),
        early_exit: bool = False,
    ) -> None:
        super().__init__()
        self._config = {key: value for key, value in locals().items() if key not in ("self", "__class__")}
        self.embedding = nn.Embedding(alphabet_size, embedding_size)
        self.dropout = nn.Dropout(dropout)
        options = CoreOptions(embedding_size, hidden_size, layers, layer_norm, boundary, stages, router, rate, spaces)
        self.core: Core = CORES.get(core).make(options)
        self.output = self.core.output(output_size)
        self.softmax = nn.Linear(output_size, alphabet_size)
        self.early = nn.Linear(hidden_size, alphabet_size) if early_exit else None

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, Tensor | None, State]:
        """Read T characters of each stream.

        Args:
            tokens: (T, B) int64, positions in the alphabet.
            state: State after the characters before; None at the start of the streams.

        Returns:
            Log-probabilities of the next characters, (T, B, V) float32; boundaries, (T, B, levels) float32, or None
            for a core without boundaries; and the state after the last character, without gradient.
        """
        reading = self.read(tokens, state)
        return reading.log_probs, reading.boundaries, reading.state

    def read(self, tokens: Tensor, state: State | None = None) -> CoreReading:
        """Read characters as `forward` does, and return all that the core computed."""
        vectors, where = self.embedding.weight, tokens  # each character of the alphabet is projected only once
        if tokens.numel() < len(vectors):  # and none that is not read
            read, where = tokens.unique(return_inverse=True)
            vectors = nn.functional.embedding(read, vectors)
        if self.training and self.dropout.p:  # dropout differs between positions
            vectors = self.dropout(nn.functional.embedding(where.flatten(), vectors))
            where = torch.arange(tokens.numel(), device=tokens.device).view(tokens.shape)
        return self.core.read(vectors, where, state, tokens, self._predict)

    def _predict(self, h: Tensor) -> Tensor:
        """Return log-probabilities of the next character, (..., V), for hidden states (..., units)."""
        return torch.log_softmax(self.softmax(self.dropout(self.output(h))), -1)

    def read_early(self, reading: CoreReading) -> Tensor | None:
        """Return the log-probabilities of the early exit, (T, B, V); None if there is none."""
        if self.early is None or reading.gates is None:
            return None
        return torch.log_softmax(self.early(self.dropout(reading.gates.x)), -1)

    @property
    def size(self) -> int:
        """Number of learned parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    def config(self) -> dict[str, Any]:
        """Return the constructor's keyword arguments as JSON values."""
        return dict(self._config)


def new_model(config: LMConfig, alphabet: str) -> CharacterLM:
    """Return a model for a configuration and an alphabet. Torch's global generator draws its initial weights."""
    width = config.hidden_size
    if config.core_name != EQUAL_TO and config.equal_parameters:
        width = _equal_width(config, alphabet)
    return _make(config, alphabet, config.core, width)


def hm_lstm_size(config: LMConfig, alphabet: str) -> int:
    """Return the number of parameters of the HM-LSTM model for a configuration, whatever its core."""
    with torch.device("meta"):
        return _make(config, alphabet, EQUAL_TO, config.hidden_size).size


def _equal_width(config: LMConfig, alphabet: str) -> int:
    """Return the width at which the core's number of parameters is closest to that of HM-LSTM."""
    wanted = hm_lstm_size(config, alphabet)
    with torch.device("meta"):

        def excess(width: int) -> int:
            return _make(config, alphabet, config.core, width).size - wanted

        high = 1
        while excess(high) < 0:
            high *= 2
        above = bisect_left(range(high), 0, lo=1, key=excess)
        return min(max(above - 1, 1), above, key=lambda width: abs(excess(width)))


def _make(config: LMConfig, alphabet: str, core: str, hidden_size: int) -> CharacterLM:
    return CharacterLM(
        len(alphabet),
        core,
        config.layers,
        hidden_size,
        config.embedding_size,
        config.output_size,
        config.layer_norm,
        config.boundary,
        config.dropout,
        config.stages,
        config.router,
        config.target_rate or DEFAULT_RATE,
        [place for place, character in enumerate(alphabet) if character.isspace()],
        CORES.get(core) is HNetCore and config.router == "reinforce" and config.early_exit,
    )


@dataclass(frozen=True)
class LanguageModel:
    """A model with its alphabet, as saved and loaded.

    Attributes:
        model: Network, in eval mode.
        alphabet: Characters in the order of their numbers.
        notes: Facts about the training, such as the score on `dev`, as JSON values.
    """

    model: CharacterLM
    alphabet: str
    notes: dict[str, Any]

    def encode(self, text: str) -> Tensor:
        """Return the position of each character in the alphabet, (characters,) int64, on the device of the model.

        Raises:
            HsEnvError: If a character is not in the alphabet.
        """
        return encode(text, self.alphabet).to(device_of(self.model))

    @isolated
    def save(self, path: StrPath, int8: bool = False) -> None:
        """Save as one safetensors file.

        Args:
            path: File to write.
            int8: Whether to round matrices to 8 bits, for a quarter of the size. `load` returns float32 either way.
        """
        weights = self.model.state_dict()
        state = {"config": self.model.config(), "weights": to_int8(weights) if int8 else weights}
        save_state(path, "language model", state | {"alphabet": self.alphabet, "notes": self.notes})

    @classmethod
    @isolated
    def load(cls, run: StrPath, device: Device = "cpu") -> LanguageModel:
        """Load a language model to a device.

        Args:
            run: Name of a run that ships with the package, the folder of a run, or the file of a language model.
            device: "cpu", "cuda", "cuda:1", "mps", or "auto" for a CUDA GPU if there is one.

        Raises:
            HsEnvError: If there is no such file or device, or the file is damaged.
        """
        file, device = find_file(run, LANGUAGE_MODEL, "language model"), find_device(device)
        state = load_state(file, "language model")
        try:
            config, alphabet = state["config"], state["alphabet"]
            if not isinstance(alphabet, str) or len(set(alphabet)) != len(alphabet) or not alphabet:
                raise HsEnvError("its alphabet must be a text of different characters")
            if not isinstance(state["notes"], dict) or len(alphabet) != config["alphabet_size"]:
                raise HsEnvError("its notes or the size of its alphabet are wrong")
            if not isinstance(config["layers"], int) or not 1 <= config["layers"] <= len(state["weights"]):
                raise HsEnvError(f"it has {shown(config['layers'])} layers, but {len(state['weights'])} weights")
            weights = to_float32(state["weights"])
            check_weights(lambda: CharacterLM(**config), config, weights)
            with kept_generators(), making_on():  # the initial weights are replaced
                model = CharacterLM(**config)
            model.load_state_dict(weights)
            return cls(model.eval().to(device), alphabet, state["notes"])
        except LOADING_ERRORS as error:
            if is_out_of_memory(error):
                raise
            raise HsEnvError(
                f"The weights of the language model in {file} do not fit its configuration: {error}"
            ) from error
