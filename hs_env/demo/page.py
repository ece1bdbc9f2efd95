"""Put the page of a demo together: HTML, style, script and the packed runs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, Final

import hs_env
from hs_env.agents import Agent, FixedPolicy, LogitPolicy
from hs_env.agents.baselines import FUNCTION_WORDS, NEGATIONS, PUNCTUATION
from hs_env.compute import isolated
from hs_env.demo.examples import examples_of
from hs_env.demo.pack import packed
from hs_env.demo.rewards import described
from hs_env.demo.source import SHOWN, Source, load_source
from hs_env.errors import HsEnvError
from hs_env.render.segmented import printable

_SCRIPTS: Final = (
    "tokenise",
    "unpack",
    "layers",
    "classifiers",
    "reward",
    "policies",
    "texts",
    "dom",
    "words",
    "results",
    "app",
)
"""Script files in the order in which they are put together; each uses those before it."""


@isolated
def make_demo(names: Sequence[str], words: int = 0, int8: bool = False) -> str:
    """Return a page that computes classifiers in the browser. It loads nothing, and equal runs give equal pages.

    Args:
        names: Run folders, or names of runs that ship with the package, at least one.
        words: Number of most frequent words of each classifier to keep; 0 keeps all. The page says how others are read.
        int8: Whether to round matrices to 8 bits, for a quarter of the size.

    Raises:
        HsEnvError: If there are no runs, or the page cannot compute one of them.
    """
    if not names:
        raise HsEnvError("A demo needs one run or more, got none.")
    if words < 0:
        raise HsEnvError(f"The number of words must be 0 or more, got {words}.")
    return page_of([load_source(name, words, int8) for name in names])


def page_of(sources: Sequence[Source]) -> str:
    """Return the HTML text of the page of loaded runs."""
    word_lists = {"functionWords": FUNCTION_WORDS, "negations": NEGATIONS, "punctuation": PUNCTUATION}
    data = {
        "version": hs_env.__version__,
        "wordLists": {name: sorted(each) for name, each in word_lists.items()},
        "runs": [_contents(source) for source in sources],
    }
    folder = files("hs_env.demo")
    script = "\n".join(folder.joinpath(f"{name}.js").read_text("utf-8") for name in _SCRIPTS)
    style = folder.joinpath("page.css").read_text("utf-8")
    return Template(folder.joinpath("page.html").read_text("utf-8")).substitute(
        title=escape(", ".join(printable(source.name) for source in sources)),
        style=style,
        script=script,
        style_hash=_digest(style),
        script_hash=_digest(script),
        data=packed(data),
    )


def _contents(source: Source) -> dict[str, Any]:
    """Return what the page holds of one run, as JSON values and tensors."""
    classifier, examples = source.classifier, examples_of(source)
    return {
        "name": printable(source.name),
        "kind": SHOWN[type(classifier.model)],
        "title": classifier.model.title,
        "corpus": source.corpus.name,
        "labels": list(classifier.labels),
        "tokenisation": classifier.tokenisation,
        "words": list(classifier.vocabulary.words),
        "known": source.known,
        "config": classifier.model.config(),
        "weights": dict(source.weights),
        "policy": _policy(source.agent),
        "reward": None if source.reward is None else described(source.reward),
        "examples": examples.sentences,
        "accuracy": examples.accuracy,
        "tested": examples.tested,
    }


def _policy(agent: Agent | None) -> dict[str, Any] | None:
    """Return the weights of a P-Net's layers, or the name of a rule."""
    if isinstance(agent, LogitPolicy):
        return {"layers": dict(agent.pnet.layers.state_dict())}
    return {"rule": agent.name.partition(".")[0]} if isinstance(agent, FixedPolicy) else None


def _digest(text: str) -> str:
    """Return the digest by which the page's own policy admits a script or a style, and no other."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
