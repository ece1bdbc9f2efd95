"""The segmental language model against an enumeration of all segmentations."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from hs_env.language import CharacterLM
from hs_env.language.cores import SegmentalCore, segmental
from hs_env.models.lstm import lstm_cell
from hs_env.models.rate import Control, RateParameters, rate_loss

LONGEST = 3


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmental, "LONGEST", LONGEST)


@pytest.fixture
def model() -> CharacterLM:
    torch.manual_seed(0)
    model = CharacterLM(5, "segmental", 1, 6, 4, 7).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)  # so that segmentations differ in probability
    return model


def enumerate_segmentations(model: CharacterLM, text: Tensor) -> tuple[Tensor, Tensor]:
    """Return the probability of the text and those of a boundary after each character, one segmentation after another.

    The last segment may be unfinished.
    """
    core = model.core
    assert isinstance(core, SegmentalCore)
    inputs = model.embedding(text)
    lengths = torch.tensor([len(text)])
    g = core.context(inputs, torch.arange(len(text)), lengths).output
    contexts = torch.cat([torch.zeros_like(g[:1]), g])

    def segment(start: int, stop: int, finished: bool) -> Tensor:
        c, h = lstm_cell(core.begin(contexts[start : start + 1]), None)
        p = torch.ones((), dtype=torch.double)
        for k in range(stop - start):
            if k:
                p = p * (1 - torch.sigmoid(core.end(h))).squeeze()
            q = torch.softmax(model.softmax(model.output(h)), -1)[0]
            p = p * q[text[start + k]]
            c, h = core.segment.step(core.segment.project(inputs[start + k : start + k + 1]), c, h)
        ends = torch.sigmoid(core.end(h)).squeeze() if stop - start < LONGEST else torch.ones(())
        return p * (ends if finished else 1 - ends)

    total, found = torch.zeros((), dtype=torch.double), torch.zeros(len(text), dtype=torch.double)
    for marks in itertools.product((False, True), repeat=len(text)):
        stops = [place + 1 for place, mark in enumerate(marks) if mark]
        edges = [0, *stops] + ([] if marks[-1] else [len(text)])
        if max(b - a for a, b in itertools.pairwise(edges)) > LONGEST:
            continue
        p = torch.stack([segment(a, b, b in stops) for a, b in itertools.pairwise(edges)]).prod()
        total, found = total + p, found + p * torch.tensor(marks)
    return total, found / total


@pytest.mark.parametrize("parts", [[7], [3, 4], [1] * 7, [2, 1, 4]])
def test_it_sums_over_all_segmentations(model: CharacterLM, parts: list[int]) -> None:
    text = torch.randint(0, 5, (8,))
    wanted, state = [], None
    for stop in range(9):
        wanted.append(enumerate_segmentations(model, text[:stop])[0] if stop else torch.ones(()))
    for start, part in zip([0, *itertools.accumulate(parts)], parts, strict=False):
        reading = model.read(text[start : start + part, None], state)
        state = reading.state
        for t in range(start, start + part):
            p = reading.log_probs[t - start, 0, text[t + 1]].exp()
            assert p.item() == pytest.approx((wanted[t + 2] / wanted[t + 1]).item(), rel=1e-9)
        assert reading.log_probs.exp().sum(-1).allclose(torch.ones(()).double())


def test_boundaries_are_probabilities_given_all_characters(model: CharacterLM) -> None:
    text = torch.randint(0, 5, (7,))
    _, wanted = enumerate_segmentations(model, text)
    found = model(text[:, None])[1]
    assert found is not None
    torch.testing.assert_close(found[:, 0, 0], wanted, atol=1e-9, rtol=0)
    assert wanted.std() > 0.05


def test_the_gradient_is_that_of_the_sum(model: CharacterLM) -> None:
    text = torch.randint(0, 5, (6,))
    first = enumerate_segmentations(model, text[:1])[0]
    wanted = (enumerate_segmentations(model, text)[0] / first).log()
    found = model.read(text[:-1, None]).log_probs[:, 0].gather(1, text[1:, None]).sum()
    assert found.item() == pytest.approx(wanted.item())
    for name, parameter in model.named_parameters():
        if name != "core.begin.bias":  # the state before the first character has no gradient, and depends on it alone
            mine, its = (torch.autograd.grad(value, parameter, retain_graph=True)[0] for value in (found, wanted))
            torch.testing.assert_close(mine, its, atol=1e-12, rtol=0)
            assert its.abs().max() > 1e-3


def test_streams_do_not_mix(model: CharacterLM) -> None:
    text = torch.randint(0, 5, (6, 3))
    whole = model(text)
    for stream in range(3):
        alone = model(text[:, stream : stream + 1])
        torch.testing.assert_close(alone[0][:, 0], whole[0][:, stream])
        torch.testing.assert_close(alone[1][:, 0], whole[1][:, stream])


def test_without_ends_a_segment_has_its_greatest_length(model: CharacterLM) -> None:
    with torch.no_grad():
        model.core.end.bias.fill_(-50.0)
    z = model(torch.randint(0, 5, (7, 1)))[1]
    assert z[:, 0, 0].round().tolist() == [0, 0, 1, 0, 0, 1, 0]
    assert math.isclose(z.sum().item(), 2, abs_tol=1e-9)


@pytest.mark.parametrize("control", ["ratio", "binomial", "controller"])
@pytest.mark.parametrize("target", [0.45, 0.8])
def test_the_rate_goes_to_its_target(control: Control, target: float, model: CharacterLM) -> None:
    text = torch.randint(0, 5, (40, 4))
    optimizer = torch.optim.Adam(model.parameters(), 0.02)

    def rate() -> float:
        return model.read(text).decisions[0].rate

    before = rate()
    for _ in range(60):
        optimizer.zero_grad()
        loss = rate_loss(RateParameters(target, control, 1.0), model.read(text).decisions)
        assert loss is not None
        loss.backward()
        optimizer.step()
    assert abs(rate() - target) < min(0.1, abs(before - target))
