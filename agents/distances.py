"""Policies of trees that are defined by distances between neighbouring words."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, pad

from hs_env.compute import isolated
from hs_env.errors import HsEnvError
from hs_env.problems.composition import Composition
from hs_env.types import SentenceBatch

from .base import Agent, Decision, PolicyInput
from .policy import Logits, PolicyNet, check_memory, choose
from .reader import Reader, padded_words
from .rollout import Trajectories

_FAR = 1e4  # a distance that is never bridged
_KEPT = 3 + Composition.capacity  # columns of the memory before the distances of the words


class TreeNet(PolicyNet):
    """A policy of trees: reduces what is near before what is far.

    It computes a distance `d_t` between the words t and t + 1. After word t, the two topmost nodes of the stack may be
    reduced. They meet between words u and u + 1, and, with a bias b::

        P(reduce) = sigmoid(d_t - d_u + b)

    After a first reduction the same decides on a second one. At the start all distances are nearly equal, b is 0, and a
    reduction has probability 1/2.

    Args:
        hidden_size: Width of the tanh layer.
        reader: Name of a reader in `READERS`.
        reader_size: Width of the reader's word vectors and of its LSTM.
        vocabulary_size: V, number of token ids.

    Attributes:
        inputs: Number of states of the reader that the tanh layer sees at once.
        bias: b, a scalar.
    """

    inputs: ClassVar[int]
    bias: Tensor

    def __init__(self, hidden_size: int, reader: str, reader_size: int, vocabulary_size: int) -> None:
        super().__init__()
        self.reader = Reader(reader, vocabulary_size, reader_size, self.inputs * hidden_size)
        self.output = nn.Linear(hidden_size, 1, bias=False)
        nn.init.trunc_normal_(self.output.weight, std=0.02)

    @abstractmethod
    def forward(self, batch: SentenceBatch) -> Tensor:
        """Compute the distance after each word, (words,), sentence by sentence; after a last word, any value."""

    def on(self, batch: SentenceBatch) -> Logits:
        """Raise an error: these logits depend on the actions so far.

        Raises:
            HsEnvError: Always.
        """
        raise HsEnvError(
            "A policy of trees learns by the estimators 'rloo', 'moving_average', 'self_critical', 'grpo' and "
            "'ppo'. Choose one of them, or the policy 'actions'."
        )

    def agent(self) -> Agent:
        """See `PolicyNet.agent`."""
        return TreePolicy(self)

    def logits(self, batch: SentenceBatch, trajectories: Trajectories) -> Tensor:
        """See `PolicyNet.logits`."""
        distances, place = self(batch), trajectories.place
        back = trajectories.word - _first_words(trajectories)  # number of words of the topmost node
        before, topmost = distances[(place - 1).clamp(min=0)], distances[(place - back - 1).clamp(min=0)]
        return reductions(distances[place] + self.bias, before, topmost.where(back <= trajectories.word, _FAR))


class DistanceNet(TreeNet):
    """Computes the distances between neighbouring words with a reader; the bias b is fixed at 0.

    The distance comes from the reader's states r (compare the syntactic distances of Shen et al., ICLR 2018)::

        d_t = v . tanh(A r_t + B r_{t+1})

    Arguments as for `TreeNet`.
    """

    inputs = 2

    def __init__(self, hidden_size: int, reader: str, reader_size: int, vocabulary_size: int) -> None:
        super().__init__(hidden_size, reader, reader_size, vocabulary_size)
        self.register_buffer("bias", torch.zeros(()), persistent=False)

    def forward(self, batch: SentenceBatch) -> Tensor:
        """See `TreeNet.forward`."""
        before, after = self.reader(batch).chunk(2, 1)
        distances: Tensor = self.output(torch.tanh(before + after.roll(-1, 0))).squeeze(1)
        return distances


class WordWeightNet(TreeNet):
    """Computes a weight of each word; the words of the topmost node decide together whether it is reduced.

    Distances are sums of weights, which come from the reader's states r::

        w_t = v . tanh(A r_t)
        d_t = w_1 + ... + w_t
        P(reduce) = sigmoid(w_{u+1} + ... + w_t + b)

    If an opening bracket weighs -10, a closing one 10, every other word 0, and b is 5, a node is reduced when all its
    brackets are closed, in sentences of any length. b is learned. Weight decay, which b does not have, takes the weight
    from words that do not need it.

    Arguments as for `TreeNet`.
    """

    inputs = 1

    def __init__(self, hidden_size: int, reader: str, reader_size: int, vocabulary_size: int) -> None:
        super().__init__(hidden_size, reader, reader_size, vocabulary_size)
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, batch: SentenceBatch) -> Tensor:
        """See `TreeNet.forward`."""
        weights = padded_words(self.output(torch.tanh(self.reader(batch))), batch)
        return weights.cumsum(1)[batch.mask].squeeze(1)


def reductions(following: Tensor, before: Tensor, topmost: Tensor) -> Tensor:
    """Return the log-probabilities, (R, 3), of no reduction, one and two.

    Args:
        following: (R,) distance after the word, plus the bias.
        before: (R,) distance before the word, which the first reduction bridges.
        topmost: (R,) distance before the topmost node, which the second reduction bridges; `_FAR` if there is no node
            below.
    """
    once, twice = following - before, following - topmost
    return torch.stack(
        [logsigmoid(-once), logsigmoid(once) + logsigmoid(-twice), logsigmoid(once) + logsigmoid(twice)], 1
    )


def _first_words(trajectories: Trajectories) -> Tensor:
    """Return the position of the first word of the topmost node before each decision, (decisions,) int64.

    The topmost of n nodes begins with the word that was last put on a stack of n - 1 nodes. It is -1 for n < 2, where
    no reduction reaches below the topmost node.
    """
    row, word, actions = trajectories.row, trajectories.word, trajectories.actions
    shape = torch.Size((int(row.max()) + 1, int(word.max()) + 1))
    heights = pad((1 - trajectories.padded(actions, shape)).cumsum(1), (1, -1)).clamp(min=0)
    begun = actions.new_zeros(shape[0], int(heights.max()) + 1)
    first = []
    for t, height in enumerate(heights.t()[:, :, None]):
        topmost = begun.gather(1, (height - 1).clamp(min=0))
        first.append(topmost.masked_fill(height < 2, -1))
        begun.scatter_(1, height, t)
    return torch.cat(first, 1)[row, word]


class TreePolicy(Agent):
    """Samples the tree that a `TreeNet` describes; it does not observe the encoder.

    The memory of an episode holds the number of nodes, the distance before the word to be decided, the distances before
    the first words of all nodes, and the distances after the word to be decided and all later ones.
    """

    observes = False
    reads_words = True

    def __init__(self, pnet: TreeNet) -> None:
        self.pnet = pnet

    def to(self, device: torch.device) -> TreePolicy:
        """See `Agent.to`."""
        self.pnet.to(device)
        return self

    @isolated
    def begin(self, batch: SentenceBatch, samples: int = 1) -> Tensor:
        """See `Agent.begin`."""
        distances = padded_words(self.pnet(batch)[:, None], batch).squeeze(2)
        return pad(distances, (_KEPT, 0)).repeat_interleave(samples, 0)

    @isolated
    def act(self, inputs: PolicyInput) -> Decision:
        """See `Agent.act`.

        Raises:
            HsEnvError: If the memory is not that of `begin` or of the last decision.
        """
        check_memory(inputs, _KEPT + 1)
        nodes, before = inputs.memory[:, :1], inputs.memory[:, 1:2]
        stack, following = inputs.memory[:, 2:_KEPT], inputs.memory[:, _KEPT:]
        topmost = stack.gather(1, (nodes.long() - 1).clamp(min=0)).where(nodes >= 2, _FAR)
        actions, log_probs, entropy = choose(
            reductions(following[:, 0] + self.pnet.bias, before[:, 0], topmost[:, 0]), inputs
        )
        memory = torch.cat(
            [nodes + 1 - actions[:, None], following[:, :1], stack.scatter(1, nodes.long(), before), following[:, 1:]],
            1,
        )
        return Decision(actions, log_probs, entropy, memory)
