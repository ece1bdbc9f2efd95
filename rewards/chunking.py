"""Define the reward of chunking: what the chunk level of a language model adds (Dauncey and Wattenhofer, ICML 2026)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hs_env.errors import HsEnvError, check_ranges
from hs_env.types import Steps

from .base import REWARDS, DenseReward

if TYPE_CHECKING:
    from torch import Tensor


@REWARDS.register("chunk_gain.v1")
@dataclass(frozen=True)
class ChunkGain(DenseReward):
    """r_t = CE_early(t) - CE_late(t) - price * b_t, at each character t.

    The cross-entropies are those of the next character, in nats, by the early and the late exit of a language model.
    b_t is 1 if a chunk ends at t, else 0.

    Attributes:
        price: Price of a chunk, in nats.
    """

    price: float = 0.02
    name = "chunk_gain.v1"

    def __post_init__(self) -> None:
        check_ranges(self, price=(0, 1e6))

    def step_terms(self, steps: Steps) -> dict[str, Tensor]:
        """See `DenseReward.step_terms`."""
        if not {"early_loss", "late_loss"} <= steps.measures.keys():
            raise HsEnvError(
                f"The reward {self.name!r} needs the measures early_loss and late_loss at each step, but this encoder "
                f"measures {', '.join(steps.measures) or 'nothing'}. Use a chunk LSTM, or choose another reward."
            )
        gain = steps.measures["early_loss"] - steps.measures["late_loss"]
        return {"gain": gain, "price": -self.price * steps.closing}
