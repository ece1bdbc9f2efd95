"""Read sentences with a policy of skimming at a cost that grows with the number of words read."""

from __future__ import annotations

import torch

from hs_env.compute import isolated
from hs_env.errors import HsEnvError
from hs_env.models.skim_lstm import SkimLSTM
from hs_env.types import Episodes, SentenceBatch

from .base import Agent, PolicyInput


@isolated
@torch.no_grad()
def skim(encoder: SkimLSTM, agent: Agent, batch: SentenceBatch) -> Episodes:
    """Run one episode per sentence with the agent's most probable actions, and visit only the words that are read.

    The episodes are those of `rollout`, which visits skipped words too, with all rows at the same position. Here each
    row jumps from a word that it reads to the next one, and leaves after its last one. So the number of steps is the
    largest number of words that a row reads.

    Raises:
        HsEnvError: If the agent has a memory, such as a reader's, since that needs every word.
    """
    memory = agent.begin(batch)
    if memory.shape[1]:
        raise HsEnvError(
            f"{type(agent).__name__} has a memory of {memory.shape[1]} numbers, which needs every word of a sentence. "
            "Use `rollout`, or an agent without a reader."
        )
    state, row = encoder.start(batch), torch.arange(len(batch), device=batch.tokens.device)
    actions = torch.zeros_like(batch.tokens)
    log_probs = torch.zeros(len(batch), encoder.num_classes, device=batch.tokens.device)
    while len(row):
        taken = agent.act(PolicyInput(encoder.observe(state), encoder.legal(state), memory)).actions
        actions[row, state.position] = taken
        state = encoder.jump(state, taken)
        over = (~state.reading).nonzero().squeeze(1)
        if len(over):
            log_probs[row[over]] = encoder.finish(state.select(over))
            left = state.reading.nonzero().squeeze(1)
            state, row, memory = state.select(left), row[left], memory[left]
    return Episodes(batch, actions, log_probs)
