"""A classifier of the signed sum of clauses."""

import torch
from torch import nn

from hs_env.models import SentenceClassifier, StructuredEncoder

from .problem import CLAUSE_SIGNS


class SignedSum(SentenceClassifier, StructuredEncoder):
    """Softmax on the sum of `+-tanh(sum of W x)` over the clauses."""

    title, problem = "signed sum", CLAUSE_SIGNS

    def build(self, embedding_size, hidden_size):
        self.state_size = 3 * hidden_size
        self.project = nn.Linear(embedding_size, hidden_size)

    def tables(self, vectors):
        return (self.project(vectors),)

    def initial(self, tables, first):
        word = tables[0][first]
        return torch.cat([torch.zeros_like(word), word], 1)

    def outcomes(self, state):
        following = state.tables[0][state.index_at(state.position + 1)]
        total, clause = state.memory.chunk(2, 1)
        value = torch.tanh(clause)
        return tuple(
            torch.cat(pair, 1)
            for pair in ((total, clause + following), (total + value, following), (total - value, following))
        )

    def observe(self, state):
        return torch.cat([state.memory, state.tables[0][state.index_at(state.position)]], 1)

    def finish(self, state):
        return self.classify(state.memory[:, : self.hidden_size])
