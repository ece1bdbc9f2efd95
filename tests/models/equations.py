"""Slow reference implementations of the encoders: one sentence, word by word, with the equations of the papers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, normalize

from hs_env.models import (
    HSLSTM,
    IDLSTM,
    AttentiveHSLSTM,
    ChunkLSTM,
    PhraseModuleNetwork,
    SkimLSTM,
    StructuredEncoder,
    TreeLSTM,
)
from hs_env.models.h_net.layers import HNet
from hs_env.models.h_net.stack import LSTMStack
from hs_env.models.lstm import LSTM
from hs_env.problems.distillation import RETAIN
from hs_env.problems.segmentation import END


def lstm(level: LSTM, c: Tensor, h: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """One LSTM step of one sequence: new c and h (d,) from c, h (d,) and the word vector x (e,)."""
    d = level.hidden_size
    pre = x @ level.weight_ih + h @ level.weight_hh + level.bias
    i, f, o = (torch.sigmoid(pre[k * d : (k + 1) * d]) for k in range(3))
    new = f * c + i * torch.tanh(pre[3 * d :])
    return new, o * torch.tanh(new)


def phrase_states(encoder: HSLSTM, tokens: list[int], actions: list[int]) -> list[Tensor]:
    """Phrase-level hidden states (d,) of one sentence, one per phrase."""
    zero = torch.zeros(encoder.hidden_size)
    c_w = h_w = c_p = h_p = zero
    states, previous = [], END
    for t, token in enumerate(tokens):
        if previous == END:
            c_w, h_w = zero, zero
        c_w, h_w = lstm(encoder.word_level, c_w, h_w, encoder.words.weight[token])
        action = END if t == len(tokens) - 1 else actions[t]
        if action == END:
            c_p, h_p = lstm(encoder.phrase_level, c_p, h_p, h_w)
            states.append(h_p)
        previous = action
    return states


def hs_lstm(encoder: HSLSTM, tokens: list[int], actions: list[int]) -> Tensor:
    """Class log-probabilities (C,) of one sentence."""
    h_p = phrase_states(encoder, tokens, actions)[-1]
    return torch.log_softmax(encoder.output.weight @ h_p + encoder.output.bias, 0)


def attentive_hs_lstm(encoder: AttentiveHSLSTM, tokens: list[int], actions: list[int]) -> Tensor:
    """Class log-probabilities (C,) of one sentence."""
    states = torch.stack(phrase_states(encoder, tokens, actions))
    weights = torch.softmax(encoder.attention(states)[:, 0].clamp(-30, 30), 0)
    return torch.log_softmax(encoder.output.weight @ (weights @ states) + encoder.output.bias, 0)


def id_lstm(encoder: IDLSTM, tokens: list[int], actions: list[int]) -> Tensor:
    """Class log-probabilities (C,) of one sentence."""
    c = h = torch.zeros(encoder.hidden_size)
    retained = [token for token, action in zip(tokens, actions, strict=False) if action == RETAIN]
    for token in retained or tokens[-1:]:
        c, h = lstm(encoder.word_level, c, h, encoder.words.weight[token])
    return torch.log_softmax(encoder.output.weight @ h + encoder.output.bias, 0)


def tree_lstm(encoder: TreeLSTM, tokens: list[int], actions: list[int]) -> Tensor:
    """Class log-probabilities (C,) of one sentence."""
    d, cell = encoder.hidden_size, encoder.parent
    stack: list[tuple[Tensor, Tensor]] = []
    for position, token in enumerate(tokens):
        c, h = (encoder.leaf.weight @ encoder.words.weight[token] + encoder.leaf.bias).split(d)
        left = len(tokens) - position - 1
        possible = [n for n in range(3) if 1 <= len(stack) + 1 - n <= min(1 + left, encoder.problem.capacity)]
        stack.append((c, h))
        for _ in range(min(possible, key=lambda n: (abs(n - actions[position]), n))):
            (c_r, h_r), (c_l, h_l) = stack.pop(), stack.pop()
            hidden = torch.nn.functional.gelu(torch.cat([h_l, h_r]) @ cell.weight_1 + cell.bias_1)
            gates = hidden @ cell.weight_2 + cell.bias_2
            i, f_l, f_r, o = (torch.sigmoid(gates[k * d : (k + 1) * d]) for k in range(4))
            c = f_l * c_l + f_r * c_r + i * torch.tanh(gates[4 * d :])
            stack.append((c, o * torch.tanh(c)))
    ((_, h),) = stack
    return torch.log_softmax(encoder.output.weight @ h + encoder.output.bias, 0)


def phrase_modules(encoder: PhraseModuleNetwork, tokens: list[int], actions: list[int]) -> Tensor:
    """Class log-probabilities (C,) of one sentence."""
    state = c = h = zero = torch.zeros(encoder.hidden_size)
    words = 0
    for t, token in enumerate(tokens):
        words += 1
        c, h = lstm(encoder.word_level, c, h, encoder.words.weight[token])
        action = max(actions[t], int(t == len(tokens) - 1 or words == 5))
        said = encoder.assertion.weight @ h + encoder.assertion.bias
        factor = 2 ** (2 * torch.tanh(encoder.factor.weight[0] @ h + encoder.factor.bias[0]))
        state = (state, state + said, -state, factor * state, said)[action]
        if action:
            c, h, words = zero, zero, 0
    return torch.log_softmax(encoder.output.weight @ state + encoder.output.bias, 0)


def skim_lstm(encoder: SkimLSTM, tokens: list[int], actions: list[int]) -> Tensor:
    """Class log-probabilities (C,) of one sentence."""
    c = h = torch.zeros(encoder.hidden_size)
    at = 0
    while at < len(tokens):
        c, h = lstm(encoder.word_level, c, h, encoder.words.weight[tokens[at]])
        at += {0: 1, 1: len(tokens), 2: 4}[actions[at]]
    return torch.log_softmax(encoder.output.weight @ h + encoder.output.bias, 0)


def chunk_losses(encoder: ChunkLSTM, tokens: list[int], actions: list[int]) -> tuple[Tensor, Tensor]:
    """Losses of one line, (L, 2) by the early and the late exit, and the last state of the chunk level (d,)."""
    c = h = torch.zeros(encoder.character_size)
    chunk_c = chunk_h = torch.zeros(encoder.hidden_size)
    losses = []
    for t, (token, following) in enumerate(zip(tokens, [*tokens[1:], 0], strict=True)):
        c, h = lstm(encoder.character_level, c, h, encoder.words.weight[token])
        if actions[t] == END or t in (0, len(tokens) - 1):
            chunk_c, chunk_h = lstm(encoder.chunk_level, chunk_c, chunk_h, h)
        early = encoder.early.weight @ h + encoder.early.bias
        mixed = encoder.from_character.weight @ h + encoder.from_character.bias + encoder.from_chunk.weight @ chunk_h
        late = encoder.late.weight @ torch.tanh(mixed) + encoder.late.bias
        losses.append(torch.stack([-torch.log_softmax(logits, 0)[following] for logits in (early, late)]))
    return torch.stack(losses), chunk_h


def chunk_lstm(encoder: ChunkLSTM, tokens: list[int], actions: list[int]) -> Tensor:
    """Class log-probabilities (C,) of one line."""
    _, chunk_h = chunk_losses(encoder, tokens, actions)
    return torch.log_softmax(encoder.output.weight @ chunk_h + encoder.output.bias, 0)


EQUATIONS: dict[type[StructuredEncoder], Callable[[Any, list[int], list[int]], Tensor]] = {
    HSLSTM: hs_lstm,
    AttentiveHSLSTM: attentive_hs_lstm,
    IDLSTM: id_lstm,
    SkimLSTM: skim_lstm,
    TreeLSTM: tree_lstm,
    PhraseModuleNetwork: phrase_modules,
    ChunkLSTM: chunk_lstm,
}


def stack_outputs(stack: LSTMStack, inputs: list[Tensor]) -> list[Tensor]:
    """LSTM layers with layer normalisation, one vector after the other."""
    for layer, norm in zip(stack.layers, stack.norms, strict=True):
        c = h = inputs[0].new_zeros(stack.hidden_size)
        outputs = []
        for x in inputs:
            c, h = lstm(layer, c, h, x)
            outputs.append(layer_norm(h, h.shape, norm.weight, norm.bias))
        inputs = outputs
    return inputs


def h_net(net: HNet | LSTMStack, inputs: list[Tensor]) -> tuple[list[Tensor], list[list[int]]]:
    """Outputs of one sequence, and its boundaries at each stage: positions in the stage's own sequence."""
    if isinstance(net, LSTMStack):
        return stack_outputs(net, inputs), []
    x = stack_outputs(net.encoder, inputs)
    p = [x[0].new_tensor(0.0 if net.whole else 1.0)]
    for before, now in pairwise(x):
        cosine = normalize(before @ net.router.query, dim=0) @ normalize(now @ net.router.key, dim=0)
        p.append(((1 - cosine) / 2).clamp(0, 1))
    if net.whole:
        p[-1] = x[0].new_tensor(1.0)
    kept = [t for t, value in enumerate(p) if value > 0.5]
    chunks, above = h_net(net.main, [x[t] for t in kept])
    z, mixed = torch.zeros_like(x[0]), []
    for t, vector in enumerate(x):
        confidence = 1 - p[t]
        if t in kept:
            share = p[t].clamp(1e-4, 1 - 1e-4)
            z = share * chunks[kept.index(t)] + (1 - share) * z
            confidence = p[t]
        straight = 1 + confidence - confidence.detach()
        mixed.append(straight * z + net.residual.weight @ vector)
    return stack_outputs(net.decoder, mixed), [kept, *above]
