"""Configuration of a character language model. The command line is generated from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Final

from hs_env.compute import Precision, check_device, check_precision
from hs_env.errors import HsEnvError, check_ranges
from hs_env.language.cores import CORES
from hs_env.language.gates import GateParameters
from hs_env.language.texts import TEXTS
from hs_env.models.hm.boundary import Boundary, check_boundary
from hs_env.models.rate import RateParameters
from hs_env.parameters import make_plain
from hs_env.registry import stem_of
from hs_env.training.paths import absolute, located
from hs_env.training.schedule import decreasing_rate

EQUAL_TO: Final = "hm_lstm"
"""Core whose number of parameters the other cores match."""
PRESETS: Final = Path(__file__).with_name("presets.toml")
"""Configurations by name."""


@dataclass(frozen=True)
class LMConfig(GateParameters, RateParameters):
    """Train a character language model."""

    MAIN: ClassVar[tuple[str, ...]] = (
        "text",
        "data_dir",
        "core",
        "router",
        "layers",
        "hidden_size",
        "boundary_rate",
        "updates",
        "seed",
    )
    """Fields that `hs-env lm train --help` shows; `--help-all` shows all of them."""

    text: str = "phrases"
    """Name of a text (`phrases`, `movie_reviews`, `ptb` or `tinyshakespeare`), or path of a UTF-8 text file."""
    data_dir: Path | None = None
    """Folder with the texts that are not built in."""
    core: str = "hm_lstm"
    """Recurrent layers: `hm_lstm`, `h_net`, `segmental`, which sums over all segmentations, or for comparison a stack
    of LSTM layers, plain (`lstm`) or with layer normalisation (`ln_lstm`)."""
    layers: int = 3
    """Number of layers; with H-Net that of its main network, which reads chunks. Its encoder has two more layers and
    its decoder one, which read characters. A segmental model has one more layer, which writes the segments."""
    stages: int = 1
    """Number of times that H-Net cuts the text: with 2, chunks are cut into chunks of chunks."""
    hidden_size: int = 256
    """Number of units per layer."""
    equal_parameters: bool = True
    """Choose the width of the other cores so that the model has as many parameters as HM-LSTM with `hidden_size`."""
    embedding_size: int = 128
    """Width of the character embeddings."""
    output_size: int = 256
    """Width of the layer between the states and the softmax."""
    layer_norm: bool = True
    """Use layer normalisation in HM-LSTM."""
    boundary: Boundary = "step"
    """How HM-LSTM decides boundaries in training: `step` uses a threshold, `sample` draws them at random, and `soft`
    keeps values between 0 and 1."""
    slope_per_epoch: float = 0.04
    """Growth of the slope of HM-LSTM's boundary detectors, which is min(5, 1 + slope_per_epoch * epoch)."""
    dropout: float = 0.0
    """Dropout probability of the character embeddings and of the input of the softmax."""
    batch_size: int = 64
    """Number of streams: parts of the text that are read in parallel."""
    stretch: int = 100
    """Characters of each stream per update. The state is carried over to the next update; gradients are not."""
    updates: int = 2500
    """Number of updates."""
    learning_rate: float = 2e-3
    """Learning rate of Adam."""
    decay_share: float = 0.3
    """Share of the updates, at the end, in which the learning rate decreases linearly to 1/50."""
    clip_norm: float = 1.0
    """Maximum norm of the gradient."""
    evaluate_every: int = 250
    """Updates between two evaluations on dev. The weights of the best evaluation are kept."""
    seed: int = 0
    """Seed of all random generators."""
    threads: int = 0
    """Number of threads of torch; 0 keeps torch's default."""
    precision: Precision | None = None
    """Precision of the products of matrices in training: `highest` (float32), `high` (TF32 or the like) or `medium`
    (bfloat16), which are faster on hardware that has them. By default that of PyTorch, which is `highest`."""
    device: str = field(default="auto", compare=False)
    """Device: `cpu`, `cuda`, `cuda:1`, `mps`, or `auto` for a CUDA GPU if there is one. A run made on one device can be
    resumed and used on another."""
    checkpoint_seconds: float = 60.0
    """Seconds between two checkpoints. Every evaluation is followed by a checkpoint, too."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            HsEnvError: If a value is out of range; names field, value and range.
        """
        make_plain(self)
        check_boundary(self.boundary)
        check_device(self.device)
        check_precision(self.precision)
        core = self.core_name
        self.check_rate()
        self.check_gates()
        if core == "h_net" and self.stages > 1 and self.router != "cosine":
            raise HsEnvError(
                f"Only the router 'cosine' of H-Net can have several stages; got stages = {self.stages}. Give 1."
            )
        if core == "h_net" and self.router == "reinforce" and self.baseline and self.batch_size == 1:
            raise HsEnvError(
                "The baseline of the router 'reinforce' is a mean over the streams, so with batch_size = 1 nothing is "
                "learned. Give 2 or more, or baseline = false."
            )
        if self.layers == 1 and core != EQUAL_TO and self.equal_parameters:
            raise HsEnvError(
                "The number of parameters is that of an HM-LSTM with as many layers, which are two or more; got layers "
                "= 1. Give 2 or more, or equal_parameters = false."
            )
        check_ranges(
            self,
            layers=(2 if core == EQUAL_TO else 1, 100),
            stages=(1, 10),
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
            seed=(0, 2**63 - 1),
            threads=(0, 1e4),
            checkpoint_seconds=(0, 1e9),
        )

    @property
    def core_name(self) -> str:
        """Name of the core without its version."""
        return stem_of(CORES.resolve(self.core))

    @property
    def unused(self) -> list[str]:
        """Fields that are not at their defaults, and that the core does not use."""
        own = {name for core in CORES for name in CORES.get(core).own_fields} - {*CORES.get(self.core).own_fields}
        return [each.name for each in fields(self) if each.name in own and getattr(self, each.name) != each.default]

    def located(self) -> LMConfig:
        """Return the configuration with absolute paths of text and data."""
        data_dir = None if self.data_dir is None else Path(absolute(self.data_dir))
        return replace(self, text=located(self.text, TEXTS), data_dir=data_dir)

    @property
    def target_rate(self) -> float | None:
        """Target of the boundary rate: `boundary_rate`, by default that of the core."""
        return self.boundary_rate or CORES.get(self.core).boundary_rate

    @property
    def foreign_code(self) -> None:
        """Name the code outside of hs-env that training executes: none."""
        return None

    def learning_rate_at(self, update: int) -> float:
        """Return the learning rate of an update, numbered from 0: constant, then decreasing to 1/50."""
        return decreasing_rate(self.learning_rate, update, self.updates, self.decay_share)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self) | {"data_dir": None if self.data_dir is None else str(self.data_dir)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> LMConfig:
        """Return the configuration that `to_json` converted.

        Raises:
            HsEnvError: If a field is unknown or out of range.
        """
        try:
            data_dir = None if values.get("data_dir") is None else Path(values["data_dir"])
            return cls(**{"device": "cpu"} | values | {"data_dir": data_dir})
        except (TypeError, AttributeError, RecursionError) as error:
            raise HsEnvError(f"Not a configuration of a language model: {error}.") from error
