"""The policy network, and the agent that samples from its logits."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hs_env.compute import isolated
from hs_env.errors import HsEnvError
from hs_env.types import SentenceBatch

from .base import Agent, Decision, PolicyInput, check_width
from .choice import choice_of
from .reader import Reader, padded_words

if TYPE_CHECKING:
    from .rollout import Trajectories

Logits = Callable[[Tensor, Tensor], Tensor]
"""A policy on one batch: a function that computes logits, (R,) of action 1 for two actions, (R, k) for more.

Its arguments are the observations (R, D), and the places (R,) int64 of the words among all words of the batch."""


class PolicyNet(nn.Module, ABC):
    """A network that defines a policy."""

    @abstractmethod
    def on(self, batch: SentenceBatch) -> Logits:
        """Bind the policy to a batch: a reader reads its sentences, once."""

    @abstractmethod
    def agent(self) -> Agent:
        """Return the agent that samples from this policy."""

    @abstractmethod
    def logits(self, batch: SentenceBatch, trajectories: Trajectories) -> Tensor:
        """Compute the logits of sampled episodes in one pass.

        Returns:
            (decisions,) logits of action 1 for two actions, else (decisions, k), in the order of `trajectories`.
        """


class PNet(PolicyNet):
    """The policy network: computes the logits of the actions with a linear layer or an MLP with one tanh layer.

    Two actions have one logit: `pi(a_t = 1 | s_t) = sigmoid(W s_t + b)` (Zhang, Huang, Zhao, AAAI 2018).

    Its input is the observation. With a reader, the first layer also gets what the reader has computed for the word; it
    is computed once per sentence, not per sample.

    Args:
        state_size: Width D of an observation.
        hidden_size: Width of the tanh layer; 0 gives the linear policy of the paper.
        num_actions: Number of actions k.
        initial_logits: Initial bias per action, 0 by default. Weights start near 0, so these are roughly the initial
            logits in every state.
        reader: "none", or name of a reader in `READERS`.
        reader_size: Width of the reader's word vectors and of its LSTM.
        vocabulary_size: V, number of token ids, for the reader.
        observe: Whether the observation is an input. Without it, the policy decides from its reader alone.

    Raises:
        HsEnvError: If there is not one initial logit per action, or a reader has no vocabulary.
    """

    def __init__(
        self,
        state_size: int,
        hidden_size: int = 0,
        num_actions: int = 2,
        initial_logits: Sequence[float] = (),
        *,
        reader: str = "none",
        reader_size: int = 64,
        vocabulary_size: int = 0,
        observe: bool = True,
    ) -> None:
        super().__init__()
        if len(initial_logits) not in (0, num_actions):
            raise HsEnvError(f"Expected an initial logit for each of {num_actions} actions, got {len(initial_logits)}.")
        self.state_size, self.hidden_size, self.num_actions = state_size, hidden_size, num_actions
        bias = torch.tensor(initial_logits or (0.0,) * num_actions, dtype=torch.get_default_dtype(), device="cpu")
        bias = bias if num_actions > 2 else bias[1:] - bias[:1]
        inputs = state_size if observe else 0
        last = _linear(hidden_size or inputs, len(bias))
        nn.init.trunc_normal_(last.weight, std=0.02)
        with torch.no_grad():
            last.bias.copy_(bias)
        hidden = [_linear(inputs, hidden_size), nn.Tanh()] if hidden_size else []
        self.layers = nn.Sequential(*hidden, last)
        self.reader: Reader | None = None
        if reader != "none":
            self.reader = Reader(reader, vocabulary_size, reader_size, self.first.out_features)
            if not hidden_size:
                nn.init.trunc_normal_(self.reader.output.weight, std=0.02)

    @property
    def first(self) -> nn.Linear:
        """The layer of the observation."""
        first = self.layers[0]
        assert isinstance(first, nn.Linear)
        return first

    def forward(self, observation: Tensor, words: Tensor | None = None) -> Tensor:
        """Compute the logits, (R,) or (R, k).

        Args:
            observation: (R, D) observations.
            words: (R, d) inputs from the reader, as wide as the first layer, for a P-Net that has one.
        """
        check_width(observation, self.state_size)
        hidden = self.first(observation[:, : self.first.in_features].to(self.first.weight.dtype))
        if self.reader is not None:
            hidden = hidden + words
        logits: Tensor = self.layers[1:](hidden)
        return logits.squeeze(1) if self.num_actions == 2 else logits

    def on(self, batch: SentenceBatch) -> Logits:
        """See `PolicyNet.on`."""
        if self.reader is None:
            return lambda observation, place: self(observation)
        words = self.reader(batch)
        return lambda observation, place: self(observation, words.index_select(0, place))

    def agent(self) -> Agent:
        """See `PolicyNet.agent`."""
        return LogitPolicy(self)

    def logits(self, batch: SentenceBatch, trajectories: Trajectories) -> Tensor:
        """See `PolicyNet.logits`."""
        return self.on(batch)(trajectories.observation, trajectories.place)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """Make a linear layer, which may have no inputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a layer without inputs has nothing to initialise
        return nn.Linear(inputs, outputs)


def check_memory(inputs: PolicyInput, width: int) -> None:
    """Check the width of the memory of a P-Net with a reader.

    Raises:
        HsEnvError: If it is not that of `Agent.begin` or of the last decision.
    """
    if inputs.memory.shape[1] < width:
        raise HsEnvError(
            "This P-Net reads the sentence itself, which an observation does not contain. Get the memory of the "
            "first word from `agent.begin(batch)`, and that of each later word from the last decision."
        )


def choose(logits: Tensor, inputs: PolicyInput) -> tuple[Tensor, Tensor, Tensor]:
    """Choose legal actions, (R,) int64, by logits; return also their log-probabilities and entropies, (R,) each."""
    choice = choice_of(logits, inputs.legal)
    actions = choice.best() if inputs.deterministic else choice.sample(inputs.generator)
    return actions, choice.log_prob(actions), choice.entropy()


class LogitPolicy(Agent):
    """Samples actions from the logits of a P-Net.

    With a reader, the memory of an episode holds the reader's inputs for the word to be decided and all later ones.
    """

    def __init__(self, pnet: PNet) -> None:
        self.pnet = pnet
        self.observes = pnet.first.in_features > 0
        self.reads_words = pnet.reader is not None

    def to(self, device: torch.device) -> LogitPolicy:
        """See `Agent.to`."""
        self.pnet.to(device)
        return self

    @isolated
    def begin(self, batch: SentenceBatch, samples: int = 1) -> Tensor:
        """See `Agent.begin`."""
        if self.pnet.reader is None:
            return super().begin(batch, samples)
        words = padded_words(self.pnet.reader(batch), batch)
        return words.flatten(1).repeat_interleave(samples, 0)

    @isolated
    def act(self, inputs: PolicyInput) -> Decision:
        """See `Agent.act`.

        Raises:
            HsEnvError: If the P-Net has a reader, and the memory is not that of `begin` or of the last decision.
        """
        width = 0 if self.pnet.reader is None else self.pnet.first.out_features
        check_memory(inputs, width)
        logits = self.pnet(inputs.observation, inputs.memory[:, :width])
        actions, log_probs, entropy = choose(logits, inputs)
        return Decision(actions, log_probs, entropy, inputs.memory[:, width:])
