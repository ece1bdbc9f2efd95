"""The structures that need no learning."""

from __future__ import annotations

import pytest
import torch

from hs_env.agents import BASELINES, Decision, Heuristic, PolicyInput, baselines_for, make_baseline, rollout
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.models import HSLSTM, IDLSTM, ChunkLSTM, PhraseModuleNetwork, SkimLSTM, TreeLSTM
from hs_env.problems.chunking import CHUNKING
from hs_env.problems.composition import COMPOSITION
from hs_env.problems.distillation import DISTILLATION
from hs_env.problems.modules import MODULES
from hs_env.problems.segmentation import SEGMENTATION, PhraseSegmentation
from hs_env.problems.skimming import SKIMMING
from hs_env.types import SentenceBatch
from tests.builders import make_batch, make_encoder

KINDS = (HSLSTM, IDLSTM, TreeLSTM, PhraseModuleNetwork, ChunkLSTM)
GOLD_PHRASES = ("gold", "gold_phrases", "random_modules")
WORDS = "the movie is not very good , but i liked the cast .".split()


def taken(
    name: str, kind: type[HSLSTM | IDLSTM | TreeLSTM], sentence: list[str] = WORDS, **parameters: object
) -> list[int]:
    """The actions of a baseline on one sentence."""
    vocabulary = Vocabulary(sorted(set(sentence)))
    tokens = torch.tensor([vocabulary.encode(sentence)])
    batch = SentenceBatch(tokens, torch.tensor([len(sentence)]), torch.tensor([0]), torch.tensor([0]))
    agent = make_baseline(name, vocabulary, kind.problem, **parameters)
    return rollout(make_encoder(kind), agent, batch, deterministic=True).episodes.actions[0].tolist()


def phrases(actions: list[int]) -> str:
    return " ".join(word + (" |" if end else "") for word, end in zip(WORDS, actions, strict=True))


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("all_inside", {}, "the movie is not very good , but i liked the cast . |"),
        ("all_end", {}, " | ".join(WORDS) + " |"),
        ("every_k", {"k": 5}, "the movie is not very | good , but i liked | the cast . |"),
        ("every_k", {}, "the movie is not | very good , but | i liked the cast | . |"),  # int(sqrt(13) + 0.5) = 4
        ("punctuation", {}, "the movie is not very good , | but i liked the cast . |"),
        ("function_words", {}, "the movie | is not very good , | but i liked | the cast . |"),
    ],
)
def test_plans(name, parameters, expected):
    assert phrases(taken(name, HSLSTM, **parameters)) == expected


def test_a_chunk_ends_at_each_space():
    assert taken("spaces", ChunkLSTM, list("a bc d")) == [1, 1, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("name", "sentence", "expected"),
    [
        ("all_retain", "the movie is not very good .", "the movie is not very good ."),
        ("content_words", "the movie is not very good , and I never liked it .", "movie not very good never liked"),
        ("content_words", "It is n't for us", "n't"),
        ("content_words", "it is what it is", "is"),  # the last word, for something must be retained
        ("no_punctuation", "dull , slow ( and long )", "dull slow and long"),
        ("no_punctuation", "! ?", "?"),
    ],
)
def test_what_is_retained(name, sentence, expected):
    words = sentence.split()
    assert " ".join(word for word, kept in zip(words, taken(name, IDLSTM, words), strict=True) if kept) == expected


@pytest.mark.parametrize(
    ("name", "sentence", "expected"),
    [
        ("left_branching", "a b c d", "(((a b) c) d)"),
        ("left_branching", "a", "a"),
        ("balanced", "a b c d", "((a b) (c d))"),
        ("balanced", "a b c d e f", "(((a b) (c d)) (e f))"),
        ("balanced", "a b c d e f g h", "(((a b) (c d)) (((e f) g) h))"),
    ],
)
def test_trees(name, sentence, expected):
    words = sentence.split()
    assert COMPOSITION.describe(words, taken(name, TreeLSTM, words))["tree"] == expected


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (name, kind)
        for kind in (HSLSTM, IDLSTM, TreeLSTM, PhraseModuleNetwork, SkimLSTM, ChunkLSTM)
        for name in baselines_for(kind.problem)
    ],
)
def test_every_baseline_reads_any_batch(name, kind):
    encoder, batch = make_encoder(kind), make_batch([5, 1, 8])
    agent = make_baseline(name, Vocabulary([f"w{number}" for number in range(28)]), kind.problem)
    sampled = rollout(encoder, agent, batch, samples=2, generator=torch.Generator().manual_seed(0))
    actions, sentences = sampled.episodes.actions, sampled.episodes.sentences
    assert not (actions * ~sentences.mask).any()
    assert (actions.any(1) | (sentences.lengths == 1)).all() or name == "read_all.v1"
    assert (sampled.log_probs <= 0).all()


@pytest.mark.parametrize(
    ("name", "read"),
    [("read_all", "a b c d e f g h i"), ("first_half", "a b c d e"), ("skip_always", "a e i")],
)
def test_words_that_skimming_reads(name, read):
    words = "a b c d e f g h i".split()
    assert SKIMMING.describe(words, taken(name, SkimLSTM, words))["read"] == read.split()


@pytest.mark.parametrize("plan", [torch.ones(2, 9), torch.ones(3, 2, dtype=torch.int64), [1, 1]])
def test_a_plan_is_a_tensor_of_actions(plan):
    class Planned(Heuristic):
        def plan(self, batch):
            return plan

    with pytest.raises(HsEnvError, match=r"The plan of the baseline Planned must be .* torch\.int64 \(2, 5\); got"):
        Planned(Vocabulary(["a"])).begin(make_batch([5, 1]))


def test_each_problem_has_its_baselines():
    assert baselines_for(DISTILLATION) == ["all_retain.v1", "content_words.v1", "no_punctuation.v1", "random.v1"]
    assert baselines_for(COMPOSITION) == ["balanced.v1", "gold.v1", "left_branching.v1", "random.v1"]
    own = {"gold_phrases.v1", "random_modules.v1"}
    assert {*baselines_for(MODULES)} == {*baselines_for(SEGMENTATION)} | own
    assert {*baselines_for(MODULES, gold=False)} == {*baselines_for(SEGMENTATION)} - {"gold.v1"}
    assert baselines_for(SKIMMING) == ["first_half.v1", "random.v1", "read_all.v1", "skip_always.v1"]
    assert baselines_for(CHUNKING) == ["all_end.v1", "all_inside.v1", "every_k.v1", "random.v1", "spaces.v1"]
    problems = (SEGMENTATION, DISTILLATION, COMPOSITION, MODULES, SKIMMING, CHUNKING)
    assert {name for each in problems for name in baselines_for(each)} == {*BASELINES}
    with pytest.raises(HsEnvError, match=r"'all_end' is for phrase segmentation.*: all_retain, content_words"):
        make_baseline("all_end", Vocabulary(["a"]), DISTILLATION)
    with pytest.raises(HsEnvError, match=r"'all_retain' is for information distillation.*: all_end"):
        make_baseline("all_retain", Vocabulary(["a"]), SEGMENTATION)
    for name, parameters, message in (
        ("every_k", {"kk": 2}, "Unknown parameter of the baseline 'every_k' 'kk'. Did you mean 'k'"),
        ("every_k", {"k": 2.5}, "a whole number of words"),
        ("random", {"p": "x"}, "between 0 and 1, got 'x'"),
    ):
        with pytest.raises(HsEnvError, match=message):
            make_baseline(name, Vocabulary(["a"]), SEGMENTATION, **parameters)


def test_modules_of_gold_phrases():
    batch = make_batch([5, 2, 9, 30, 30, 30])
    batch.gold_actions.mul_(3)
    gold, one, random = (make_baseline(name, Vocabulary(["a"]), MODULES) for name in GOLD_PHRASES)
    assert torch.equal(gold.plan(batch), batch.gold_actions)
    assert torch.equal(one.plan(batch), (batch.gold_actions > 0).long())
    modules = random.plan(batch)
    assert torch.equal(modules > 0, batch.gold_actions > 0)
    assert set(modules.unique().tolist()) == {0, 1, 2, 3, 4}
    assert torch.equal(random.plan(batch.select(torch.tensor([3]))), modules[3:4])


def test_random_modules_depend_on_all_words_so_far():
    words = torch.arange(2, 12)
    last, zeros = torch.full_like(words, 5), torch.zeros_like(words)

    def modules(*columns):
        tokens = torch.stack(columns, 1)
        batch = SentenceBatch(tokens, zeros + len(columns), zeros, zeros, torch.ones_like(tokens))
        return make_baseline("random_modules", Vocabulary(["a"]), MODULES).plan(batch)

    after_other_words, before_other_words = modules(words, last), modules(last, last, words)
    assert len(after_other_words[:, 1].unique()) > 1
    assert len(before_other_words[:, :2].unique(dim=0)) == 1


def test_gold_needs_gold_phrases():
    batch = make_batch([3])
    bare = SentenceBatch(batch.tokens, batch.lengths, batch.labels, batch.indices)
    gold = make_baseline("gold", Vocabulary(["a"]), SEGMENTATION)
    assert torch.equal(gold.begin(batch), batch.gold_actions)
    with pytest.raises(HsEnvError, match="needs gold actions"):
        gold.begin(bare)


def test_random_draws_with_its_probability():
    encoder, batch = make_encoder(), make_batch([9] * 50)
    agent = make_baseline("random", Vocabulary(["a"]), SEGMENTATION, p=0.3)
    sampled = rollout(encoder, agent, batch, samples=20, deterministic=True, generator=torch.Generator().manual_seed(0))
    assert sampled.episodes.actions[:, :-1].float().mean().item() == pytest.approx(0.3, abs=0.015)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("every_k", {"k": 0}, r"a whole number of words from 1, got k = 0\."),
        ("random", {"p": 1.5}, r"must be between 0 and 1, got 1\.5\."),
    ],
)
def test_bad_parameters(name, parameters, message):
    with pytest.raises(HsEnvError, match=message):
        make_baseline(name, Vocabulary(["a"]), SEGMENTATION, **parameters)


class _Stubborn(Heuristic):
    """Decides the same for every word, legal or not."""

    problems = (PhraseSegmentation,)

    def __init__(self, actions):
        self.actions = actions

    def plan(self, batch):
        return torch.zeros_like(batch.tokens)

    def act(self, inputs: PolicyInput) -> Decision:
        zeros = inputs.observation.new_zeros(len(inputs.legal))
        return Decision(self.actions(len(inputs.legal)), zeros, zeros, inputs.memory)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (lambda rows: torch.zeros(rows, dtype=torch.int64), "`legal` does not allow"),
        (lambda rows: torch.full((rows,), 2), "`legal` does not allow"),
        (lambda rows: torch.full((rows,), 0.7), "whole numbers"),
        (lambda rows: torch.ones(1, dtype=torch.int64), "whole numbers"),
    ],
    ids=["not legal", "no action", "a fraction", "too few"],
)
def test_what_an_agent_may_not_do_is_refused(actions, message):
    with pytest.raises(HsEnvError, match=message):
        rollout(make_encoder(), _Stubborn(actions), make_batch([3, 2]))
