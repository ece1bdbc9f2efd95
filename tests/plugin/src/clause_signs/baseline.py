"""A policy that knows what `not` means."""

import torch

from hs_env.agents import Heuristic

from .problem import ADD, INSIDE, SUBTRACT, ClauseSigns


class SignsOfNot(Heuristic):
    """A clause ends at a noun, and is subtracted if it contains `not`."""

    problems = (ClauseSigns,)

    def __init__(self, vocabulary):
        super().__init__(vocabulary)
        self._noun = torch.tensor([word in ("film", "plot", "cast") for word in vocabulary.words])
        self._not = torch.tensor([word == "not" for word in vocabulary.words])

    def plan(self, batch):
        """SUBTRACT or ADD at nouns."""
        noun, negation = self._noun[batch.tokens], self._not[batch.tokens].long()
        before = negation.cumsum(1)
        ended = torch.where(noun, before, 0).cummax(1).values.roll(1, 1)
        ended[:, 0] = 0
        return torch.where(noun, torch.where(before > ended, SUBTRACT, ADD), INSIDE)
