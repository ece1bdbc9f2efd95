"""Check that an encoder keeps its contract."""

from __future__ import annotations

import copy
from dataclasses import fields

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from hs_env.compute import CPU, device_of, making_on, seeded
from hs_env.errors import HsEnvError, shown
from hs_env.models.encoder import StructuredEncoder
from hs_env.models.state import EncoderState
from hs_env.problems.problem import Problem, nearest_legal
from hs_env.types import SentenceBatch


def check_encoder(encoder: StructuredEncoder, *, seed: int = 0) -> None:
    """Check that a structured encoder keeps its contract, in eval mode, on random sentences and actions.

    | what | how |
    |---|---|
    | values | every method returns tensors of the right shape and dtype |
    | steps | `observe` and `legal` have the right shapes; `advance` changes neither its argument nor finished rows |
    | routes | `encode`, relaxed actions and the lexicon have the result and the gradient of single steps |
    | measures | the routes measure the same at each word; finished rows keep their measures |
    | legal actions | each word has one that the problem allows; an illegal one is replaced |
    | independence | neither padding nor other sentences change a result |
    | copies | `type(encoder)(**encoder.config())` with the weights of the encoder gives its results |

    The encoder itself does not change.

    Raises:
        HsEnvError: At the first fault.
    """
    _check_attributes(encoder)
    encoder = copy.deepcopy(encoder).eval().requires_grad_()
    lexicon = encoder.lexicon()
    if lexicon is None:
        raise HsEnvError("The encoder uses contextual word vectors. Check a new one, which has a `WordEmbedding`.")
    generator, device = seeded(seed), device_of(encoder)
    lengths, samples = torch.tensor([7, 1, 4, 9, 2, 9, 5], device=device), 3
    size, k = encoder.words.vocabulary_size, encoder.problem.num_actions
    tokens = torch.randint(1, size, (7, 9), generator=generator, device=CPU).to(device)  # padding is random too
    batch = SentenceBatch(tokens, lengths, torch.zeros_like(lengths), torch.arange(7, device=device))
    actions = torch.randint(0, k, (7 * samples, 9), generator=generator, device=CPU).to(device)
    actions[:samples], actions[-samples:] = 0, k - 1
    _check_values(encoder, batch)

    nothing = encoder.start(batch).select(slice(0))
    try:
        ended = encoder.finish(encoder.advance(nothing, actions[:0, 0]))
    except (RuntimeError, IndexError, ValueError) as error:
        fault = f"advance() or finish() fails for a state of no rows: {error}"
        raise HsEnvError(f"The encoder breaks its contract: {fault}. See docs/encoders.md.") from error
    _require(
        ended.shape == (0, encoder.num_classes), f"finish() gave {tuple(ended.shape)} for no rows, expected (0, C)"
    )

    steps, taken = _step_by_step(encoder, encoder.start(batch, samples), actions)
    _require(steps.shape == (len(actions), encoder.num_classes), f"finish() gave {tuple(steps.shape)}, expected (R, C)")
    _require(bool((steps.logsumexp(1).abs() <= 1e-5).all()), "probabilities do not sum to 1")
    rows = zip(batch.tokens[:, None], lengths.split(1), actions.split(samples), strict=True)
    alone = [(SentenceBatch(row[:, :n], n, n * 0, n * 0), chosen[:, :n]) for row, n, chosen in rows]
    legal_alone = [
        (one, chosen[:, : one.tokens.shape[1]]) for (one, _), chosen in zip(alone, taken.split(samples), strict=True)
    ]
    words, counts = tokens.repeat_interleave(samples, 0), lengths.repeat_interleave(samples)
    known, needed = encoder.begin(lexicon, words, counts), encoder.lexicon(tokens)
    assert needed is not None
    expected = _with_gradient(encoder, steps)
    for name, result in {
        "encode()": encoder.encode(batch, actions),
        "encode() of the legal actions": encoder.encode(batch, taken),
        "encode() of each sentence alone": torch.cat([encoder.encode(*each) for each in alone]),
        "steps of each sentence alone": torch.cat(
            [_step_by_step(encoder, encoder.start(one, samples), each)[0] for one, each in alone]
        ),
        "relaxed actions": encoder(batch, one_hot(taken, k).float()),
        "relaxed actions of each sentence alone": torch.cat(
            [encoder(one, one_hot(each, k).float()) for one, each in legal_alone]
        ),
        **({"relaxed actions as weights of action 1": encoder(batch, actions.float())} if k == 2 else {}),
        "lexicon()": _step_by_step(encoder, known, actions)[0],
        "lexicon() of the batch": _step_by_step(encoder, encoder.begin(needed, words, counts), actions)[0],
    }.items():
        for one, other in zip(_with_gradient(encoder, result), expected, strict=True):
            same = torch.allclose(one, other, rtol=1e-4, atol=1e-5)
            _require(same, f"{name} has another result or gradient than single steps")
    _check_measures(encoder, batch, actions)
    with making_on():
        made = type(encoder)(**encoder.config())
    made.load_state_dict(encoder.state_dict())
    same = torch.allclose(made.to(device).eval().encode(batch, actions), expected[0], rtol=1e-4, atol=1e-5)
    _require(same, "a copy made by config() has another result: does config() return all arguments?")


def _check_attributes(encoder: object) -> None:
    """Check what the other checks rely on."""
    if not isinstance(encoder, StructuredEncoder):
        raise HsEnvError(f"check_encoder takes a StructuredEncoder, an object and not a class; got {shown(encoder)}.")
    problem, size, measures = (getattr(encoder, name, None) for name in ("problem", "state_size", "measures"))
    _require(isinstance(problem, Problem), f"`problem` is {shown(problem)}, expected a Problem")
    _require(isinstance(size, int), f"`state_size` is {shown(size)}, expected the width of an observation")
    _require(
        isinstance(measures, tuple) and all(isinstance(name, str) for name in measures),
        f"`measures` is {shown(measures)}, expected a tuple of names such as ('loss',)",
    )
    if missing := [each.name for each in fields(encoder.Parameters) if each.name not in encoder.config()]:
        _require(False, f"config() lacks the parameter {missing[0]!r}, so a saved encoder would get its default")


def _check_values(encoder: StructuredEncoder, batch: SentenceBatch) -> None:
    """Check the type, shape and dtype that each method returns."""
    vectors, where = encoder.words(batch)
    tables = encoder.tables_of(vectors, batch.tokens[batch.mask])
    _require(
        isinstance(tables, tuple) and all(isinstance(table, Tensor) and len(table) == len(vectors) for table in tables),
        f"tables() gave {_described(tables)}, expected a tuple of tensors of {len(vectors)} rows, one per word",
    )
    memory = encoder.initial(tables, where[:, 0])
    _require(
        isinstance(memory, Tensor) and memory.ndim == 2 and (len(memory), memory.dtype) == (len(batch), torch.float32),
        f"initial() gave {_described(memory)}, expected ({len(batch)}, M) float32",
    )
    state = encoder.begin(tables, where, batch.lengths)
    outcomes, expected, k = encoder.outcomes(state), _described(memory), encoder.problem.num_actions
    _require(
        isinstance(outcomes, tuple) and [_described(each) for each in outcomes] == [expected] * k,
        f"outcomes() gave {_described(outcomes)}, expected {k} of {expected}, as the memory",
    )
    observed, legal = encoder.observe(state), encoder.legal(state)
    _require(isinstance(observed, Tensor), f"observe() gave {_described(observed)}, expected a tensor")
    _require(
        isinstance(legal, Tensor) and legal.dtype == torch.bool,
        f"legal() gave {_described(legal)}, expected a tensor of bool",
    )
    for name, value in (("finish()", encoder.finish(state)), ("encode()", encoder.encode(batch, batch.tokens * 0))):
        shape = (len(batch), encoder.num_classes)
        _require(
            isinstance(value, Tensor) and value.shape == shape, f"{name} gave {_described(value)}, expected {shape}"
        )


def _check_measures(encoder: StructuredEncoder, batch: SentenceBatch, actions: Tensor) -> None:
    """Check that all routes measure the same, and nothing after the end."""
    start = encoder.start(batch, len(actions) // len(batch))
    if encoder.measures:
        once, expected = encoder.measure(start.memory), f"torch.float32 {(len(actions), len(encoder.measures))}"
        _require(_described(once) == expected, f"measure() gave {_described(once)}, expected {expected}")
    steps = encoder.unroll(start, actions.shape[1], lambda t, _: actions[:, t]).measured
    shape = (*actions.shape, len(encoder.measures))
    _require(
        (tuple(steps.shape), steps.dtype) == (shape, torch.float32), f"measure() must give (R, {shape[2]}) float32"
    )
    _require(not steps[~batch.mask.repeat_interleave(len(actions) // len(batch), 0)].any(), "it measures after the end")
    relaxed = one_hot(actions, encoder.problem.num_actions).float()
    for name, found in {
        "encode_measured()": encoder.encode_measured(batch, actions)[1],
        "relaxed actions": encoder.unroll(start, actions.shape[1], lambda t, _: relaxed[:, t]).measured,
    }.items():
        _require(torch.allclose(found, steps, rtol=1e-4, atol=1e-5), f"{name} has other measures than single steps")


def _described(value: object) -> str:
    """Describe a tensor by its dtype and shape, a tuple by its items, and anything else by its type."""
    if isinstance(value, Tensor):
        return f"{value.dtype} {tuple(value.shape)}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_described, value))})"
    return type(value).__name__


def _step_by_step(encoder: StructuredEncoder, state: EncoderState, actions: Tensor) -> tuple[Tensor, Tensor]:
    """Compute log-probabilities step by step and the legal actions that were taken, and check every step."""
    taken, k = torch.zeros_like(actions), encoder.problem.num_actions

    def decide(t: int, state: EncoderState) -> Tensor:
        column, observation, legal = actions[:, t], encoder.observe(state), encoder.legal(state)
        _require(bool(encoder.finish(state).isfinite().all()), "finish() must classify unfinished sentences, too")
        seen, shape = (observation.dtype, *observation.shape), (torch.float32, len(state), encoder.state_size)
        _require(seen == shape, f"observe() gave {seen}, expected {shape}: (R, D) with D = state_size")
        _require((legal.shape, legal.dtype) == ((len(state), k), torch.bool), f"legal() must give (R, {k}) bool")
        _require(bool(legal.any(1).all()), "legal() forbids all actions")
        _require(
            bool((legal <= encoder.problem.legal(state.progress, state.left))[state.reading].all()),
            "legal() allows an action that the problem forbids",
        )
        taken[:, t] = nearest_legal(legal, column)
        for asked in (one_hot(taken[:, t], k).float(), column):
            before, done = state.memory.clone(), ~state.reading
            later = encoder.advance(state, asked)
            _require(torch.equal(state.memory, before), "advance() changed the memory of its argument: copy it")
            _require(torch.equal(later.memory[done], before[done]), "advance() changed a finished sentence")
            _require(torch.equal(encoder.observe(later)[done], observation[done]), "observe() differs after the end")
        return column

    return encoder.finish(encoder.unroll(state, actions.shape[1], decide)), taken


def _with_gradient(encoder: StructuredEncoder, log_probs: Tensor) -> list[Tensor]:
    """Return the log-probabilities, and for each parameter the gradient of those of the first class."""
    _require(log_probs.requires_grad, "a route has no gradient")
    sources, total = list(encoder.parameters()), log_probs[:, 0].sum()
    gradient = torch.autograd.grad(total, sources, retain_graph=True, allow_unused=True, materialize_grads=True)
    return [log_probs, *gradient]


def _require(condition: bool, fault: str) -> None:
    if not condition:
        raise HsEnvError(f"The encoder breaks its contract: {fault}. See docs/encoders.md.")
