"""A P-Net with a reader of its own: independence of rows, all estimators, files, learning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hs_env.agents import (
    AGENTS,
    ESTIMATORS,
    Agent,
    AgentSetting,
    LogitPolicy,
    PNet,
    PolicyInput,
    Reinforce,
    ReinforceParameters,
    load_agent,
    make_baseline,
    rollout,
)
from hs_env.agents.estimators import Exact, ExpectedReward, lab
from hs_env.agents.estimators.lab import measure
from hs_env.agents.reader import Reader
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.models import StructuredEncoder
from hs_env.problems.segmentation import SEGMENTATION
from hs_env.rewards import HSLSTMReward, LogLikelihood, Reward
from hs_env.types import Episodes, SentenceBatch
from tests.builders import make_batch, make_encoder
from tests.ternary import STRESSED, make_stressed_encoder

KINDS = ["words", "lstm", "bilstm"]


def make_pnet(
    state_size: int, kind: str = "bilstm", *, num_actions: int = 2, observe: bool = True, hidden: int = 4
) -> PNet:
    """A policy whose decisions depend on its reader."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        pnet = PNet(state_size, hidden, num_actions, reader=kind, reader_size=5, vocabulary_size=30, observe=observe)
        for weight in pnet.parameters():
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=0.7)
    return pnet


@pytest.mark.parametrize("kind", KINDS)
def test_words_depend_on_their_own_sentence_alone(kind: str) -> None:
    reader, batch = Reader(kind, 30, 5, 4), make_batch([3, 7, 1, 5])
    every = reader(batch).split(batch.lengths.tolist())
    for row, length in enumerate(batch.lengths.tolist()):
        alone = batch.select(torch.tensor([row])).cropped(length)
        torch.testing.assert_close(reader(alone), every[row])
    order = torch.tensor([2, 0, 3, 1])
    padded = torch.cat([batch.tokens, torch.full((4, 3), 9)], 1)  # padding is random
    shuffled = SentenceBatch(padded, batch.lengths, batch.labels, batch.indices).select(order)
    torch.testing.assert_close(reader(shuffled), torch.cat([every[row] for row in order.tolist()]))


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_bilstm_knows_the_words_to_come(kind: str) -> None:
    reader, batch = Reader(kind, 30, 5, 4), make_batch([6])
    changed = replace(batch, tokens=batch.tokens.clone())
    changed.tokens[0, 3] = 2 if batch.tokens[0, 3] != 2 else 3
    before, after = reader(batch), reader(changed)
    assert torch.equal(before[:3], after[:3]) == (kind != "bilstm")
    assert not torch.allclose(before[3], after[3])
    assert torch.equal(before[4:], after[4:]) == (kind == "words")


@pytest.mark.parametrize("observe", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_on_a_batch_and_its_agent_decide_alike(kind: str, observe: bool) -> None:
    """`on` serves the estimators, `begin` and `act` everything else."""
    encoder, batch = make_encoder(), make_batch([3, 7, 1, 5])
    pnet = make_pnet(encoder.state_size, kind, observe=observe)
    with torch.no_grad():
        sampled = rollout(encoder, LogitPolicy(pnet), batch, samples=3, record=True)
        logits, state = pnet.on(batch), encoder.start(batch, 3)
        for t, actions in enumerate(sampled.episodes.actions.unbind(1)):
            column = logits(encoder.observe(state), state.index_at(state.position))
            wanted = torch.nn.functional.logsigmoid(torch.where(actions == 1, column, -column))
            free = encoder.legal(state).all(1) & state.reading
            torch.testing.assert_close(sampled.log_probs[:, t], torch.where(free, wanted, 0.0))
            state = encoder.advance(state, actions)
    assert sampled.log_probs.unique().numel() > 10


CASES = [
    (name, ternary, hidden)
    for name in sorted(set(ESTIMATORS))
    for ternary in (False, True)
    for hidden in (0, 4)
    if not (ternary and ESTIMATORS.get(name).binary)
]


@pytest.mark.parametrize(("name", "ternary", "hidden"), CASES)
def test_every_estimator_trains_a_reader(name: str, ternary: bool, hidden: int) -> None:
    """An unbiased one has the exact gradient on average; the others reach all weights of the reader."""
    kind = ESTIMATORS.get(name)
    encoder = make_stressed_encoder() if ternary else make_encoder()
    pnet = make_pnet(encoder.state_size, num_actions=3 if ternary else 2, hidden=hidden)
    reward = LogLikelihood() if ternary else HSLSTMReward(gamma=1.0)
    expected = ExpectedReward(encoder, pnet, make_batch([2, 4]), reward, 2)
    weights = list(pnet.parameters())
    estimator = kind(encoder.state_size)
    if not kind.unbiased or hidden or name == "exact.v1":
        assert pnet.reader is not None
        objective = estimator.estimate(expected, torch.Generator().manual_seed(0)).objective
        objective.backward()
        assert all(weight.grad is not None and weight.grad.any() for weight in pnet.reader.parameters())
        return
    measured = measure(estimator, expected, weights, 20, warm_up=2, copies=60)
    error = measured.error.clamp(min=1e-7)
    assert ((measured.mean - measured.exact) / error).abs().max() < 6
    assert measured.bias < 0.2 or measured.bias < 2 * measured.bias_error


def test_the_exact_gradient_is_that_of_finite_differences() -> None:
    encoder = make_encoder()
    pnet = make_pnet(encoder.state_size)
    expected = ExpectedReward(encoder, pnet, make_batch([3, 5]), HSLSTMReward(gamma=1.0), 2)
    assert pnet.reader is not None
    weight = pnet.reader.output.weight
    exact = lab.gradient(Exact(), expected, [weight], torch.Generator())[0]
    assert exact.abs().max() > 1e-3
    for place in range(0, weight.numel(), 7):
        values = []
        for change in (1e-2, -2e-2):
            weight.data.view(-1)[place] += change
            values.append(Exact().estimate(expected).objective.item())
        weight.data.view(-1)[place] += 1e-2
        assert (values[0] - values[1]) / 2e-2 == pytest.approx(exact[place].item(), abs=3e-4)


@pytest.mark.parametrize("ternary", [False, True])
def test_a_policy_that_observes_nothing_chooses_alike_without_the_encoder(
    ternary: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It chooses the same actions, and the encoder is never asked for an observation."""
    encoder = make_stressed_encoder() if ternary else make_encoder()
    batch, generator = make_batch([3, 7, 1, 5]), torch.Generator().manual_seed(0)
    blind = LogitPolicy(make_pnet(encoder.state_size, num_actions=3 if ternary else 2, observe=False))
    rule = make_baseline("random" if ternary else "every_k", Vocabulary(["a"]), encoder.problem)
    assert (blind.observes, rule.observes) == (False, False)
    with torch.no_grad():
        for agent in (blind, rule):
            actions, log_probs = single_steps(encoder, batch, agent, generator)
            monkeypatch.setattr(type(encoder), "observe", None)
            episodes = rollout(encoder, agent, batch, samples=3, generator=generator.manual_seed(0)).episodes
            monkeypatch.undo()
            assert torch.equal(episodes.actions, actions)
            torch.testing.assert_close(episodes.log_probs, log_probs, atol=1e-5, rtol=1e-4)


def single_steps(
    encoder: StructuredEncoder, batch: SentenceBatch, agent: Agent, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Actions and class log-probabilities of a rollout that asks the encoder at every word."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(agent), "observes", True)
        episodes = rollout(encoder, agent, batch, samples=3, generator=generator.manual_seed(0)).episodes
    return episodes.actions, episodes.log_probs


class NextIsOdd(Reward):
    """1 if each action is the parity of the *next* word's id, which no observation holds."""

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        tokens, last = episodes.sentences.tokens, episodes.sentences.lengths - 1
        right = episodes.actions[:, :-1] == tokens[:, 1:] % 2
        free = torch.arange(right.shape[1]) < last[:, None]
        return {"right": (right & free).sum(1) / last}


def test_a_reader_learns_what_the_encoder_does_not_show() -> None:
    torch.manual_seed(0)
    parameters = ReinforceParameters(
        estimator="ppo",
        updates=4,
        samples=2,
        learning_rate=0.02,
        hidden_size=0,
        reader="bilstm",
        reader_size=16,
        observe=False,
    )
    encoder = make_encoder()
    agent = Reinforce(encoder.state_size, SEGMENTATION, parameters, vocabulary_size=30)
    for seed in range(60):
        batch = make_batch([6, 7, 5, 8] * 16, seed=seed)
        agent.update(encoder, batch, NextIsOdd(), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        greedy = rollout(encoder, agent, make_batch([6, 7, 5, 8] * 16, seed=9999), deterministic=True)
    assert NextIsOdd()(greedy.episodes).total.mean().item() > 0.95


@pytest.mark.parametrize("observe", [True, False])
def test_saving_and_loading(observe: bool, tmp_path: Path) -> None:
    encoder, batch = make_stressed_encoder(), make_batch([4, 6, 3])
    parameters = ReinforceParameters(samples=2, hidden_size=5, reader="lstm", reader_size=3, observe=observe)
    reinforce = AGENTS.get("reinforce")
    warm_start = make_baseline("random", Vocabulary(["a"]), STRESSED)
    agent = reinforce.make(AgentSetting(encoder, batch, LogLikelihood(), warm_start, "random"), parameters)
    agent.update(encoder, batch, LogLikelihood(), generator=torch.Generator().manual_seed(0))
    agent.save(tmp_path / "agent.safetensors")
    loaded = load_agent(tmp_path / "agent.safetensors")
    one, two = (
        rollout(encoder, each, batch, samples=3, generator=torch.Generator().manual_seed(1)) for each in (agent, loaded)
    )
    assert torch.equal(one.episodes.actions, two.episodes.actions)
    assert torch.equal(one.log_probs, two.log_probs)


def test_errors_teach() -> None:
    encoder, batch = make_encoder(), make_batch([4, 6])
    pnet = make_pnet(encoder.state_size)
    legal = torch.ones(2, 2, dtype=torch.bool)
    with pytest.raises(HsEnvError, match=r"Get the memory of the first word from `agent.begin\(batch\)`"):
        LogitPolicy(pnet).act(PolicyInput(torch.zeros(2, encoder.state_size), legal, torch.zeros(2, 0)))
    with pytest.raises(HsEnvError, match="reads a vocabulary of 30 words, but the batch has the token id 44"):
        LogitPolicy(pnet).begin(replace(batch, tokens=batch.tokens * 0 + 44))
    with pytest.raises(HsEnvError, match="needs the size of the vocabulary"):
        Reinforce(4, SEGMENTATION, ReinforceParameters(reader="lstm"))
    with pytest.raises(HsEnvError, match="needs a reader"):
        ReinforceParameters(observe=False)
