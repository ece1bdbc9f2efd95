"""A segmental language model: it sums over all segmentations of a text, so that no boundary is decided.

A text is a sequence of segments of 1 to L characters. The context network reads all characters; g_j is its vector
after j characters. A second LSTM generates the segment that starts after character j: its first input is g_j, its
later inputs are the characters of the segment. After k characters of a segment, q_k is the distribution of its next
character, and e_k the probability that it ends there; e_L = 1. So::

    p(x_{j+1} ... x_{j+k} is a segment) = prod_{i<k} q_i(x_{j+i+1})  prod_{0<i<k} (1 - e_i)  e_k

The probability of the text is the sum over its segmentations of the products of these (Sun and Deng 2018; Kawakami,
Dyer and Blunsom 2019, without the lexicon and length penalty of the latter). It is computed character by character. For
k from 0 to L - 1, w_t(k) is the probability, given the first t characters, that the last k of them are the beginning of
an unfinished segment; w_t(0) is that of a boundary after character t::

    p(x_{t+1} | x_1 ... x_t) = sum_k w_t(k) q_k(x_{t+1})
    a(k + 1) = w_t(k) q_k(x_{t+1}) / p(x_{t+1} | x_1 ... x_t)
    w_{t+1}(k) = a(k) (1 - e_k) for k > 0,    w_{t+1}(0) = sum_k a(k) e_k

All log-likelihoods are exact, and autograd differentiates them: unlike routers and policies, this model needs no
estimator. Each character costs L steps of the second LSTM and L softmaxes.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from hs_env.language.cores.core import CORES, Core, CoreOptions, CoreReading, Predict, State, by_step, lengths_of
from hs_env.models.h_net.stack import LSTMStack
from hs_env.models.lstm import LSTM, lstm_cell, pack
from hs_env.models.rate import RATE_FIELDS, Decisions

LONGEST: Final = 10
"""L, the largest number of characters of a segment, as in Kawakami et al. 2019."""


@CORES.register("segmental.v1")
class SegmentalCore(nn.Module, Core):
    """The context network, the LSTM that generates segments, and the sum over segmentations; see the module.

    `boundaries[t]` is the probability of a boundary after character t, given all T characters of the call. So it
    depends on how a text is cut into calls, while `log_probs` does not. `decisions` hold the probability given the
    characters up to t.

    The state consists of the state of the context network; c and h of the LSTM of each open segment, (L B, d) each; and
    log w_t, (L B,). Row k B + b is the open segment of stream b that has k characters.

    Args:
        input_size: e, width of the inputs.
        hidden_size: d, width of all layers.
        layers: Number of layers of the context network.
    """

    title, own_fields = "Segmental model", RATE_FIELDS

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
        generated, after = self._generate(vectors, where, by_step(below.output, where), (c, h))
        open_h = torch.cat([h.view(1, LONGEST, batch, -1), generated])  # (T + 1, L, B, d)
        log_q = predict(open_h)
        observed = log_q[:-1].gather(-1, tokens[:, None, :, None].expand(-1, LONGEST, -1, -1)).squeeze(-1)
        scores = self.end(open_h[1:, 1:]).squeeze(-1)  # (T, L - 1, B)
        log_end, log_on = logsigmoid(scores), logsigmoid(-scores)
        steps = _filter(log_w.view(LONGEST, batch), observed, log_end, log_on)
        log_probs = torch.logsumexp(steps[..., None] + log_q[1:], 1)
        boundaries = _smooth(steps.detach(), observed.detach(), log_end.detach(), log_on.detach())
        carried = (*below.state, *after, steps[-1].detach().flatten())
        return CoreReading(
            log_probs, boundaries[..., None], carried, [_decisions(steps)] if torch.is_grad_enabled() else []
        )

    def _generate(
        self, vectors: Tensor, where: Tensor, g: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the LSTM of all segments that start after the characters read, and of those that were open before.

        Args:
            vectors: See `Core.read`.
            where: See `Core.read`.
            g: (T, B, d) vectors of the context network.
            state: c and h of the segments that were open before, (L B, d) each.

        Returns:
            Hidden states of the segments that are open after each character, by their length from 0, (T, L, B, d); and
            c and h of those after the last character, (L B, d) each, without gradient.
        """
        steps, batch = where.shape
        device = where.device
        # Segments are numbered: first the T B new ones, that of stream b after character i (from 0) as i B + b; then
        # those that were open, with k characters as T B + k B + b. The longest ones must end, and are left out.
        new = steps * batch
        own, old = torch.arange(new, device=device), torch.arange((LONGEST - 1) * batch, device=device)
        lengths = torch.cat([(steps - own // batch).clamp(max=LONGEST), (LONGEST - 1 - old // batch).clamp(max=steps)])
        first = torch.cat([own // batch, torch.zeros_like(old)])
        stream = torch.cat([own, old]) % batch
        # Step s of a segment reads character first + s. But a new one first reads its context, at step 0.
        segment, step, sizes = pack(lengths)
        character = where.flatten()[(first[segment] + step) * batch + stream[segment]]
        row = torch.where((step == 0) & (segment < new), segment, new + character)
        projected = torch.cat([self.begin(g.flatten(0, 1)), self.segment.project(vectors)])
        order = segment[: len(lengths)]  # of the segments in the packed layout
        c, h = (torch.cat([part.new_zeros(new, self.hidden_size), part[: len(old)]])[order] for part in state)
        packed, last = self.segment.resume(projected, row, sizes, (c, h))

        # After character t, the open segment of length k started after character t - k, or is an old one if t < k.
        time, length = torch.arange(steps, device=device)[:, None], torch.arange(LONGEST, device=device)
        start = time - length
        group = torch.where(start >= 0, start, steps - 1 - start)
        number = group[..., None] * batch + torch.arange(batch, device=device)  # (T, L, B)
        its_step = torch.where(start >= 0, length, time)[..., None]
        place = torch.empty(len(lengths), LONGEST, dtype=torch.long, device=device)
        place[segment, step] = torch.arange(len(segment), device=device)  # packed row of a step of a segment
        rank = torch.empty_like(order).index_copy_(0, order, torch.arange(len(order), device=device))
        return packed[place[number, its_step]], tuple(part[rank[number[-1].flatten()]] for part in last)


def _filter(log_w: Tensor, observed: Tensor, log_end: Tensor, log_on: Tensor) -> Tensor:
    """Return log w after each character, (T, L, B).

    Args:
        log_w: (L, B) log w before the first character.
        observed: (T, L, B) log q_k of the characters read.
        log_end: (T, L - 1, B) log e_k for k from 1.
        log_on: (T, L - 1, B) log (1 - e_k) for k from 1.
    """
    steps = []
    for now, end, on in zip(observed, log_end, log_on, strict=True):
        joint = log_w + now
        joint = joint - torch.logsumexp(joint, 0)
        ended = torch.cat([joint[:-1] + end, joint[-1:]])
        log_w = torch.cat([torch.logsumexp(ended, 0, keepdim=True), joint[:-1] + on])
        steps.append(log_w)
    return torch.stack(steps)


def _smooth(steps: Tensor, observed: Tensor, log_end: Tensor, log_on: Tensor) -> Tensor:
    """Return the probability of a boundary after each character given all T characters, (T, B).

    With r_t(k) the probability of the characters after t if k characters of a segment are open,
    `r_t(k) = q_k(x_{t+1}) (e_{k+1} r_{t+1}(0) + (1 - e_{k+1}) r_{t+1}(k + 1))`.

    Args:
        steps: (T, L, B) log w after each character.
        observed: See `_filter`.
        log_end: See `_filter`.
        log_on: See `_filter`.
    """
    rest = torch.zeros_like(steps[-1])
    found = [steps[-1, 0].exp()]
    for t in range(len(steps) - 1, 0, -1):
        shorter = torch.logaddexp(log_end[t] + rest[:1], log_on[t] + rest[1:])
        rest = observed[t] + torch.cat([shorter, rest[:1]])  # the longest ones must end
        rest = rest - rest.amax(0)
        both = steps[t - 1] + rest
        found.append((both[0] - torch.logsumexp(both, 0)).exp())
    return torch.stack(found[::-1])


def _decisions(steps: Tensor) -> Decisions:
    """Return the boundaries given the characters up to each, as decisions, from `_filter`'s (T, L, B)."""
    scores = (steps[:, 0] - torch.logsumexp(steps[:, 1:], 1)).flatten()  # the w of a character sum to 1
    streams = torch.arange(steps.shape[2], device=steps.device).expand_as(steps[:, 0])
    p = torch.sigmoid(scores)
    return Decisions(p.detach(), p, scores, streams.flatten())
