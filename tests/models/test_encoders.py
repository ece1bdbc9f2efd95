"""All structured encoders: step by step, in one call and by the equations, they compute the same function."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import one_hot

from hs_env.errors import HsEnvError
from hs_env.models import HSLSTM, AttentiveHSLSTM, StructuredEncoder, check_encoder
from hs_env.models.sentence import SentenceParameters
from hs_env.types import SentenceBatch
from tests.builders import make_batch, make_encoder, random_actions
from tests.models.equations import EQUATIONS

LENGTHS = [7, 1, 4, 9, 2, 9, 5]
KINDS = list(EQUATIONS)


@pytest.fixture(params=KINDS)
def encoder(request: pytest.FixtureRequest) -> StructuredEncoder:
    made: StructuredEncoder = make_encoder(request.param)
    return made


def step_by_step(encoder: StructuredEncoder, batch: SentenceBatch, actions: Tensor) -> Tensor:
    state = encoder.start(batch, actions.shape[0] // len(batch))
    for column in actions.unbind(1):
        state = encoder.advance(state, column)
    assert not state.reading.any()
    return encoder.finish(state)


@pytest.mark.parametrize("seed", range(3))
def test_encoders_pass_their_checker(encoder, seed):
    before = copy.deepcopy(encoder.state_dict())
    check_encoder(encoder, seed=seed)
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())


def test_default_move_and_encode_are_correct():
    """An encoder that overrides neither computes the same, only more slowly."""

    class Slow(HSLSTM):
        move, encode = StructuredEncoder.move, StructuredEncoder.encode

    slow, batch, actions = make_encoder(Slow), make_batch(LENGTHS), random_actions(14, 9)
    check_encoder(slow)
    torch.testing.assert_close(slow(batch, actions), make_encoder()(batch, actions), atol=1e-6, rtol=0)


@pytest.mark.parametrize("scale", [300.0, -300.0])
def test_attention_is_finite_for_huge_scores(scale):
    encoder, batch, actions = make_encoder(AttentiveHSLSTM), make_batch(LENGTHS), random_actions(7, 9)
    with torch.no_grad():
        encoder.attention[2].weight.fill_(scale)
    check_encoder(encoder)
    relaxed = encoder(batch, torch.full(actions.shape, 0.5, requires_grad=True))
    assert all(
        gradient.isfinite().all() for gradient in torch.autograd.grad(relaxed.sum(), encoder.attention.parameters())
    )


def faulty(method: str, wrong: Callable[..., Any]) -> StructuredEncoder:
    """An encoder whose `method` returns `wrong(encoder, *arguments, correct_result)`."""
    right = getattr(HSLSTM, method)
    changed = type("Faulty", (HSLSTM,), {method: lambda self, *args: wrong(self, *args, right(self, *args))})
    return make_encoder(changed)


@pytest.mark.parametrize(
    ("method", "wrong", "fault"),
    [
        ("tables", lambda self, vectors, tables: list(tables), "tables.. gave list, expected a tuple"),
        ("tables", lambda self, vectors, tables: tables[0], r"tables.. gave torch.float32 .*, expected a tuple"),
        ("tables", lambda self, vectors, tables: (tables[0][1:], tables[1]), "expected a tuple of tensors of 37 rows"),
        ("initial", lambda self, tables, words, memory: None, "initial.. gave NoneType"),
        ("initial", lambda self, tables, words, memory: memory[0], r"initial.. gave torch.float32 \(24,\)"),
        ("initial", lambda self, tables, words, memory: memory.double(), "initial.. gave torch.float64"),
        ("outcomes", lambda self, state, both: both[0], "outcomes.. gave torch.float32"),
        ("outcomes", lambda self, state, both: (both[0], both[1][:, 1:]), "expected 2 of torch.float32"),
        ("observe", lambda self, state, seen: seen.numpy(force=True), "observe.. gave ndarray"),
        ("legal", lambda self, state, legal: None, "legal.. gave NoneType"),
        ("legal", lambda self, state, legal: legal.float(), r"legal.. gave torch.float32 .*, expected .* bool"),
        ("finish", lambda self, state, log_probs: None, "finish.. gave NoneType"),
        ("encode", lambda self, batch, actions, log_probs: log_probs[1:], r"encode.. gave .*, expected \(7, 3\)"),
        ("observe", lambda self, state, seen: seen[:, 1:], "observe.. gave .*float32"),
        ("observe", lambda self, state, seen: seen + state.position[:, None].double(), "observe.. gave .*float64"),
        ("observe", lambda self, state, seen: seen + torch.rand(1), "differs after the end"),
        ("legal", lambda self, state, legal: legal[:, :1], "legal.. must give"),
        ("legal", lambda self, state, legal: legal & False, "forbids all actions"),
        ("legal", lambda self, state, legal: legal | True, "allows an action that the problem forbids"),
        ("finish", lambda self, state, log_probs: log_probs[:, :1], "finish.. gave"),
        ("finish", lambda self, state, log_probs: log_probs + 1, "sum to 1"),
        ("move", lambda self, state, actions, memory: memory + 1, "changed a finished sentence"),
        ("move", lambda self, state, actions, memory: state.memory.add_(1), "changed the memory of its argument"),
        ("outcomes", lambda self, state, both: both[::-1], "relaxed actions"),
        ("encode", lambda self, batch, actions, log_probs: log_probs.roll(1, 0), "encode.. has another"),
        ("encode", lambda self, batch, actions, log_probs: log_probs.detach(), "no gradient"),
        ("lexicon", lambda self, *given: tuple(2 * table for table in given[-1]), "lexicon.. has another"),
    ],
)
def test_the_checker_finds_faults(method, wrong, fault):
    with pytest.raises(HsEnvError, match=fault):
        check_encoder(faulty(method, wrong))


def test_the_checker_finds_parameters_that_a_copy_would_lose():
    @dataclass(frozen=True)
    class Warm(SentenceParameters):
        temperature: float = 1.0

    class Tempered(HSLSTM):
        Parameters = Warm

        def __init__(self, *sizes, temperature=1.0, **more):
            super().__init__(*sizes, **more)
            self.temperature = temperature

    with pytest.raises(HsEnvError, match=r"config\(\) lacks the parameter 'temperature'"):
        check_encoder(Tempered(30, 3, 5, hidden_size=4))


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ({"problem": None}, "`problem` is None, expected a Problem"),
        ({"measures": ("loss")}, "`measures` is 'loss', expected a tuple of names"),
        ({"measures": ("loss",)}, r"measure\(\) gave torch.float32 \(21, 0\), expected torch.float32 \(21, 1\)"),
    ],
)
def test_the_checker_finds_faulty_attributes(attributes, fault):
    with pytest.raises(HsEnvError, match=fault):
        check_encoder(make_encoder(type("Faulty", (HSLSTM,), attributes)))
    with pytest.raises(HsEnvError, match="takes a StructuredEncoder, an object and not a class; got"):
        check_encoder(HSLSTM)


def test_the_checker_finds_encoders_that_mix_sentences():
    class Mixing(HSLSTM):
        def finish(self, state):
            return torch.log_softmax(super().finish(state) * state.memory[:, :1].mean(), 1)

        encode = StructuredEncoder.encode

    with pytest.raises(HsEnvError, match="alone"):
        check_encoder(make_encoder(Mixing))


# Step by step and in one call


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("constant", [None, 0, 1])
def test_stepwise_and_one_call_results_equal_the_equations(encoder, samples, constant):
    batch, k = make_batch(LENGTHS), encoder.problem.num_actions
    actions = random_actions(len(batch) * samples, 9, k=k)
    if constant is not None:
        actions.fill_(constant)
    equations = EQUATIONS[type(encoder)]
    expected = torch.stack(
        [
            equations(encoder, batch.tokens[row // samples, : LENGTHS[row // samples]].tolist(), actions[row].tolist())
            for row in range(len(actions))
        ]
    )
    torch.testing.assert_close(encoder(batch, actions), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(step_by_step(encoder, batch, actions), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(encoder(batch, one_hot(actions, k).float()), expected, atol=1e-5, rtol=0)
    if k == 2:
        torch.testing.assert_close(encoder(batch, actions.float()), expected, atol=1e-5, rtol=0)


def test_gradient_of_relaxed_actions_equals_finite_differences(encoder):
    encoder, batch = encoder.double(), make_batch([4, 1, 3])
    shape = (3, 4) if encoder.problem.num_actions == 2 else (3, 4, encoder.problem.num_actions)
    relaxed = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda actions: encoder(batch, actions), (relaxed,))


@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_stepwise_and_one_call_results_agree_on_any_batch(kind, lengths, seed):
    encoder, batch = make_encoder(kind), make_batch(lengths, seed=seed)
    actions = random_actions(2 * len(lengths), max(lengths), seed, encoder.problem.num_actions)
    with torch.no_grad():
        torch.testing.assert_close(encoder(batch, actions), step_by_step(encoder, batch, actions), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(7, 8), (7, 10), (8, 9), (0, 9)])
def test_actions_of_the_wrong_shape_are_refused(encoder, shape):
    with pytest.raises(HsEnvError, match="Actions need"):
        encoder(make_batch(LENGTHS), torch.zeros(shape, dtype=torch.int64))


# Training


def test_dropout_before_the_softmax_differs_between_rows(encoder):
    encoder.dropout.p = 0.5
    encoder.train()
    rows = encoder(make_batch([4]), torch.ones(20, 4, dtype=torch.int64))
    assert len(rows.unique(dim=0)) > 10


def test_config_rebuilds_the_encoder(encoder):
    again = type(encoder)(**encoder.config())
    assert again.config() == encoder.config()
    again.load_state_dict(encoder.state_dict())


def test_word_dropout_drops_whole_words_in_training_mode_only(encoder):
    encoder.words.word_dropout.p = 0.5
    encoder.train()
    torch.nn.init.uniform_(encoder.words.weight, 1, 2)
    vectors, _ = encoder.words(make_batch([40] * 20))
    dropped = (vectors == 0).all(1)
    assert 0.4 < dropped.float().mean().item() < 0.6
    assert (vectors[~dropped] != 0).all()
    assert (encoder.eval().words(make_batch([40]))[0] != 0).all()
