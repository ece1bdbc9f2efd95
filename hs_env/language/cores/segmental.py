"""A segmental language model: it sums over all segmentations of a text, so that no boundary is decided.

A text is a sequence of segments of 1 to L characters. The context network reads all characters; g_j is its vector
after j characters. An LSTM of its own writes the segment that begins there: it reads g_j first, and then the characters
of the segment. With q_k its distribution of character k + 1, and e_k the probability that the segment ends after
k characters (e_L = 1)::

    p(x_{j+1} ... x_{j+k} is a segment) = prod_{i<k} q_i(x_{j+i+1})  prod_{0<i<k} (1 - e_i)  e_k

The probability of the text is the sum over its segmentations of the products of these (Sun and Deng 2018; Kawakami,
Dyer and Blunsom 2019, without their lexicon and length penalty). It is computed character by character. w_t(k) is
the probability, given the first t characters, that the last k of them are the beginning of an unfinished segment;
w_t(0) is that of a boundary after character t::

    p(x_{t+1} | x_1 ... x_t) = sum_k w_t(k) q_k(x_{t+1})
    a(k + 1) = w_t(k) q_k(x_{t+1}) / p(x_{t+1} | x_1 ... x_t)
    w_{t+1}(k) = a(k) (1 - e_k) for k > 0,    w_{t+1}(0) = sum_k a(k) e_k

All log-likelihoods are exact, and autograd differentiates them: unlike routers and policies, this model needs no
estimator. The cost is that of L LSTM steps per character.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from hs_env.language.cores.core import CORES, Core, CoreOptions, CoreReading, Predict, State, by_step, lengths_of
from hs_env.models.h_net.stack import LSTMStack
from hs_env.models.lstm import LSTM, lstm_cell, pack
from hs_env.models.rate import Decisions

LONGEST: Final = 10
"""L, the largest number of characters of a segment, as in Kawakami et al. 2019."""


@CORES.register("segmental.v1")
class SegmentalCore(nn.Module, Core):
    """The context network, the LSTM that writes segments, and the sum over segmentations; see the module's docstring.

    A boundary is the probability of one given all characters that are read at once, those after it included.

    The state has those of the context network; c and h of the LSTM of each open segment, (L B, d); and log w_t, (L B,).
    Row k B + b is the segment of stream b that has k characters.

    Args:
        input_size: e, width of the inputs.
        hidden_size: d, width of all layers.
        layers: Number of layers of the context network.
    """

    title = "Segmental model"

    def __init__(self, input_size: int, hidden_size: int, layers: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.context = LSTMStack(input_size, hidden_size, layers)
        self.begin = nn.Linear(hidden_size, 4 * hidden_size)
        self.segment = LSTM(input_size, hidden_size)
        self.end = nn.Linear(hidden_size, 1)

    @classmethod
    def make(cls, options: CoreOptions) -> SegmentalCore:
        """See `Core.make`."""
        return cls(options.input_size, options.hidden_size, options.layers)

    def output(self, width: int) -> nn.Module:
        """See `Core.output`."""
        return nn.Sequential(nn.Linear(self.hidden_size, width), nn.ReLU())

    def start(self, streams: int) -> State:
        """Return the state before the first character: one segment is open, which has no characters yet."""
        later = streams * (LONGEST - 1)
        begun = lstm_cell(self.begin.bias.detach().expand(streams, -1), None)  # g_0 = 0
        c, h = (torch.cat([part, part.new_zeros(later, self.hidden_size)]) for part in begun)
        return *self.context.start(streams), c, h, torch.cat([c.new_zeros(streams), c.new_full((later,), -torch.inf)])

    def read(
        self, vectors: Tensor, where: Tensor, state: State | None, tokens: Tensor, predict: Predict
    ) -> CoreReading:
        """See `Core.read`."""
        batch = where.shape[1]
        *context, c, h, log_w = self.start(batch) if state is None else state
        below = self.context(vectors, where.t().flatten(), lengths_of(where), tuple(context))
        written, after = self._write(vectors, where, by_step(below.output, where), (c, h))
        open_h = torch.cat([h.view(1, LONGEST, batch, -1), written])  # (T + 1, L, B, d)
        log_q = predict(open_h)
        read = log_q[:-1].gather(-1, tokens[:, None, :, None].expand(-1, LONGEST, -1, -1)).squeeze(-1)
        scores = self.end(open_h[1:, 1:]).squeeze(-1)  # (T, L - 1, B)
        log_end, log_on = logsigmoid(scores), logsigmoid(-scores)
        steps = _filter(log_w.view(LONGEST, batch), read, log_end, log_on)
        log_probs = torch.logsumexp(steps[..., None] + log_q[1:], 1)
        boundaries = _smooth(steps.detach(), read.detach(), log_end.detach(), log_on.detach())
        carried = (*below.state, *after, steps[-1].detach().flatten())
        return CoreReading(log_probs, boundaries[..., None], carried, [_decisions(steps[:, 0])])

    def _write(self, vectors: Tensor, where: Tensor, g: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, State]:
        """Run the LSTM of all segments that begin at the characters read, and of those that were open before.

        Returns:
            Hidden states of the segments that are open after each character, by their length from 0, (T, L, B, d); and
            c and h of those after the last character, without gradient.
        """
        steps, batch = where.shape
        device = where.device
        begun = torch.arange(steps * batch, device=device)
        opened = torch.arange((LONGEST - 1) * batch, device=device)  # the longest ones must end
        old = len(begun)
        # A segment that begins after character i (from 0) reads its context, then the characters after i. One that was
        # open and has k characters reads the characters from the first one on.
        lengths = torch.cat([steps - begun // batch, LONGEST - 1 - opened // batch])
        lengths = lengths.clamp(max=torch.where(torch.arange(len(lengths), device=device) < old, LONGEST, steps))
        first, stream = torch.cat([begun // batch, opened * 0]), torch.cat([begun, opened]) % batch
        sequence, step, sizes = pack(lengths)
        character = where.flatten()[(first[sequence] + step) * batch + stream[sequence]]
        row = torch.where((step == 0) & (sequence < old), sequence, old + character)
        projected = torch.cat([self.begin(g.flatten(0, 1)), self.segment.project(vectors)])
        order = sequence[: len(lengths)]
        before = tuple(torch.cat([part.new_zeros(old, self.hidden_size), part[: len(opened)]])[order] for part in state)
        h, last = self.segment.resume(projected, row, sizes, (before[0], before[1]))

        place = torch.empty(len(lengths), LONGEST, dtype=torch.long, device=device)
        place[sequence, step] = torch.arange(len(sequence), device=device)
        time, length = torch.arange(steps, device=device)[:, None], torch.arange(LONGEST, device=device)
        begins = time - length  # character after which an open segment begins; below 0 if it was open before
        number = torch.where(begins >= 0, begins, steps - 1 - begins)[..., None] * batch + torch.arange(
            batch, device=device
        )
        at = torch.where(begins >= 0, length, time)[..., None]
        rank = torch.empty_like(order).index_copy_(0, order, torch.arange(len(order), device=device))
        kept = rank[number[-1].flatten()]
        return h[place[number, at]], tuple(part[kept] for part in last)


def _filter(log_w: Tensor, read: Tensor, log_end: Tensor, log_on: Tensor) -> Tensor:
    """Return log w after each character, (T, L, B).

    Args:
        log_w: (L, B) log w before the first character.
        read: (T, L, B) log q_k of the characters read.
        log_end: (T, L - 1, B) log e_k for k from 1.
        log_on: (T, L - 1, B) log (1 - e_k) for k from 1.
    """
    steps = []
    for now, end, on in zip(read, log_end, log_on, strict=True):
        joint = log_w + now
        joint = joint - torch.logsumexp(joint, 0)
        ended = torch.cat([joint[:-1] + end, joint[-1:]])
        log_w = torch.cat([torch.logsumexp(ended, 0, keepdim=True), joint[:-1] + on])
        steps.append(log_w)
    return torch.stack(steps)


def _smooth(steps: Tensor, read: Tensor, log_end: Tensor, log_on: Tensor) -> Tensor:
    """Return the probability of a boundary after each character given all T characters, (T, B).

    With r_t(k) the probability of the characters after t if k characters of a segment are open,
    `r_t(k) = q_k(x_{t+1}) (e_{k+1} r_{t+1}(0) + (1 - e_{k+1}) r_{t+1}(k + 1))`.

    Args:
        steps: (T, L, B) log w after each character.
        read: See `_filter`.
        log_end: See `_filter`.
        log_on: See `_filter`.
    """
    rest = torch.zeros_like(steps[-1])
    found = [steps[-1, 0].exp()]
    for t in range(len(steps) - 1, 0, -1):
        ended = rest[:1].expand_as(rest)
        on = torch.logaddexp(log_end[t] + rest[:1], log_on[t] + rest[1:])
        rest = read[t] + torch.cat([on, ended[-1:]])
        rest = rest - rest.amax(0)
        both = steps[t - 1] + rest
        found.append((both[0] - torch.logsumexp(both, 0)).exp())
    return torch.stack(found[::-1])


def _decisions(log_p: Tensor) -> Decisions:
    """Return boundaries with log-probabilities (T, B), given the characters up to each, as decisions."""
    streams = torch.arange(log_p.shape[1], device=log_p.device).expand_as(log_p)
    log_p = log_p.flatten().clamp(max=-1e-6)
    p = log_p.exp()
    return Decisions(p.detach(), p, log_p - torch.log(-torch.expm1(log_p)), streams.flatten())
