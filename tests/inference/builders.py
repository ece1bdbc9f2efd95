"""Untrained classifiers with their agents, in files."""

from __future__ import annotations

from pathlib import Path

import torch

from hs_env.agents import AGENTS, AgentSetting, make_baseline
from hs_env.corpora import Vocabulary
from hs_env.models import MODELS, Classifier, StructuredEncoder
from hs_env.rewards import make_reward

WORDS = "the movie is not very good bad dull superb plot and .".split()
LABELS = ("negative", "neutral", "positive")


def save_classifier(folder: Path, model: str, agent: str = "fixed") -> Path:
    """Save a classifier with random weights, and an agent for it if it takes actions."""
    vocabulary = Vocabulary(WORDS)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = MODELS.get(model)(len(vocabulary), len(LABELS), embedding_size=5, hidden_size=6).eval()
        classifier = Classifier(network, vocabulary, LABELS, "glove", {"accuracy": 0.5, "epoch": 2})
        classifier.save(folder / "classifier.safetensors")
        if isinstance(network, StructuredEncoder):
            name = network.problem.defaults.warm_start
            warm_start = make_baseline(name, vocabulary, network.problem)
            batch = classifier.batch([classifier.sentence("the movie")])
            setting = AgentSetting(network, batch, make_reward("log_likelihood"), warm_start, name)
            kind = AGENTS.get(agent)
            kind.make(setting, kind.resolve(kind.parameters(), network.problem)).save(folder / "agent.safetensors")
    return folder
