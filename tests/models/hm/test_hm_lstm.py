"""HM-LSTM: compared with the equations of the paper and with finite differences; its invariants."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from hs_env.errors import HsEnvError
from hs_env.models import HMLSTMClassifier
from hs_env.models.hm import layer_scan, products
from hs_env.models.hm.boundary import annealed_slope, hard_sigmoid, hard_sigmoid_slope
from hs_env.models.hm.inference import Reader
from hs_env.models.hm.layer_scan import EPSILON, layers_of
from hs_env.models.hm.layers import HMLSTM, GatedOutput, HMState
from hs_env.models.hm.plan import ScanPlan
from tests.builders import make_batch

WIDTHS = (4, 3, 6)


class _Step(torch.autograd.Function):
    """1[value > threshold], with the gradient of the identity divided by the square root of the layer's width."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, threshold: Tensor, width: int) -> Tensor:
        ctx.width = width
        return (value > threshold).to(value.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad / ctx.width**0.5, None, None


def reference(model: HMLSTM, x: Tensor, state: HMState, threshold: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Equations 1 to 8 of Chung, Ahn, Bengio 2017, step by step and layer by layer.

    A step of B sequences compares the hard sigmoids with `threshold` (T, B, layers - 1). None keeps boundaries soft.
    Returns h (T, B, units), z (T, B, layers - 1) and c (T, B, units).
    """
    layers = len(model.widths)
    c, h = list(state.c.split(model.widths, 1)), list(state.h.split(model.widths, 1))
    z = [*state.z.split(1, 1), torch.zeros_like(state.z[:, :1])]
    outputs = []
    for t, now in enumerate(x):
        c_before, h_before, z_before = list(c), list(h), list(z)
        for layer, d in enumerate(model.widths):
            weight = model.weights[layer]
            s = h_before[layer] @ weight[:d]
            if layer + 1 < layers:
                s = s + z_before[layer] * (h_before[layer + 1] @ weight[d : d + model.widths[layer + 1]])
            bottom = z[layer - 1] if layer else torch.ones_like(z[0])
            s = s + (bottom * (h[layer - 1] @ weight[-model.widths[layer - 1] :]) if layer else now @ model.weight_in)
            bias = model.biases[layer]
            s = s + bias if model.gains is None else layer_norm(s, s.shape[1:], model.gains[layer], bias, EPSILON)
            i, f, o = (torch.sigmoid(s[:, k * d : (k + 1) * d]) for k in range(3))
            g = torch.tanh(s[:, 3 * d : 4 * d])
            flush, update = z_before[layer], (1 - z_before[layer]) * bottom
            copy = (1 - z_before[layer]) * (1 - bottom)
            c[layer] = update * (f * c_before[layer] + i * g) + copy * c_before[layer] + flush * i * g
            h[layer] = (update + flush) * o * torch.tanh(c[layer]) + copy * h_before[layer]
            if layer + 1 < layers:
                value = ((model.slope * s[:, 4 * d :] + 1) / 2).clamp(0, 1)
                z[layer] = value if threshold is None else _Step.apply(value, threshold[t, :, layer : layer + 1], d)
        outputs.append((torch.cat(h, 1), torch.cat(z[:-1], 1), torch.cat(c, 1)))
    hs, zs, cs = zip(*outputs, strict=True)
    return torch.stack(hs), torch.stack(zs), torch.stack(cs)


def double_model(seed: int, layer_norm: bool, boundary: Any) -> tuple[HMLSTM, Tensor, HMState]:
    torch.manual_seed(seed)
    model = HMLSTM(5, WIDTHS, layer_norm, boundary).double()
    model.slope = 1.3
    states = torch.randn(2, 7, sum(WIDTHS), dtype=torch.double)
    state = HMState(states[0], states[1], torch.randint(0, 2, (7, 2)).double())
    return model, torch.randn(12, 7, 5, dtype=torch.double), state


def compute_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scan compute the products of all rows, as on a GPU."""
    for module in (products, layer_scan):
        monkeypatch.setattr(module, "nonzero_rows", lambda values: None)


@pytest.mark.parametrize("layer_norm", [True, False])
@pytest.mark.parametrize("boundary", ["step", "sample", "soft"])
@pytest.mark.parametrize("every_row", [False, True])
def test_states_boundaries_and_gradients_equal_the_equations(
    monkeypatch: pytest.MonkeyPatch, layer_norm: bool, boundary: str, every_row: bool
) -> None:
    if every_row:
        compute_every_row(monkeypatch)
    model, x, state = double_model(0, layer_norm, boundary)
    threshold = {
        "step": torch.full((12, 7, 2), 0.5, dtype=torch.double),
        "sample": torch.rand(84, 2, generator=torch.Generator().manual_seed(1), dtype=torch.double).view(12, 7, 2),
        "soft": None,
    }[boundary]
    h, z, after = model(x, state, generator=torch.Generator().manual_seed(1))
    expected_h, expected_z, expected_c = reference(model, x, state, threshold)
    if boundary != "soft":  # so that UPDATE, COPY and FLUSH all occur
        rates = z.mean((0, 1))
        assert ((rates > 0.05) & (rates < 0.95)).all()
    torch.testing.assert_close(h, expected_h, atol=1e-12, rtol=0)
    torch.testing.assert_close(z, expected_z, atol=1e-12, rtol=0)
    torch.testing.assert_close(after.c, expected_c[-1], atol=1e-12, rtol=0)

    weight_h, weight_z = torch.randn_like(h), torch.randn_like(z)
    parameters = list(model.parameters())
    grads = torch.autograd.grad((h * weight_h).sum() + (z * weight_z).sum(), parameters)
    expected = torch.autograd.grad((expected_h * weight_h).sum() + (expected_z * weight_z).sum(), parameters)
    for grad, other in zip(grads, expected, strict=True):
        torch.testing.assert_close(grad, other, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("layer_norm", [True, False])
@pytest.mark.parametrize("every_row", [False, True])
def test_gradients_of_soft_boundaries_equal_finite_differences(
    monkeypatch: pytest.MonkeyPatch, layer_norm: bool, every_row: bool
) -> None:
    if every_row:
        compute_every_row(monkeypatch)
    model, x, state = double_model(2, layer_norm, "soft")
    model.slope = 0.3  # keeps all detectors away from the kinks of the hard sigmoid

    def loss(projected: Tensor) -> Tensor:
        h, z, *_ = model.scan(projected, torch.arange(9), [4, 3, 2], HMState(state.c[:4], state.h[:4], state.z[:4]))
        return (h.sin().sum() + z.square().sum())[None]

    projected = model.project(x.flatten(0, 1)[:9]).detach().requires_grad_()
    assert torch.autograd.gradcheck(loss, (projected,))
    model.zero_grad()
    loss(projected).sum().backward()
    for parameter in list(model.weights) + list(model.biases) + list(model.gains or ()):
        direction = torch.randn_like(parameter)
        with torch.no_grad():
            parameter.add_(direction, alpha=1e-6)
            up = loss(projected)
            parameter.sub_(direction, alpha=2e-6)
            down = loss(projected)
            parameter.add_(direction, alpha=1e-6)
        assert parameter.grad is not None
        assert ((parameter.grad * direction).sum() - (up - down) / 2e-6).abs() < 1e-6 * (1 + parameter.grad.abs().max())


def test_gradients_do_not_explode_through_boundaries() -> None:
    """Without the division by sqrt(width) the gradients are fifty times as large here."""
    torch.manual_seed(10)
    model, x, norms = HMLSTM(16, (128, 128, 128)), torch.randn(100, 4, 16), []
    for slope in (1.0, 1e-3):  # with 1e-3 almost no gradient flows through boundaries
        model.slope = slope
        h, z, _ = model(x)
        assert 0.1 < z.mean() < 0.9
        grads = torch.autograd.grad(h[-1].sum(), list(model.weights))
        norms.append(torch.cat([grad.flatten() for grad in grads]).norm().item())
    assert norms[0] < 2 * norms[1]


def operations(z: Tensor, before: Tensor) -> Tensor:
    """The operation of each layer, (T, B, layers): 0 COPY, 1 UPDATE, 2 FLUSH.

    Args:
        z: (T, B, layers - 1) boundaries.
        before: (B, layers - 1) boundaries before the first step.
    """
    earlier = torch.cat([before[None], z[:-1]])
    own = torch.cat([earlier, torch.zeros_like(earlier[..., :1])], -1)
    below = torch.cat([torch.ones_like(z[..., :1]), z], -1)
    return torch.where(own == 1, 2.0, below)


def test_copy_keeps_states_bit_identical_and_flush_ignores_the_cell_state() -> None:
    model, x, state = double_model(3, True, "step")
    h, z, _ = model(x, state)
    which = operations(z, state.z)
    assert set(which[:, :, 1].unique().tolist()) == {0, 1, 2}
    assert (which[:, :, 0] != 0).all(), "the lowest layer never copies"
    assert (which[:, :, 2] != 2).all(), "the top layer has no detector"
    h_before = torch.cat([state.h[None], h[:-1]])
    for layer, (now, before) in enumerate(zip(h.split(WIDTHS, -1), h_before.split(WIDTHS, -1), strict=True)):
        copied = which[:, :, layer] == 0
        assert torch.equal(now[copied], before[copied])
        assert (now[~copied] != before[~copied]).any(-1).all()
    other = HMState(state.c.clone(), state.h, state.z)
    other.c[:, 4:7] += 1  # another cell state of the middle layer
    flushed = which[0, :, 1] == 2
    changed = model(x[:1], other)[0][0].split(WIDTHS, -1)[1]
    # A product may round differently when it has other rows.
    same = (changed - h[0].split(WIDTHS, -1)[1]).abs().amax(1) < 1e-12
    assert flushed.any()
    assert same[flushed].all()
    assert not same[which[0, :, 1] == 1].any()


def test_packed_sequences_equal_each_sequence_alone() -> None:
    torch.manual_seed(4)
    model = HMLSTM(5, WIDTHS)
    lengths, sizes = [6, 4, 1], [3, 2, 2, 2, 1, 1]
    sequences = [torch.randn(length, 1, 5) for length in lengths]
    packed = torch.cat([sequences[row][t] for t, size in enumerate(sizes) for row in range(size)])
    h, z, *_ = model.scan(model.project(packed), torch.arange(13), sizes)
    for row, sequence in enumerate(sequences):
        alone_h, alone_z, _ = model(sequence)
        places = [sum(sizes[:t]) + row for t in range(len(sequence))]
        torch.testing.assert_close(h[places], alone_h[:, 0], atol=1e-6, rtol=0)
        assert torch.equal(z[places], alone_z[:, 0])


def test_two_calls_with_carried_state_equal_one_call() -> None:
    torch.manual_seed(5)
    model, x = HMLSTM(5, WIDTHS), torch.randn(10, 3, 5)
    h, z, after = model(x)
    first_h, first_z, state = model(x[:4])
    second_h, second_z, last = model(x[4:], state)
    torch.testing.assert_close(torch.cat([first_h, second_h]), h, atol=1e-6, rtol=0)
    assert torch.equal(torch.cat([first_z, second_z]), z)
    torch.testing.assert_close(last.c, after.c, atol=1e-6, rtol=0)


def test_forced_boundaries_reach_the_top_and_give_detectors_no_gradient() -> None:
    torch.manual_seed(6)
    model, x = HMLSTM(5, WIDTHS), torch.randn(4, 2, 5)
    ends = torch.tensor([False] * 6 + [True] * 2)
    h, z, *_ = model.scan(model.project(x.flatten(0, 1)), torch.arange(8), [2] * 4, ends=ends)
    assert (z[-2:] == 1).all()
    assert (h[-2:, -6:] != 0).all()
    everywhere = torch.ones_like(ends)
    h, z, *_ = model.scan(model.project(x.flatten(0, 1)), torch.arange(8), [2] * 4, ends=everywhere)
    z.sum().backward()
    assert all((bias.grad[-1] if len(bias) % 4 else bias.grad.new_zeros(())) == 0 for bias in model.biases)


def test_sampled_boundaries_use_the_threshold_in_eval_mode() -> None:
    torch.manual_seed(7)
    model, x = HMLSTM(5, WIDTHS, boundary="sample"), torch.randn(30, 4, 5)
    drawn = [model(x, generator=torch.Generator().manual_seed(seed))[1] for seed in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    decided = model.eval()(x)[1]
    model.boundary = "step"
    assert torch.equal(model(x)[1], decided)


def test_the_slope_is_saved_with_the_weights() -> None:
    model, other = HMLSTM(5, WIDTHS), HMLSTM(5, WIDTHS)
    model.slope = 2.5
    other.load_state_dict(model.state_dict())
    assert other.slope == 2.5
    with pytest.raises(HsEnvError, match="above 0"):
        model.slope = 0.0


def test_hard_sigmoid_derivative_and_annealed_slope() -> None:
    x = torch.linspace(-2, 2, 401, dtype=torch.double, requires_grad=True)
    value = hard_sigmoid(x, 2.0)
    torch.testing.assert_close(value, ((2 * x + 1) / 2).clamp(0, 1))
    inside = (x.detach().abs() - 0.5).abs() > 1e-9
    slope = torch.autograd.grad(value.sum(), x)[0]
    assert torch.equal(slope[inside], hard_sigmoid_slope(x.detach(), 2.0)[inside])
    assert [annealed_slope(epoch) for epoch in (0, 50, 100, 1000)] == [1, 3, 5, 5]


def test_scalar_gates_weight_the_layers_of_the_output() -> None:
    torch.manual_seed(8)
    output, h = GatedOutput(WIDTHS, 5), torch.randn(2, 3, sum(WIDTHS))
    gates = torch.sigmoid(h @ output.gates.weight.t())
    parts = zip(h.split(WIDTHS, -1), output.embeddings.weight.split(WIDTHS, 1), strict=True)
    expected = sum(
        (gates[..., layer, None] * (part @ weight.t()) for layer, (part, weight) in enumerate(parts)), start=0
    )
    torch.testing.assert_close(output(h), torch.relu(torch.as_tensor(expected)), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"hidden_sizes": (4,)}, "two or more layers"), ({"boundary": "hard"}, "one of step, sample, soft")],
)
def test_impossible_models_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        HMLSTM(5, **{"hidden_sizes": (4, 4)} | arguments)


@pytest.mark.parametrize("layer_norm", [True, False])
@pytest.mark.parametrize("widths", [(4, 3, 6), (5, 4), (3, 4, 5, 2)])
@pytest.mark.parametrize("sizes", [[1] * 20, [20] * 9, [30, 30, 12, 12, 9, 3, 1]])
def test_results_without_gradients_equal_those_with_gradients(
    layer_norm: bool, widths: tuple[int, ...], sizes: list[int]
) -> None:
    torch.manual_seed(9)
    model = HMLSTM(5, widths, layer_norm).double()
    total, first = sum(sizes), sizes[0]
    projected, index = model.project(torch.randn(11, 5, dtype=torch.double)), torch.randint(0, 11, (total,))
    state = HMState(
        *torch.randn(2, first, sum(widths)).double(), torch.randint(0, 2, (first, len(widths) - 1)).double()
    )
    ends = torch.rand(total) < 0.1
    for forced in (None, ends):
        h, z, after, _ = model.scan(projected, index, sizes, state, ends=forced)
        with torch.no_grad():
            quick_h, quick_z, quick_after, _ = model.scan(projected, index, sizes, state, ends=forced)
        assert torch.equal(quick_z, z)
        torch.testing.assert_close(quick_h, h, atol=1e-10, rtol=0)
        torch.testing.assert_close(quick_after.c, after.c, atol=1e-10, rtol=0)
        torch.testing.assert_close(quick_after.h, after.h, atol=1e-10, rtol=0)
        assert torch.equal(quick_after.z, after.z)


def test_without_gradients_only_updates_and_flushes_are_computed() -> None:
    model, x, state = double_model(3, True, "step")
    plan = ScanPlan(model.widths, [7] * 12, "step", model.slope, None, None)
    assert model.gains is not None
    parameters = [part for layer in zip(model.weights, model.biases, model.gains, strict=True) for part in layer]
    with torch.no_grad():
        reader = Reader(plan, layers_of(plan, parameters), (state.c, state.h, state.z))
        _, z = reader.read(model.project(x.flatten(0, 1)), torch.arange(84))
    computed = int((operations(z.view(12, 7, 2), state.z) != 0).sum())
    assert reader.computed == computed < 12 * 7 * 3


def test_boundaries_of_a_sentence_are_independent_of_its_batch() -> None:
    torch.manual_seed(11)
    model = HMLSTMClassifier(30, 3, embedding_size=5, hidden_size=7).eval()
    with torch.no_grad():
        model.words.weight.mul_(8)
    batch = make_batch([7, 1, 4, 9, 2, 9, 3])
    boundaries = model.parse(batch).boundaries
    assert boundaries.shape == (7, 9, 2)
    for row, length in enumerate(batch.lengths.tolist()):
        alone = model.parse(batch.select(torch.tensor([row])).cropped(length)).boundaries
        assert torch.equal(boundaries[row, :length], alone[0])
        assert (boundaries[row, length - 1] == 1).all(), "the last word ends a phrase of every level"
        assert (boundaries[row, length:] == 0).all()
    assert 0 < boundaries[..., 0].sum() < batch.lengths.sum()
    model.anneal(50)
    assert model.levels.slope == 3
