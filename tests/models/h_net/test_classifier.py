"""H-Net as a classifier: its phrases are the chunks of its network, and their rate reaches the target."""

from __future__ import annotations

import pytest
import torch

from hs_env.errors import HsEnvError
from hs_env.models import HNetClassifier
from hs_env.models.h_net.classifier import HNetParameters
from hs_env.models.rate import rate_loss
from tests.builders import make_batch

LENGTHS = [7, 1, 4, 9, 2]


def make_classifier(dropout: float = 0.0, **options: float) -> HNetClassifier:
    torch.manual_seed(0)
    model = HNetClassifier(30, 3, embedding_size=5, hidden_size=7, dropout=dropout, **options)
    with torch.no_grad():
        model.words.weight.mul_(8)
    return model


@pytest.mark.parametrize("stages", [1, 2])
def test_a_phrase_ends_with_each_chunk_and_at_the_last_word(stages: int) -> None:
    model, batch = make_classifier(stages=stages).eval(), make_batch(LENGTHS)
    torch.nn.init.normal_(model.levels.router.query)  # so that neighbours differ
    found = model.parse(batch).boundaries
    assert found.shape == (len(LENGTHS), max(LENGTHS), stages)
    for row, length in enumerate(LENGTHS):
        vectors = model.words.weight[batch.tokens[row, :length]]
        alone = model.levels(vectors, torch.arange(length), torch.tensor([length])).boundaries.long()
        assert torch.equal(found[row, :length], alone)
        assert found[row, length - 1].tolist() == [1] * stages
        assert not found[row, length:].any()
    assert len(LENGTHS) < found[..., 0].sum() < sum(LENGTHS)


@pytest.mark.parametrize("stages", [1, 2])
def test_every_word_counts_before_any_training(stages: int) -> None:
    """The residual connection is 0 at first, so what counts has gone through the main network."""
    model, batch = make_classifier(stages=stages).eval(), make_batch([8])
    before = model(batch)
    for word in range(8):
        batch.tokens[0, word] = 29 - batch.tokens[0, word]
        assert (model(batch) - before).abs().max() > 1e-6, word
        batch.tokens[0, word] = 29 - batch.tokens[0, word]


def test_a_dropped_word_has_no_huge_gradient() -> None:
    model, batch = make_classifier(stages=2), make_batch([6, 3])
    with torch.no_grad():
        model.words.weight.zero_()
    model(batch)[:, 0].sum().backward()
    assert all(each.grad is None or each.grad.norm() < 1e3 for each in model.parameters())


def test_without_weight_there_is_no_target() -> None:
    assert make_classifier(boundary_rate=0.2, rate_weight=0.0).penalised(make_batch(LENGTHS))[1] is None


def test_the_target_is_reached_from_both_sides() -> None:
    batch = make_batch([9] * 12)
    for scale in (0.05, 8.0):  # nearly equal words, and very different ones
        model = make_classifier(dropout=0.5, boundary_rate=0.3, rate_weight=1.0)
        with torch.no_grad():
            model.words.weight.mul_(scale)
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        for _ in range(60):
            loss = model.penalised(batch)[1]
            assert loss is not None
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        rate = model.eval().parse(batch).boundaries[:, :-1].float().mean()
        assert abs(rate - 0.3) < 0.08


def test_the_loss_is_that_of_a_pass_without_dropout() -> None:
    model, batch = make_classifier(dropout=0.5, boundary_rate=0.3), make_batch(LENGTHS)
    penalty = model.train().penalised(batch)[1]
    expected = rate_loss(model.rate, model.eval().parse(batch, decide=True).decisions)
    assert penalty is not None
    assert expected is not None
    assert penalty.item() == pytest.approx(expected.item())
    assert make_classifier(boundary_rate=None).penalised(batch)[1] is None


def test_impossible_values_are_refused() -> None:
    assert HNetParameters().boundary_rate == 0.2
    with pytest.raises(HsEnvError, match="stages"):
        HNetParameters(stages=3)
