"""Algorithms of Stable-Baselines3 as agents: what they decide, how they learn, what is saved."""

from __future__ import annotations

import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

import hs_env
from hs_env.agents import (
    AGENTS,
    ALGORITHMS,
    PolicyInput,
    Reinforce,
    SB3Agent,
    SB3Learner,
    SB3Parameters,
    load_agent,
    make_baseline,
    rollout,
)
from hs_env.agents.sb3 import sb3_algorithm, sb3_defaults
from hs_env.envs.resources import NamedResources
from hs_env.errors import HsEnvError
from hs_env.interop.sb3 import SB3VecEnv
from hs_env.models import HSLSTM
from hs_env.models.saved import LOADING_ERRORS
from hs_env.problems.segmentation import SEGMENTATION
from hs_env.rewards import HSLSTMReward
from tests.builders import make_batch, make_encoder

gymnasium.register_envs(hs_env)

BATCH = make_batch([5, 1, 8, 3])
SMALL: dict[str, dict[str, Any]] = {
    "dqn": {"buffer_size": 512, "batch_size": 16},
    "a2c": {"n_steps": 16},
    **{each: {"n_steps": 16, "batch_size": 32, "n_epochs": 1} for each in ("ppo", "maskable_ppo", "recurrent_ppo")},
}


def make_learner(name: str, **more: Any) -> SB3Learner:
    parameters = SB3Parameters(slots=4, steps=32, samples=2, arguments=SMALL[name], **more)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SB3Learner(name, make_encoder(), BATCH, HSLSTMReward(), parameters)


def update(learner: SB3Learner, seed: int) -> dict[str, float]:
    generator = torch.Generator().manual_seed(seed)
    return learner.update(make_encoder(), BATCH, HSLSTMReward(), generator=generator).metrics


def assert_same_policy(one: SB3Agent, two: SB3Agent) -> None:
    mine, its = one.policy.state_dict(), two.policy.state_dict()
    assert mine.keys() == its.keys()
    for name in mine:
        assert torch.equal(mine[name], its[name]), name


@pytest.fixture(params=ALGORITHMS)
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def test_the_cost_of_an_update_does_not_grow_with_the_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    learner, encoder, computed, tables_of = make_learner("ppo"), make_encoder(), list[int](), HSLSTM.tables_of

    def counted(self: HSLSTM, vectors: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, ...]:
        computed.append(len(tokens))
        return tables_of(self, vectors, tokens)

    monkeypatch.setattr(HSLSTM, "tables_of", counted)
    learner.update(encoder, BATCH, HSLSTMReward(), generator=torch.Generator().manual_seed(0))
    words = len(BATCH.tokens.unique())
    assert words + 1 < encoder.words.vocabulary_size
    assert max(computed[:1]) <= words + 1  # that of padding
    assert max(computed) <= len(BATCH.tokens.flatten()) + 1


def test_decisions_keep_to_the_protocol(name: str) -> None:
    learner, encoder = make_learner(name), make_encoder()
    learner.exploration = 0.2  # only DQN looks at it
    generator = torch.Generator().manual_seed(0)
    sampled = rollout(encoder, learner, BATCH, samples=50, generator=generator)
    actions, log_probs = sampled.episodes.actions, sampled.log_probs
    mask = sampled.episodes.sentences.mask
    forced = torch.zeros_like(mask).scatter(1, sampled.episodes.sentences.lengths[:, None] - 1, True)
    assert not log_probs[forced].any()
    assert not sampled.entropy[forced].any()
    assert (log_probs[mask & ~forced] < 0).all()
    assert (sampled.entropy[mask & ~forced] > 0).all()
    share = actions[mask & ~forced].float().mean()
    expected = torch.where(actions == 1, log_probs.exp(), 1 - log_probs.exp())[mask & ~forced].mean()
    assert share.item() == pytest.approx(expected.item(), abs=0.05)  # actions come as often as their probabilities say
    greedy = [rollout(encoder, learner, BATCH, deterministic=True).episodes.actions for _ in range(2)]
    assert torch.equal(*greedy)


def test_decisions_are_those_of_stable_baselines(name: str) -> None:
    """Greedy episodes equal those that the algorithm's own `predict` takes in the environment, word by word."""
    learner, encoder = make_learner(name), make_encoder().requires_grad_(False)
    update(learner, 0)
    planned = rollout(encoder, learner, BATCH, deterministic=True).episodes.actions
    for row, length in enumerate(BATCH.lengths.tolist()):
        state, memory = encoder.start(BATCH.select(torch.tensor([row]))), None
        for position in range(length):
            observation, legal = encoder.observe(state).numpy(), encoder.legal(state)
            masks = {"action_masks": legal.numpy()} if name == "maskable_ppo" else {}
            starts = {"episode_start": np.array([position == 0])} if name == "recurrent_ppo" else {}
            action, memory = learner.model.predict(observation, memory, deterministic=True, **masks, **starts)
            if legal.all():
                assert action[0] == planned[row, position]
            state = encoder.advance(state, planned[row, position, None])


def test_rows_are_independent(name: str) -> None:
    learner, encoder = make_learner(name), make_encoder()
    together = rollout(encoder, learner, BATCH, deterministic=True)
    for row, length in enumerate(BATCH.lengths.tolist()):
        alone = rollout(encoder, learner, BATCH.select(torch.tensor([row])).cropped(length), deterministic=True)
        assert torch.equal(alone.episodes.actions[0], together.episodes.actions[row, :length])
        torch.testing.assert_close(alone.log_probs[0], together.log_probs[row, :length], atol=1e-5, rtol=0)


def test_updates_repeat_and_leave_global_generators_alone(name: str) -> None:
    one, two = make_learner(name), make_learner(name)
    before = one.policy.state_dict()["mlp_extractor.policy_net.0.weight"].clone() if name != "dqn" else None
    states = torch.get_rng_state(), np.random.get_state()[1], random.getstate()  # noqa: NPY002
    metrics = [update(one, seed) for seed in (1, 2)]
    assert torch.equal(states[0], torch.get_rng_state())
    np.testing.assert_array_equal(states[1], np.random.get_state()[1])  # noqa: NPY002
    assert states[2] == random.getstate()
    np.random.seed(5)  # noqa: NPY002
    assert [update(two, seed) for seed in (1, 2)] == metrics
    assert_same_policy(one, two)
    assert before is None or not torch.equal(before, one.policy.state_dict()["mlp_extractor.policy_net.0.weight"])
    update(two, 3)
    with pytest.raises(AssertionError):
        assert_same_policy(one, two)


def test_going_on_from_a_state_equals_never_stopping(name: str) -> None:
    steady, stopped, resumed = make_learner(name), make_learner(name), make_learner(name)
    for seed in (1, 2, 3):
        update(steady, seed)
    update(stopped, 1)
    resumed.load_state_dict(stopped.state_dict())
    assert getattr(resumed.model, "exploration_rate", 0) == getattr(stopped.model, "exploration_rate", 0)
    update(resumed, 2)
    update(resumed, 3)
    assert_same_policy(steady, resumed)


def test_a_damaged_state_is_refused_when_it_is_loaded(name: str) -> None:
    learner, resumed = make_learner(name), make_learner(name)
    update(learner, 1)

    def damaged(*path: Any, value: Any) -> dict[str, Any]:
        state = deepcopy(learner.state_dict())
        place = state
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        return state

    optimizer = ("parameters", "policy.optimizer")
    first = next(iter(learner.policy.optimizer.state_dict()["state"]))
    moment = "square_avg" if name == "a2c" else "exp_avg"
    states = [
        damaged("parameters", value="other.zip"),
        damaged(*optimizer, "state", first, moment, value=torch.zeros(1, 2, 3)),
        damaged(*optimizer, "state", first, "step", value="x"),
        damaged(*optimizer, "state", first, value={"step": 1}),
        damaged(*optimizer, "param_groups", 0, "lr", value=float("nan")),
        damaged("counters", "num_timesteps", value=-1),
        damaged("counters", "_n_updates", value=[]),
        damaged("exploration", value=2.0),
    ]
    if name == "dqn":
        arrays = learner.state_dict()["replay_buffer"]["arrays"]
        buffer = "replay_buffer"
        states += [damaged(buffer, "pos", value=10**9), damaged(buffer, "full", value="x")]
        states += [damaged(buffer, "arrays", "rewards", value=each) for each in (arrays["rewards"][:1], torch.zeros(0))]
        states += [damaged(buffer, "arrays", "actions", value=arrays["actions"].float())]
    for state in states:
        with pytest.raises(LOADING_ERRORS):
            resumed.load_state_dict(state)
    resumed.load_state_dict({**damaged("exploration", value=0.0), "more": 1})


@pytest.mark.filterwarnings("ignore:`n_steps=20` is ignored")  # when Stable-Baselines3 loads what it has saved itself
def test_saved_and_loaded(name: str, tmp_path: Path) -> None:
    learner = make_learner(name, zip=True)
    update(learner, 1)
    learner.save(tmp_path / "agent.safetensors")
    loaded = load_agent(tmp_path / "agent.safetensors")
    assert isinstance(loaded, SB3Agent)
    assert_same_policy(learner, loaded)
    mine, its = (
        rollout(make_encoder(), agent, BATCH, samples=3, generator=torch.Generator().manual_seed(1))
        for agent in (learner, loaded)
    )
    assert torch.equal(mine.episodes.actions, its.episodes.actions)
    assert torch.equal(mine.log_probs, its.log_probs)
    again = sb3_algorithm(name).load(tmp_path / "agent.zip")
    assert_same_policy(learner, SB3Agent(again.policy))


def test_no_zip_unless_asked_for(tmp_path: Path) -> None:
    make_learner("ppo").save(tmp_path / "agent.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["agent.safetensors"]


def test_every_algorithm_is_a_learner_with_defaults() -> None:
    assert set(sb3_defaults()) == set(ALGORITHMS)
    assert {f"{name}.v1" for name in ALGORITHMS} | {"reinforce.v1", "fixed.v1"} == set(AGENTS)
    assert all(defaults["gamma"] == 1 for defaults in sb3_defaults().values())


def test_bad_parameters_are_named() -> None:
    parameters = SB3Parameters(arguments={"learning_rte": 1e-3})
    with pytest.raises(HsEnvError, match=r"ppo does not take the parameters .*learning_rte"):
        SB3Learner("ppo", make_encoder(), BATCH, HSLSTMReward(), parameters)
    with pytest.raises(HsEnvError, match="slots must be a whole number"):
        SB3Parameters(slots=0)


def test_shaping_reaches_the_environment_and_refuses_a_discount() -> None:
    learner = make_learner("ppo", shaping=True)
    update(learner, 0)
    before = ~learner.model.rollout_buffer.episode_starts[1:].astype(bool)  # steps after which the episode goes on
    assert (learner.model.rollout_buffer.rewards[:-1][before] != 0).any()
    plain = make_learner("ppo")
    update(plain, 0)
    before = ~plain.model.rollout_buffer.episode_starts[1:].astype(bool)
    assert (plain.model.rollout_buffer.rewards[:-1][before] == 0).all()
    with pytest.raises(HsEnvError, match=r"only if gamma is 1, got 0\.9"):
        SB3Learner("ppo", make_encoder(), BATCH, HSLSTMReward(), SB3Parameters(shaping=True, arguments={"gamma": 0.9}))


def test_steps_that_do_not_fit_are_refused() -> None:
    for name, unit in (("ppo", "n_steps"), ("dqn", "train_freq")):
        for steps, asked in ((20, 16), (16, 32), (16, 0), (16, 0.5)):
            parameters = SB3Parameters(steps=steps, arguments={unit: asked})
            with pytest.raises(HsEnvError, match=f"steps must be a multiple of {unit}"):
                SB3Learner(name, make_encoder(), BATCH, HSLSTMReward(), parameters)
    learner = SB3Learner("ppo", make_encoder(), BATCH, HSLSTMReward(), SB3Parameters(slots=2, steps=16))
    update(learner, 1)
    assert learner.model.num_timesteps == 2 * 16


def test_returns_of_dqn_end_where_reading_was_broken_off() -> None:
    learner = make_learner("dqn")
    for seed in range(3):
        update(learner, seed)
    buffer = learner.model.replay_buffer
    ends = np.arange(31, buffer.pos, 32)
    assert buffer.dones[ends].all()
    assert buffer.timeouts[ends].any()
    for end in ends:
        for slot in np.flatnonzero(buffer.timeouts[end]):
            assert buffer._get_samples(np.full(200, end)).rewards.abs().max() <= np.abs(buffer.rewards[end]).max()
            assert buffer.rewards[end, slot] == 0


def test_divergence_is_named() -> None:
    learner = make_learner("ppo")
    learner.model.lr_schedule = lambda _: 1e30
    with pytest.raises(HsEnvError, match="ppo cannot learn with the parameters"):
        list(map(update, [learner] * 5, range(5)))


def test_an_agent_of_another_width_is_refused() -> None:
    learner = make_learner("ppo")
    for agent in (learner, Reinforce(learner.state_size, SEGMENTATION)):
        with pytest.raises(HsEnvError, match=f"made for states of width {learner.state_size}"):
            agent.act(PolicyInput(torch.zeros(1, 7), torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, 0)))


def test_a_policy_of_another_kind_is_refused() -> None:
    with pytest.raises(HsEnvError, match="Linear has neither an actor nor action values"):
        SB3Agent(torch.nn.Linear(1, 1))  # type: ignore[arg-type]


@pytest.mark.slow
def test_ppo_learns_on_the_native_vector_environment() -> None:
    """60,000 steps on `phrases` go at least two thirds of the way from random to gold phrases."""
    envs = gymnasium.make_vec("hs_env/PhraseSegmentation-v0", num_envs=64, autoreset_mode="SameStep")
    resources = envs.unwrapped._resources  # type: ignore[attr-defined]
    assert isinstance(resources, NamedResources)
    batch = resources.encoded.batch(torch.arange(300))

    def earned(agent: Any) -> float:
        generator = torch.Generator().manual_seed(0)
        episodes = rollout(resources.encoder, agent, batch, deterministic=True, generator=generator).episodes
        return resources.reward(episodes).total.mean().item()

    random, gold = (
        earned(make_baseline(each, resources.classifier.vocabulary, SEGMENTATION)) for each in ("random", "gold")
    )
    model = sb3_algorithm("ppo")(env=SB3VecEnv(envs), device="cpu", seed=0, **sb3_defaults()["ppo"])  # type: ignore[call-arg]
    model.learn(60_000)
    assert earned(SB3Agent(model.policy)) > random + (gold - random) * 2 / 3


def test_a_policy_of_other_observations_is_refused() -> None:
    wrapper = gymnasium.wrappers.NormalizeObservation
    envs = gymnasium.make_vec(
        "hs_env/PhraseSegmentation-v0",
        2,
        vectorization_mode="sync",
        wrappers=[wrapper],
        vector_kwargs={"autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP},
    )
    model = sb3_algorithm("ppo")("MlpPolicy", SB3VecEnv(envs), n_steps=4, device="cpu")
    for given in (model, model.policy):
        with pytest.raises(HsEnvError, match=r"The policy observes .*-inf, inf.*Train it without wrappers"):
            SB3Agent(given)
