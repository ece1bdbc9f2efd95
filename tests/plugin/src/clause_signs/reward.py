"""A reward for few clauses."""

from dataclasses import dataclass

from hs_env.rewards import Reward

from .problem import INSIDE


@dataclass(frozen=True)
class FewClauses(Reward):
    """log P(gold|X) - price * n for n clauses."""

    price: float = 0.01
    name = "few_clauses.v1"

    def terms(self, episodes):
        """See `Reward.terms`."""
        count = episodes.sentences.lengths - episodes.weight(INSIDE).sum(1)
        return {"log_likelihood": episodes.log_likelihood, "clauses": -self.price * count.float()}
