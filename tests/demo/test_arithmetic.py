"""The script of the page computes what Python computes, in a real browser."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from math import exp
from typing import Any

import pytest
import torch

from hs_env.agents import best_actions, make_baseline, rollout
from hs_env.corpora import tokenise
from hs_env.demo.source import Source, load_source
from hs_env.models import HMLSTMClassifier
from hs_env.rewards import make_reward
from hs_env.types import Sentence
from tests.demo.builders import hm_source, with_few_sentences
from tests.demo.sentences import NASTY

TOLERANCE = 1e-5
READ = """([number, texts, rules]) => texts.map((text) => {
  const run = hsEnv.runs()[number], tokens = run.tokenise(text);
  if (!tokens.length) return { tokens };
  const reading = run.open(tokens);
  if (!run.reward) return { tokens, ...(run.classifier.parse?.(reading) ?? { logProbs: run.read(reading) }) };
  const under = (actions) => {
    const logProbs = run.read(reading, actions);
    return { actions, logProbs, terms: [0, 1].map((label) => run.terms(actions, logProbs, label)) };
  };
  const ruled = rules.map((name) => [name, under(run.rule(name, reading))]);
  return { tokens, learned: under(run.learned(reading)), ...Object.fromEntries(ruled) };
})"""
RULES = {
    "reviews": ("function_words",),
    "phrases": ("all_inside", "all_end", "every_k", "punctuation", "function_words"),
    "distilled": ("all_retain", "content_words", "no_punctuation"),
}
"""Baseline policies to compare for each run."""


def texts_of(source: Source, count: int = 200) -> list[str]:
    real = [" ".join(sentence.words) for sentence in source.corpus.splits["test"]]
    return [*NASTY, *real[: count - len(NASTY)]]


def read_in_page(page: Any, texts: list[str], number: int = 0, rules: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(READ, [number, texts, rules])
    return found


def check_close(found: Any, expected: torch.Tensor) -> None:
    """Rewards far below -1 may differ by a millionth of them, as Python computes in 32 bits."""
    torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), expected.double(), rtol=1e-6, atol=TOLERANCE)


def check_policy(source: Source, found: list[dict[str, Any]], name: str, sentences: list[Sentence]) -> None:
    """Actions are equal; probabilities, rewards and their terms are close, with either class as the gold one."""
    model, classifier = source.classifier.model, source.classifier
    agent = source.agent if name == "learned" else make_baseline(name, classifier.vocabulary, model.problem)
    batch = classifier.batch(sentences)
    episodes = rollout(model, agent, batch, deterministic=True).episodes
    ours = [each[name] for each in found]
    for row, length, one in zip(episodes.actions.tolist(), batch.lengths.tolist(), ours, strict=True):
        assert one["actions"] == row[:length]
    check_close([[exp(each) for each in one["logProbs"]] for one in ours], episodes.log_probs.double().exp())
    for label in range(2):
        labels = torch.full_like(batch.labels, label)
        earned = source.reward(replace(episodes, sentences=replace(batch, labels=labels)))
        for term, values in earned.terms.items():
            check_close([one["terms"][label][term] for one in ours], values)
        check_close([sum(one["terms"][label].values()) for one in ours], earned.total)


@pytest.mark.parametrize("name", RULES)
def test_200_sentences(name, request, opened):
    source = request.getfixturevalue(name)
    texts = texts_of(source)
    found = read_in_page(opened(source), texts, rules=RULES[name])
    assert len(found) == 200
    expected = [tokenise(text, source.classifier.tokenisation) for text in texts]
    assert [tuple(each["tokens"]) for each in found] == expected
    some = [(each, Sentence(words, 0)) for each, words in zip(found, expected, strict=True) if words]
    read, sentences = [each for each, _ in some], [sentence for _, sentence in some]
    for policy in ("learned", *RULES[name]):
        check_policy(source, read, policy, sentences)


def test_200_sentences_of_the_plain_lstm(opened):
    source = load_source("movie_reviews_plain_lstm", words=3000)
    assert len(source.classifier.vocabulary) == 3002
    check_flat(source, read_in_page(opened(source), texts_of(source)))


def check_flat(source: Source, found: list[dict[str, Any]]) -> None:
    some = [each for each in found if each["tokens"]]
    batch = source.classifier.batch([Sentence(tuple(each["tokens"]), 0) for each in some])
    with torch.no_grad():
        log_probs = source.classifier.model(batch)
    check_close([[exp(each) for each in one["logProbs"]] for one in some], log_probs.double().exp())
    if isinstance(source.classifier.model, HMLSTMClassifier):
        boundaries = source.classifier.model.parse(batch).boundaries.tolist()
        for each, length, ours in zip(boundaries, batch.lengths.tolist(), some, strict=True):
            assert ours["boundaries"] == each[:length]


def test_200_sentences_of_hm_lstm(phrases, opened):
    kinds = [{}, {"layer_norm": False}, {"boundary": "soft"}, {"layers": 2}, {"layers": 4}]
    sources = [hm_source(with_few_sentences(phrases), **parameters) for parameters in kinds]
    page, texts = opened(*sources), texts_of(phrases)
    for number, source in enumerate(sources):
        found = read_in_page(page, texts if number == 0 else texts[:60], number)
        marks = [mark for each in found[len(NASTY) :] for word in each["boundaries"][:-1] for mark in word]
        assert 0.05 < sum(marks) / len(marks) < 0.95
        check_flat(source, found)


def test_characters_are_tokenised_as_in_python(phrases, opened):
    """Characters that Python's version of Unicode knows (the browser's may know more): all early ones, some others."""
    known = [each for each in map(chr, range(0x20000)) if unicodedata.category(each) not in ("Cn", "Cs", "Co")]
    known = [each for at, each in enumerate(known) if each < "\u1000" or at % 16 == 0]
    texts = [text for each in known for text in (each, f"Ab{each}cd n{each}'t 1{each}2")]
    page = opened(with_few_sentences(phrases))
    found = page.evaluate("(texts) => texts.map((text) => hsEnv.runs()[0].tokenise(text))", texts)
    different = [text for text, tokens in zip(texts, found, strict=True) if tuple(tokens) != tokenise(text, "glove")]
    assert different == []


def test_split_divides_at_the_spaces_of_python(phrases, opened):
    text = "a".join(chr(code) for code in range(0x3100) if chr(code).isspace() or not code % 64)
    source = replace(with_few_sentences(phrases), classifier=replace(phrases.classifier, tokenisation="split"))
    found = opened(source).evaluate("(text) => hsEnv.runs()[0].tokenise(text)", text)
    assert found == text.split()


@pytest.mark.parametrize("name", ["glove_characters", "split_bytes"])
def test_characters_and_bytes_are_those_of_python(name, phrases, opened):
    text = "It's a caf\u00e9, \u4f60\u597d \U0001f600"
    source = replace(with_few_sentences(phrases), classifier=replace(phrases.classifier, tokenisation=name))
    found = opened(source).evaluate("(text) => hsEnv.runs()[0].tokenise(text)", text)
    assert tuple(found) == tokenise(text, name)


@pytest.mark.parametrize("name", ["phrases", "distilled"])
def test_the_search_finds_the_best_actions_of_short_sentences(name, request, opened):
    source = request.getfixturevalue(name)
    short = [each for each in source.corpus.splits["test"] if len(each.words) in range(1, 10)][:30]
    batch = source.classifier.batch(short)
    _, rewards = best_actions(source.classifier.model, batch, source.reward)
    found = opened(source).evaluate(
        """(sentences) => sentences.map(([words, label]) => {
          const run = hsEnv.runs()[0], reading = run.open(words), steps = run.search(reading, label);
          let step;
          do step = steps.next(); while (!step.done);
          const terms = run.terms(step.value, run.read(reading, step.value), label);
          return Object.values(terms).reduce((sum, each) => sum + each, 0);
        })""",
        [[list(each.words), each.label] for each in short],
    )
    check_close(found, rewards)


def test_rewards_agree(phrases, opened):
    rewards = (
        "log_likelihood + deletion_rate(target=0.15, weight=0.12)",
        "2 * (margin - 0.5 * transitions) - phrases",
        "accuracy + 0.1 * boundary_rate + phrase_length(target=2, weight=0.3) - deletions",
        "hs_lstm(gamma=0.5) + id_lstm",
    )
    sources = [replace(with_few_sentences(phrases), reward=make_reward(reward)) for reward in rewards]
    sentences = [Sentence(each.words, 0) for each in sources[0].corpus.splits["test"]]
    page = opened(*sources)
    for number, source in enumerate(sources):
        found = read_in_page(page, [" ".join(each.words) for each in sentences], number, ("function_words",))
        check_policy(source, found, "function_words", sentences)
