"""The chunk LSTM: its losses by the equations, and a loss of the language model that training adds."""

from __future__ import annotations

import torch

from hs_env.models import ChunkLSTM
from hs_env.models.encoder import StructuredEncoder
from hs_env.problems.chunking import CHUNKING
from tests.builders import make_batch, make_encoder, random_actions
from tests.models.equations import chunk_losses

LENGTHS = [7, 1, 4, 9, 2]


def test_losses_are_those_of_the_equations() -> None:
    encoder, batch = make_encoder(ChunkLSTM), make_batch(LENGTHS)
    actions = random_actions(3 * len(batch), max(LENGTHS))
    episodes = encoder.read(batch, actions)
    measured = torch.stack([*episodes.measures.values()], 2)
    assert list(episodes.measures) == ["early_loss", "late_loss"]
    for row, taken in enumerate(actions.tolist()):
        length = LENGTHS[row // 3]
        losses, _ = chunk_losses(encoder, batch.tokens[row // 3, :length].tolist(), taken)
        torch.testing.assert_close(measured[row, :length], losses, rtol=1e-5, atol=1e-5)
        assert not measured[row, length:].any()
    torch.testing.assert_close(StructuredEncoder.encode_measured(encoder, batch, actions)[1], measured)
    early = measured[:, :, 0].view(len(batch), 3, -1)
    assert torch.equal(early[:, :1].expand_as(early), early), "the early exit does not see the actions"


def test_training_adds_the_loss_of_the_language_model() -> None:
    encoder, batch = make_encoder(ChunkLSTM), make_batch(LENGTHS)
    actions = CHUNKING.legalised(random_actions(2 * len(batch), max(LENGTHS)), batch.lengths.repeat_interleave(2))
    log_probs, penalty = encoder.penalised(batch, actions)
    early, late = (each.sum() / (2 * sum(LENGTHS)) for each in encoder.read(batch, actions).measures.values())
    torch.testing.assert_close(penalty, 0.1 * early + 0.9 * late)
    torch.testing.assert_close(log_probs, encoder(batch, actions))
    penalty.backward()
    assert encoder.early.weight.grad.any()
    assert encoder.chunk_level.weight_hh.grad.any()
