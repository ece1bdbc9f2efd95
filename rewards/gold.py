"""Define rewards that compare actions with gold phrases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hs_env.errors import HsEnvError
from hs_env.types import END, INSIDE, Episodes

from .base import REWARDS, Reward

if TYPE_CHECKING:
    from torch import Tensor


@REWARDS.register("boundary_f1.v1")
@dataclass(frozen=True)
class BoundaryF1(Reward):
    """R = F1 = 2 |A and G| / (|A| + |G|) of the inner boundaries A and those of the gold phrases, G.

    Inner boundaries are the ends of all phrases except the last one, which no action decides. F1 is 1 if A and G are
    empty, and 0 if only one of them is.
    """

    name = "boundary_f1.v1"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        sentences = episodes.sentences
        if sentences.gold_actions is None:
            raise HsEnvError(
                f"The reward {self.name!r} needs gold phrases, and these sentences have none. "
                "Choose a corpus with gold phrases, such as 'phrases', or another reward."
            )
        last = sentences.lengths[:, None] - 1
        found, gold = (
            each.scatter(1, last, INSIDE) for each in (episodes.closing, sentences.gold_actions.clamp(max=END))
        )
        both, either = 2 * (found * gold).sum(1), (found + gold).sum(1)
        return {"boundary_f1": (both / either.clamp(min=1)).masked_fill(either == 0, 1.0)}
