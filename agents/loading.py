"""Load any saved agent to act on a given classifier."""

from __future__ import annotations

from hs_env.compute import Device, device_of
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.models import Classifier, StructuredEncoder, find_classifier
from hs_env.models.saved import find_file
from hs_env.shipped import AGENT, CLASSIFIER
from hs_env.storage import StrPath

from .base import Agent, load_agent
from .baselines import make_baseline
from .fixed import FixedPolicy
from .sb3 import is_zip, load_zip


def load_pair(run: StrPath, device: Device = "cpu") -> tuple[Classifier, Agent | None]:
    """Load the classifier of a run, and its agent.

    Args:
        run: Name of a run that ships with the package, the folder of a run, or the file of a classifier, whose agent is
            in the same folder.
        device: Device to load them to.

    Returns:
        The classifier, and its agent or None if the model takes no actions.

    Raises:
        HsEnvError: If one of them is missing or damaged, or the device is unknown.
    """
    path = find_classifier(run)
    classifier = Classifier.load(path, device)
    has_agent = isinstance(classifier.model, StructuredEncoder)
    return classifier, load_agent(path.parent / AGENT, device) if has_agent else None


def load_agent_for(encoder: StructuredEncoder, vocabulary: Vocabulary, run: StrPath, *, trust: bool = False) -> Agent:
    """Load an agent, and check that it fits an encoder of the same problem, which may be another than in its training.

    Args:
        encoder: Encoder that the agent will act on.
        vocabulary: Vocabulary of the encoder, for agents that look at words.
        run: Name of a run that ships with the package, the folder of a run, the file of an agent, or a zip file of
            Stable-Baselines3.
        trust: Whether a zip file may be loaded. It contains pickles, which can execute any code.

    Raises:
        HsEnvError: If there is no such agent, it is for another decision problem, a zip file is not trusted, or its
            P-Net reads words and was trained in a run with another vocabulary.
    """
    device = device_of(encoder)
    if is_zip(run):
        return load_zip(run, trust, device)
    agent, path = load_agent(run, device), find_file(run, AGENT, "agent")
    if agent.actions not in (None, tuple(encoder.problem.actions)):
        raise HsEnvError(
            f"The agent in {path} was trained for the actions {', '.join(agent.actions or ())}; those of "
            f"{encoder.problem.title} are {', '.join(encoder.problem.actions)}. Use an agent of the same problem."
        )
    folder = path.parent
    if agent.reads_words and (folder / CLASSIFIER).exists() and Classifier.load(folder).vocabulary != vocabulary:
        raise HsEnvError(
            f"The P-Net of {path} has a reader, which knows words by their numbers in the vocabulary of its own "
            "classifier. The words of this classifier have other numbers. Use an agent without a reader, or one that "
            "was trained with the words of the same corpus."
        )
    return make_baseline(agent.name, vocabulary, encoder.problem) if isinstance(agent, FixedPolicy) else agent
