"""Train the word vectors of a large vocabulary, whose rows are updated when they are read.

Adam moves every row of a table at every update, since its momentum lasts, and the slow copy follows. With a million
rows that takes over twenty times as long as the rest of an update. Here an update computes the rows of its batch. The
updates that a row has missed are computed together when the row is read next. The result is that of Adam on all rows up
to rounding, except for tiny gradients (see `DeferredRows`).
"""

from __future__ import annotations

import math
from typing import Any, Final

import torch
from torch import Tensor, nn

from hs_env.compute import CPU
from hs_env.models.words import WordEmbedding

LARGE: Final = 50_000
"""Number of words of a vocabulary from which its rows are updated when they are read."""

_NEGLIGIBLE: Final = 1e-9
"""Share of the first missed step below which later ones are left out."""
_CHUNK: Final = 8192  # rows per pass over all rows
_KEPT: Final = 10_000
"""Number of updates after which all rows receive those that they have missed."""


class DeferredRows:
    """Adam without weight decay on two tables of word vectors: the trained one, and the slow copy that follows it.

    For a row with moments m and v after update t_0, the missed update `t = t_0 + j` has the gradient 0. Adam moves the
    row by `-W_j m / (sqrt(v) + eps u_j)`, where::

        r   = beta_1 / sqrt(beta_2)
        W_j = lr_t * r^j * sqrt(1 - beta_2^t) / (1 - beta_1^t)
        u_j = sqrt((1 - beta_2^t) / beta_2^j)

    The sum over j is computed as `-S m / (sqrt(v) + eps U)`, where S is the sum of the weights W_j and U the mean of
    u_j under them. Its relative error is the variance of `eps u_j / (sqrt(v) + eps U)`: below 2e-6 after a gradient of
    1e-5 or more, below 2e-4 after one of 1e-6, and up to 0.16 after one of 1e-9 in the first update.

    In the slow copy, move j has the weight `W_j (1 - (1 - tau)^(k - j + 1))` after k missed updates, and its distance
    from the row before them has the factor `(1 - tau)^k`.

    Args:
        fast: Layer that is trained. Its gradient becomes sparse.
        slow: Layer of the slow copy.
        optimizer: Optimiser that owns the weight of `fast`, and holds its moments as if it had trained it.
        tau: Share of the trained weights that the slow copy takes over after each update.

    Attributes:
        weight: Trained table, (V, e) float32.
        done: (V,) int32, number of updates that each row has received.
        rates: Learning rates of the last updates. No row misses an earlier one.
    """

    def __init__(self, fast: WordEmbedding, slow: WordEmbedding, optimizer: torch.optim.Optimizer, tau: float) -> None:
        self.weight, self._slow = fast.weight, slow.weight
        self._optimizer, self._tau = optimizer, tau
        defaults = optimizer.defaults
        (self._beta_1, self._beta_2), self._eps = defaults["betas"], defaults["eps"]
        self._ratio = self._beta_1 / math.sqrt(self._beta_2)
        self._terms = math.ceil(math.log(_NEGLIGIBLE) / math.log(self._ratio))
        self.done = torch.zeros(len(self.weight), dtype=torch.int32, device=self.weight.device)
        self.rates: list[float] = []
        self._layers = fast, slow
        fast.deferred = slow.deferred = self

    @property
    def updates(self) -> int:
        """Number of updates so far."""
        state = self._optimizer.state.get(self.weight)
        return int(state["step"]) if state else 0

    def detach(self) -> None:
        """Let the layers be trained otherwise, after all missed updates."""
        self.settle()
        for layer in self._layers:
            layer.deferred = None

    # Updates ---------------------------------------------------------------------------------------------------------

    def gradient(self) -> nn.Parameter:
        """Take the gradient away from the table, and return a parameter (n, e) with that of its n rows in the batch."""
        gradient = self.weight.grad
        assert gradient is not None
        self.weight.grad = None
        gradient = (gradient if gradient.is_sparse else gradient.to_sparse(1)).coalesce()
        self._rows, self._trained = gradient.indices().squeeze(0), nn.Parameter(gradient.values())
        self._trained.grad = gradient.values()
        return self._trained

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Do an update of the rows in the batch, which have received all earlier ones since the model has read them.

        Args:
            rate: Learning rate.
        """
        rows, gradient = self._rows, self._trained.grad
        assert gradient is not None
        if len(self.rates) >= _KEPT:
            self.settle()
        state = self._state()
        state["step"] += 1
        self.rates.append(rate)
        t = self.updates
        # As in torch.optim.Adam; its fused version may round differently.
        average = state["exp_avg"][rows].lerp_(gradient, 1 - self._beta_1)
        square = state["exp_avg_sq"][rows].mul_(self._beta_2).addcmul_(gradient, gradient, value=1 - self._beta_2)
        scale = square.sqrt().div_((1 - self._beta_2**t) ** 0.5).add_(self._eps)
        fast = self.weight[rows].addcdiv_(average, scale, value=-rate / (1 - self._beta_1**t))
        slow = self._slow[rows].lerp_(fast, self._tau)
        self._put(rows, fast, slow, average, square)

    @torch.no_grad()
    def catch_up(self, tokens: Tensor | None = None) -> None:
        """Do the missed updates of the rows with these token ids, an int64 tensor of any shape; None is all rows."""
        if tokens is None:
            return self.settle()
        rows = tokens.unique()
        self._advance(rows[self.done[rows] < self.updates])

    @torch.no_grad()
    def settle(self) -> None:
        """Do the missed updates of all rows."""
        rows = self.done.argsort(stable=True)  # rows that miss equally many updates share the work
        for chunk in rows[self.done[rows] < self.updates].split(_CHUNK):
            self._advance(chunk)
        self.rates = []

    def _advance(self, rows: Tensor) -> None:
        """Do the missed updates of rows (n,), distinct and with at least one each."""
        if not len(rows):
            return
        state, now = self._state(), self.updates
        begun, each = self.done[rows].unique(return_inverse=True)
        sums = self._sums(begun.tolist(), now).to(self.weight.device, self.weight.dtype)
        moved, scale, moved_slow, scale_slow, kept, kept_1, kept_2 = sums[:, each, None]
        fast, average, square = self.weight[rows], state["exp_avg"][rows], state["exp_avg_sq"][rows]
        root = square.sqrt()
        slow = (self._slow[rows] - fast).mul_(kept).add_(fast)
        slow.sub_((average * moved_slow).div_(root + scale_slow))
        fast = fast.sub_((average * moved).div_(root + scale))
        self._put(rows, fast, slow, average.mul_(kept_1), square.mul_(kept_2))

    def _sums(self, begun: list[int], now: int) -> Tensor:
        """Return the combined effect of the missed updates, float64 on the CPU, with a column for each of `begun`.

        The rows are S and eps U, both again for the slow copy, and the shares that are left of the distance of the slow
        copy, of m and of v.

        Args:
            begun: Numbers of updates that rows have received, ascending.
            now: Number of updates so far.
        """
        first, beta_1, beta_2 = begun[0], self._beta_1, self._beta_2
        updates = torch.arange(first + 1, now + 1, dtype=torch.float64, device=CPU)
        root = (1 - beta_2**updates).sqrt()
        rates = torch.tensor(self.rates[first - now :], dtype=torch.float64, device=CPU)
        weights = rates * root / (1 - beta_1**updates)
        reached = 1 - (1 - self._tau) ** (now - updates + 1)
        tables = torch.stack([weights, weights * root, weights * reached, weights * reached * root])
        windows = nn.functional.pad(tables, (0, self._terms)).unfold(1, self._terms, 1)
        at = torch.tensor(begun, dtype=torch.int64, device=CPU)
        j = torch.arange(1, self._terms + 1, dtype=torch.float64, device=CPU)
        powers = torch.stack([self._ratio**j, (beta_1 / beta_2) ** j]).repeat(2, 1)
        total, weighted, total_slow, weighted_slow = torch.einsum("kuj,kj->ku", windows[:, at - first], powers)
        missed = (now - at).double()
        kept = [share**missed for share in (1 - self._tau, beta_1, beta_2)]
        scale, scale_slow = (
            self._eps * torch.where(each > 0, mean / each, 1.0)  # learning rates of 0 have no mean
            for each, mean in ((total, weighted), (total_slow, weighted_slow))
        )
        return torch.stack([total, scale, total_slow, scale_slow, *kept])

    def _put(self, rows: Tensor, fast: Tensor, slow: Tensor, average: Tensor, square: Tensor) -> None:
        state = self._state()
        self.weight[rows], self._slow[rows] = fast, slow
        state["exp_avg"][rows], state["exp_avg_sq"][rows] = average, square
        self.done[rows] = self.updates

    def _state(self) -> dict[str, Any]:
        """Return the moments, which are 0 before the first update."""
        state: dict[str, Any] = self._optimizer.state[self.weight]
        if not state:
            state["step"] = torch.tensor(0.0, device=CPU)
            state["exp_avg"], state["exp_avg_sq"] = (torch.zeros_like(self.weight) for _ in range(2))
        return state

    # Checkpoints -----------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return which updates are missing. The tables and moments are saved with model and optimiser."""
        return {"done": self.done, "rates": torch.tensor(self.rates, dtype=torch.float64, device=CPU)}

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Restore a state that `state_dict` returned; None is the state of tables that miss no updates.

        Raises:
            ValueError: If the state does not fit the tables and moments, which are restored before.
        """
        if state is None:
            self.done.fill_(self.updates)
            self.rates = []
            return
        done, rates, now = state["done"], state["rates"], self.updates
        if done.shape != self.done.shape or done.dtype != self.done.dtype or rates.ndim != 1:
            raise ValueError("the counts of updates of word vectors have another shape or type")
        if not now - len(rates) <= int(done.min()) <= int(done.max()) <= now or not bool(rates.isfinite().all()):
            raise ValueError("the counts or rates of updates of word vectors are out of range")
        self.done.copy_(done)
        self.rates = rates.tolist()
