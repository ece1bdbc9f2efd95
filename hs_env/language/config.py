"""The configuration of a character language model; the command line is generated from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from hs_env.errors import HsEnvError, check_ranges
from hs_env.models.hm.boundary import Boundary, check_boundary


@dataclass(frozen=True)
class LMConfig:
    """Train a character language model."""

    text: str = "phrases"
    """`ptb`, `tinyshakespeare`, `phrases`, or the path of a UTF-8 text file."""
    data_dir: Path | None = None
    """Folder that holds the texts which are not built in."""
    core: Literal["hm_lstm", "lstm"] = "hm_lstm"
    """HM-LSTM, or a stack of plain LSTM layers to compare it with."""
    layers: int = 3
    """Number of layers."""
    hidden_size: int = 256
    """Width of each layer."""
    equal_parameters: bool = True
    """Make plain LSTM layers as wide as it takes to have as many parameters as HM-LSTM has with `hidden_size`."""
    embedding_size: int = 128
    """Width of the character embeddings."""
    output_size: int = 256
    """Width of the layer between the states and the softmax."""
    layer_norm: bool = True
    """Normalise the summed inputs of HM-LSTM's layers."""
    boundary: Boundary = "step"
    """How HM-LSTM decides its boundaries in training."""
    slope_per_epoch: float = 0.04
    """The slope of the boundary detectors is min(5, 1 + slope_per_epoch * epoch)."""
    dropout: float = 0.0
    """On the character embeddings and before the softmax."""
    batch_size: int = 64
    """Streams that are read side by side."""
    stretch: int = 100
    """Characters of each stream between two updates; the state is carried over, gradients are not."""
    updates: int = 2500
    """Number of updates."""
    learning_rate: float = 2e-3
    """Of Adam."""
    decay_share: float = 0.3
    """Last share of the updates, over which the learning rate falls to a fiftieth, linearly."""
    clip_norm: float = 1.0
    """Greatest norm of the gradient."""
    evaluate_every: int = 250
    """Updates between two evaluations on dev; the best weights are kept."""
    seed: int = 0
    """Of everything random."""
    threads: int = 0
    """Threads of torch; 0 leaves the choice to torch."""
    checkpoint_seconds: float = 60.0
    """A checkpoint is written this often, and after every evaluation."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work.

        Raises:
            HsEnvError: Naming the field, its value and its range.
        """
        check_boundary(self.boundary)
        if self.core not in ("hm_lstm", "lstm"):
            raise HsEnvError(f"core must be 'hm_lstm' or 'lstm', got {self.core!r}.")
        check_ranges(
            self,
            layers=(2 if self.core == "hm_lstm" or self.equal_parameters else 1, 100),
            hidden_size=(1, 1e5),
            embedding_size=(1, 1e5),
            output_size=(1, 1e5),
            slope_per_epoch=(0, 1e6),
            dropout=(0, 0.99),
            batch_size=(1, 1e6),
            stretch=(1, 1e6),
            updates=(1, 1e9),
            learning_rate=(1e-12, 10),
            decay_share=(0, 1),
            clip_norm=(1e-12, 1e12),
            evaluate_every=(1, 1e9),
            seed=(0, 2**63),
            threads=(0, 1e4),
            checkpoint_seconds=(0, 1e9),
        )

    def learning_rate_at(self, update: int) -> float:
        """Of the update with this number, from 0: constant, then falling to a fiftieth."""
        falling = self.decay_share * self.updates
        left = (self.updates - update) / falling if falling else 1.0
        return self.learning_rate * min(1.0, 0.02 + 0.98 * left)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self) | {"data_dir": None if self.data_dir is None else str(self.data_dir)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> LMConfig:
        """The inverse of `to_json`.

        Raises:
            HsEnvError: If a field is unknown or out of range.
        """
        try:
            data_dir = None if values.get("data_dir") is None else Path(values["data_dir"])
            return cls(**values | {"data_dir": data_dir})
        except TypeError as error:
            raise HsEnvError(f"This is no configuration of a language model: {error}.") from error
