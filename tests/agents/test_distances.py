"""Policies of trees: distances between neighbouring words, and weights of words."""

import pytest
import torch

from hs_env.agents import DistanceNet, PolicyInput, Reinforce, ReinforceParameters, WordWeightNet, rollout
from hs_env.agents.distances import reductions
from hs_env.agents.estimators.base import ExpectedReward
from hs_env.agents.estimators.score import LeaveOneOut, evaluated
from hs_env.corpora import load_corpus
from hs_env.corpora.encoded import EncodedSplit
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.models.tree_lstm import TreeLSTM
from hs_env.problems.composition import COMPOSITION
from hs_env.problems.segmentation import SEGMENTATION
from hs_env.rewards import LogLikelihood, Reward
from hs_env.types import Episodes

CORPUS = load_corpus("listops_short:train=60,dev=5,test=5,longest=14")
VOCABULARY = Vocabulary.from_sentences(CORPUS.splits["train"])
SPLIT = EncodedSplit.from_sentences(CORPUS.splits["train"], VOCABULARY)
DISTANCES = {"policy": "distances", "reader": "bilstm", "observe": False, "reader_size": 8, "hidden_size": 8}
WORD_WEIGHTS = DISTANCES | {"policy": "word_weights", "reader": "words"}


def make_encoder() -> TreeLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TreeLSTM(len(VOCABULARY), 10, 4, 6).eval().requires_grad_(False)


def make_distances(spread: float = 80.0) -> DistanceNet:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        policy = DistanceNet(4, "bilstm", 5, len(VOCABULARY))
    with torch.no_grad():
        policy.output.weight.mul_(spread)
    return policy


def make_word_weights(spread: float = 80.0) -> WordWeightNet:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        policy = WordWeightNet(4, "words", 5, len(VOCABULARY))
    with torch.no_grad():
        policy.output.weight.mul_(spread / 4)
        policy.bias.fill_(0.3)
    return policy


POLICIES = pytest.mark.parametrize("make_policy", [make_distances, make_word_weights])


class Right(Reward):
    """The share of gold actions."""

    def terms(self, episodes: Episodes) -> dict[str, torch.Tensor]:
        sentences = episodes.sentences
        right = (episodes.actions == sentences.gold_actions) & sentences.mask
        return {"right": right.sum(1) / sentences.lengths}


def wanted_by_hand(distances: list[float], bias: float, taken: list[int]) -> list[int]:
    """Return the wanted number of reductions after each word, given the actions taken, by a stack of first words."""
    found, stack = [], []
    for t, action in enumerate(taken):
        stack.append(t)
        wanted = 0
        while wanted < 2 and len(stack) > 1 + wanted and distances[stack[-1 - wanted] - 1] < distances[t] + bias:
            wanted += 1
        found.append(wanted)
        del stack[len(stack) - action :]
    return found


@POLICIES
def test_nodes_that_are_near_are_reduced_first(make_policy):
    encoder, batch, policy = make_encoder(), SPLIT.batch(torch.arange(40)), make_policy(1e5)
    sampled = rollout(encoder, policy.agent(), batch, deterministic=True, record=True)
    trajectories, distances = sampled.trajectories, policy(batch).detach().split(batch.lengths.tolist())
    assert trajectories is not None
    legal = torch.zeros(*batch.tokens.shape, 3, dtype=torch.bool)
    legal[trajectories.row, trajectories.word] = trajectories.legal
    compared = 0
    for row, length in enumerate(batch.lengths.tolist()):
        taken = sampled.episodes.actions[row, :length].tolist()
        for t, wanted in enumerate(wanted_by_hand(distances[row].tolist(), policy.bias.item(), taken)[:-1]):
            if legal[row, t, wanted]:
                assert taken[t] == wanted
                compared += 1
    assert compared > 200


@POLICIES
def test_the_log_probability_of_sampled_trees_is_that_of_the_policy(make_policy):
    encoder, batch, policy = make_encoder(), SPLIT.batch(torch.arange(40)), make_policy()
    sampled = rollout(encoder, policy.agent(), batch, samples=3, record=True)
    again = evaluated(sampled, ExpectedReward(encoder, policy, batch, LogLikelihood(), 3))
    assert sampled.log_probs.abs().max() > 1
    torch.testing.assert_close(again.log_probs, sampled.log_probs)
    torch.testing.assert_close(again.entropy, sampled.entropy)


@POLICIES
def test_the_estimate_is_the_gradient_of_the_expected_reward(make_policy):
    encoder, policy = make_encoder(), make_policy(20.0)
    sentence = SPLIT.batch((SPLIT.lengths <= 6).nonzero()[:1, 0])
    copies = 4000

    def log_prob(actions: torch.Tensor) -> torch.Tensor:
        """Compute the log-probability of trees by the policy itself, action by action."""
        agent, repeated = policy.agent(), sentence.repeat(len(actions))
        memory, total, nodes = agent.begin(repeated), torch.zeros(len(actions)), torch.zeros(len(actions)).long()
        for t in range(actions.shape[1]):
            legal = COMPOSITION.legal(nodes, repeated.lengths - 1 - t)
            head, stack, following = memory[:, :2], memory[:, 2:27], memory[:, 27:]
            topmost = stack.gather(1, (nodes[:, None] - 1).clamp(min=0)).where(nodes[:, None] >= 2, 1e4)
            logits = reductions(following[:, 0] + policy.bias, head[:, 1], topmost[:, 0]).masked_fill(
                ~legal, -torch.inf
            )
            total = total + logits.log_softmax(1).gather(1, actions[:, t : t + 1]).squeeze(1)
            stack = stack.scatter(1, nodes[:, None], head[:, 1:])
            nodes = nodes + 1 - actions[:, t]
            memory = torch.cat([nodes[:, None], following[:, :1], stack, following[:, 1:]], 1)
        return total

    every = COMPOSITION.sequences(int(sentence.lengths))
    chances = log_prob(every).exp()
    assert chances.sum().item() == pytest.approx(1, abs=1e-5)
    rewards = LogLikelihood()(Episodes(sentence.repeat(len(every)), every, encoder(sentence, every))).total
    exact = torch.autograd.grad((chances * rewards).sum(), policy.output.weight)[0]

    torch.manual_seed(0)
    expected = ExpectedReward(encoder, policy, sentence, LogLikelihood(), copies)
    estimate = torch.autograd.grad(LeaveOneOut().estimate(expected).objective, policy.output.weight)[0]
    assert torch.cosine_similarity(estimate.flatten(), exact.flatten(), dim=0).item() > 0.95
    assert (estimate.norm() / exact.norm()).item() == pytest.approx(1, abs=0.2)


@POLICIES
def test_distances_do_not_depend_on_the_batch(make_policy):
    batch, policy = SPLIT.batch(torch.arange(20)), make_policy()
    alone = [policy(SPLIT.batch(torch.tensor([row])))[:-1] for row in range(20)]
    together = policy(batch).split(batch.lengths.tolist())
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one, other[:-1])


@pytest.mark.parametrize(("policy", "rate", "reached"), [(DISTANCES, 0.05, 0.9), (WORD_WEIGHTS, 0.2, 0.86)])
def test_a_policy_of_trees_learns_trees(policy, rate, reached):
    torch.manual_seed(0)
    parameters = ReinforceParameters(**policy, samples=4, learning_rate=rate, estimator="rloo", entropy_bonus=0.0)
    encoder, generator = make_encoder(), torch.Generator().manual_seed(0)
    agent = Reinforce(encoder.state_size, COMPOSITION, parameters, vocabulary_size=len(VOCABULARY))
    batch, reward = SPLIT.batch(torch.arange(32)), Right()

    def score() -> float:
        return reward(rollout(encoder, agent, batch, deterministic=True).episodes).total.mean().item()

    before = score()
    for _ in range(25):
        agent.update(encoder, batch, reward, generator=generator)
    assert before < 0.6
    assert score() > reached


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reader": "none"}, "reader"),
        ({"observe": True}, "observe"),
        ({"hidden_size": 0}, "tanh layer"),
        ({"estimator": "st_gumbel"}, "cannot train the policy 'distances'"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(HsEnvError, match=message):
        ReinforceParameters(**(DISTANCES | changes))


@pytest.mark.parametrize("policy", [DISTANCES, WORD_WEIGHTS])
def test_a_policy_of_trees_needs_trees(policy):
    with pytest.raises(HsEnvError, match="makes trees"):
        Reinforce(4, SEGMENTATION, ReinforceParameters(**policy), vocabulary_size=5)


@pytest.mark.parametrize("policy", [DISTANCES, WORD_WEIGHTS])
def test_a_policy_of_trees_needs_the_vocabulary(policy):
    with pytest.raises(HsEnvError, match="size of the vocabulary"):
        Reinforce(4, COMPOSITION, ReinforceParameters(**policy))
    smaller = Reinforce(4, COMPOSITION, ReinforceParameters(**policy), vocabulary_size=3)
    with pytest.raises(HsEnvError, match="vocabulary of 3 words"):
        smaller.begin(SPLIT.batch(torch.arange(2)))


def test_weights_of_brackets_make_the_gold_trees_of_sentences_of_any_length():
    policy = WordWeightNet(2, "words", 1, len(VOCABULARY))
    with torch.no_grad():
        for index, word in enumerate(VOCABULARY.words):
            policy.reader.words.weight[index] = {"[": -9.0, "]": 9.0}.get(word[0], 0.0)
        policy.reader.output.weight.fill_(1.0)
        policy.output.weight.fill_(10.0)
        policy.bias.fill_(5.0)
    long = load_corpus("listops_long:train=1,dev=0,test=8").splits["test"]
    for sentences in (CORPUS.splits["train"], long):
        batch = EncodedSplit.from_sentences(sentences, VOCABULARY).batch(torch.arange(len(sentences)))
        episodes = rollout(make_encoder(), policy.agent(), batch, deterministic=True).episodes
        assert batch.lengths.max() > 10
        assert torch.equal(episodes.actions[batch.mask], batch.gold_actions[batch.mask])


@POLICIES
def test_a_policy_of_trees_needs_its_memory(make_policy):
    policy = make_policy()
    legal = torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(HsEnvError, match=r"agent\.begin"):
        policy.agent().act(PolicyInput(torch.zeros(2, 9), legal, torch.zeros(2, 0)))
    with pytest.raises(HsEnvError, match="estimators"):
        policy.on(SPLIT.batch(torch.arange(2)))
