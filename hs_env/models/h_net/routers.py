"""Routers: how an H-Net decides at which positions a chunk vector goes up.

Encoder, main network and decoder stay the same. With x_t the encoder's vector at position t and s_t = w x_t + v:

| name | p_t | boundary b_t | gradient of the decision |
|---|---|---|---|
| `cosine` | (1 - cos(W_q x_{t-1}, W_k x_t)) / 2 | p_t > 1/2 | smoothing and confidence (Hwang, Wang, Gu 2025) |
| `straight_through` | sigm(s_t) | p_t > 1/2 | the same |
| `gumbel` | sigm((s_t + logistic noise) / 0.5) | p_t > 1/2 | the same (relaxation of Nawrot et al. 2023) |
| `reinforce` | sigm(s_t) | 1 with probability p_t | policy gradient (Dauncey and Wattenhofer 2026) |
| `spaces` | | 1 at white space | none: fixed |
| `every` | | 1 at every k-th position | none: fixed |
| `random` | | 1 at random positions | none: fixed |

In training the random numbers of `gumbel` and `reinforce` are new ones. In eval mode they are a fixed function of the
position, so results repeat, and the boundary rate is that of training. The first position of a sequence always has a
boundary; `HNet` sets it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import ClassVar, Final, Literal, NamedTuple

import torch
from torch import Tensor, nn

from hs_env.compute import CPU, seeded, uniform
from hs_env.errors import HsEnvError
from hs_env.models.h_net.chunking import sequence_numbers
from hs_env.models.h_net.stack import State

RouterName = Literal["cosine", "straight_through", "gumbel", "reinforce", "spaces", "every", "random"]
"""Name of a router."""
TEMPERATURE: Final = 0.5
"""Temperature of the router `gumbel`."""
PERIOD: Final = 4096
"""Number of positions after which fixed random numbers repeat."""


class Routing(NamedTuple):
    """What a router decides at the positions of all sequences.

    Attributes:
        p: (words,) floats from 0 to 1: boundary probabilities; for `gumbel`, relaxed samples.
        chosen: (words,) bool, True at the boundaries.
        state: State after the last position of each sequence, without gradient.
        scores: (words,) floats of which p is a rising function; None if nothing is learned.
    """

    p: Tensor
    chosen: Tensor
    state: State
    scores: Tensor | None = None


class Router(nn.Module, ABC):
    """Interface of a router.

    Attributes:
        parts: Number of tensors in its state.
        smooths: Whether chunk vectors are smoothed and weighted by p, which passes the gradient to the decision.
        samples: Whether the boundaries are actions whose log-probabilities a policy gradient needs.
    """

    parts: ClassVar[int] = 0
    smooths: ClassVar[bool] = True
    samples: ClassVar[bool] = False

    def start(self, zeros: Tensor) -> State:
        """Return the state before the first position, given (sequences, d) zeros."""
        return ()

    @abstractmethod
    def forward(self, x: Tensor, tokens: Tensor | None, lengths: Tensor, state: State) -> Routing:
        """Decide at all positions.

        Args:
            x: (words, d) vectors of the encoder, one sequence after the other.
            tokens: (words,) int64, number of the character at each position; only `spaces` needs it.
            lengths: (sequences,) int64, number of positions of each sequence, at least 1.
            state: State before the first positions.
        """


class CosineRouter(Router):
    """Compares each vector with the one before it: `cosine` in the module's table.

    Args:
        width: d, width of the vectors.

    Attributes:
        query: (d, d) weights of the earlier vector, W_q transposed, initially the identity.
        key: (d, d) weights of the later vector, W_k transposed, likewise.
    """

    parts = 1

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.eye(width))
        self.key = nn.Parameter(torch.eye(width))

    def start(self, zeros: Tensor) -> State:
        """See `Router.start`; the state is the vector before the first position."""
        return (zeros,)

    def forward(self, x: Tensor, tokens: Tensor | None, lengths: Tensor, state: State) -> Routing:
        """See `Router.forward`."""
        stops = lengths.cumsum(0)
        earlier = x.roll(1, 0).index_copy(0, stops - lengths, state[0])
        cosine = nn.functional.cosine_similarity(earlier @ self.query, x @ self.key, dim=1)
        p = ((1 - cosine) / 2).clamp(0, 1)
        return Routing(p, p > 0.5, (x.detach()[stops - 1],), p)


class LinearRouter(Router):
    """Reads each vector with a linear unit: `straight_through` in the module's table.

    Args:
        width: d, width of the vectors.
        rate: Initial boundary probability at a vector that is 0.
    """

    def __init__(self, width: int, rate: float) -> None:
        super().__init__()
        self.head = nn.Linear(width, 1)
        nn.init.constant_(self.head.bias, math.log(rate / (1 - rate)))

    def forward(self, x: Tensor, tokens: Tensor | None, lengths: Tensor, state: State) -> Routing:
        """See `Router.forward`."""
        scores = self.head(x).squeeze(1)
        return Routing(torch.sigmoid(scores), scores > 0, (), scores)


class SampledRouter(LinearRouter):
    """Draws boundaries with the help of uniform numbers."""

    parts = 1
    noise: Tensor

    def __init__(self, width: int, rate: float) -> None:
        super().__init__(width, rate)
        self.register_buffer("noise", uniform(PERIOD, seeded(0), CPU), persistent=False)

    def start(self, zeros: Tensor) -> State:
        """See `Router.start`; the state is the number of positions, modulo the period."""
        return (zeros[:, :1],)

    def forward(self, x: Tensor, tokens: Tensor | None, lengths: Tensor, state: State) -> Routing:
        """See `Router.forward`."""
        scores = self.head(x).squeeze(1)
        place, after = _places(lengths, state[0], PERIOD)
        noise = uniform(len(x), None, x.device, x.dtype) if self.training else self.noise[place].to(x.dtype)
        p, chosen = self.decide(scores, noise)
        return Routing(p, chosen, (after,), scores)

    @abstractmethod
    def decide(self, scores: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Decide from scores and uniform numbers from 0 to 1, (words,) each.

        Returns:
            (words,) floats p, see `Routing`; and (words,) bool, True at boundaries.
        """


class GumbelRouter(SampledRouter):
    """Draws relaxed boundaries: `gumbel` in the module's table."""

    def decide(self, scores: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """See `SampledRouter.decide`."""
        noisy = scores + noise.clamp(1e-6, 1 - 1e-6).logit()
        return torch.sigmoid(noisy / TEMPERATURE), noisy > 0


class PolicyRouter(SampledRouter):
    """Draws boundaries, and passes no gradient through them: `reinforce` in the module's table."""

    smooths, samples = False, True

    def decide(self, scores: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """See `SampledRouter.decide`."""
        p = torch.sigmoid(scores)
        return p, p > noise


class SpaceRouter(Router):
    """Sets a boundary at each white-space character.

    Args:
        spaces: Numbers of the white-space characters.
    """

    smooths = False
    spaces: Tensor

    def __init__(self, spaces: Collection[int]) -> None:
        super().__init__()
        self.register_buffer("spaces", torch.tensor(sorted(spaces), dtype=torch.long, device=CPU), persistent=False)

    def forward(self, x: Tensor, tokens: Tensor | None, lengths: Tensor, state: State) -> Routing:
        """See `Router.forward`."""
        if tokens is None:
            raise HsEnvError("The router 'spaces' needs the number of the character at each position, got none.")
        chosen = torch.isin(tokens, self.spaces)
        return Routing(chosen.to(x.dtype), chosen, ())


class PatternRouter(Router):
    """Repeats a pattern of boundaries in every sequence, from its first position on.

    Args:
        pattern: (period,) bool, True at the boundaries.
    """

    parts, smooths = 1, False
    pattern: Tensor

    def __init__(self, pattern: Tensor) -> None:
        super().__init__()
        self.register_buffer("pattern", pattern, persistent=False)

    def start(self, zeros: Tensor) -> State:
        """See `Router.start`; the state is the number of positions, modulo the period."""
        return (zeros[:, :1],)

    def forward(self, x: Tensor, tokens: Tensor | None, lengths: Tensor, state: State) -> Routing:
        """See `Router.forward`."""
        place, after = _places(lengths, state[0], len(self.pattern))
        chosen = self.pattern[place]
        return Routing(chosen.to(x.dtype), chosen, (after,))


def make_router(name: RouterName, width: int, rate: float, spaces: Collection[int]) -> Router:
    """Make a router.

    Args:
        name: Name of the router.
        width: d, width of the encoder's vectors.
        rate: Boundary rate: that of `random`; 1/k for `every`, rounded to a whole k; the initial one of linear routers.
        spaces: Numbers of the white-space characters.
    """
    if name == "cosine":
        return CosineRouter(width)
    if name == "spaces":
        return SpaceRouter(spaces)
    if name == "every":
        return PatternRouter(torch.arange(round(1 / rate), device=CPU) == 0)
    if name == "random":
        return PatternRouter(uniform(PERIOD, seeded(0), CPU) < rate)
    linear = {"straight_through": LinearRouter, "gumbel": GumbelRouter, "reinforce": PolicyRouter}
    return linear[name](width, rate)


def _places(lengths: Tensor, before: Tensor, period: int) -> tuple[Tensor, Tensor]:
    """Return the position of each word in its sequence, modulo a period, and the number of positions afterwards.

    Args:
        lengths: (sequences,) int64, number of positions of each sequence.
        before: (sequences, 1) floats, number of positions before, modulo the period.
        period: Period.
    """
    starts = lengths.cumsum(0) - lengths
    first = (before.long().squeeze(1) - starts)[sequence_numbers(lengths)]
    place = torch.arange(len(first), device=lengths.device) + first
    return place % period, (before + lengths[:, None]) % period
