"""Generate the pages of the environments, docs/environments/, from the decision problems, with animated episodes."""

from __future__ import annotations

import inspect
import re
import textwrap
from io import BytesIO
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from PIL import Image

import hs_env
from hs_env.agents import load_agent_for, make_baseline, rollout
from hs_env.agents.base import PolicyInput
from hs_env.envs import classes
from hs_env.envs.single import EncoderEnv
from hs_env.metrics import mean_reward
from hs_env.problems import PROBLEMS, class_stem, environment_id
from hs_env.problems.problem import Problem
from hs_env.registry import stem_of
from hs_env.text_units import unit_of

FOLDER = Path(hs_env.__file__).parents[1] / "docs" / "environments"
WORDS = 12
"""Number of words of an animated episode, as far as the corpus has such a dev sentence."""
CHARACTERS = 36
"""The same for lines of characters."""
FRAME_MS, LAST_FRAME_MS = 500, 4000

PAGE = """\
<!-- Made by `make docs` from {source} and hs_env/problems/page.py: change these. -->

# {title}

{summary}

![The shipped agent decides the words of a sentence one by one]({name}.webp)

| | |
|---|---|
| Action Space | `{action_space}` |
| Observation Space | `{observation_space}` |
| import | `import gymnasium, hs_env`<br>`gymnasium.make("{id}")` |
| vector | `gymnasium.make_vec("{id}", num_envs=8)` |

{sections}

## See also

* [Corpora](../corpora.md) and [shipped classifiers](../shipped_classifiers.md): values of `corpus` and `classifier`
* [Rewards](../rewards.md): expressions, and how to write one
* [Vector environments](../vector_environments.md): speed, and steps as tensors
* [RL libraries](../libraries.md) and [Stable-Baselines3](../stable_baselines3.md): examples that train here
* {more}
"""

MORE = {
    "chunking": "[Chunking](../chunking.md): the language model, and what policies learn",
    "composition": "[Composition](../composition.md): ListOps, training and results",
    "information_distillation": "[Results of ID-LSTM](../one_run.md#id-lstm-words-retained-or-deleted)",
    "phrase_modules": "[Phrase modules](../modules.md): the model, and what policies learn",
    "phrase_segmentation": "[HS-LSTM, step by step](../hs_lstm.md), and its [results](../results.md)",
    "skimming": "[Skimming](../skimming.md): accuracy and speed by words read",
}
"""Pages about the environments, by the stems of their names."""

GALLERY = """\
<!-- Made by `make docs`. -->

# Gallery of environments

| environment | actions | D | default corpus | random actions earn | shipped agent earns |
|:--|:--|--:|:--|--:|--:|
{rows}

D is the width of an observation with the default classifier. The last columns are mean rewards per sentence, on the
first {scored} dev sentences of the default corpus, with `hs_env.metrics.mean_reward`. Rewards of different environments
cannot be compared. The shipped agent of Chunking takes its most probable actions here, which end no chunk but the
forced ones; its sampled actions earn more ([what policies learn](../chunking.md#what-policies-learn)).

Each picture is an episode: the agent that ships with the package decides on a dev sentence of the default corpus, one
word per step.
"""

SCORED = 300
"""Number of dev sentences that agents are scored on."""


def space_of(section: str, sections: str) -> str:
    """Return the code at the start of a space's section."""
    found = re.search(rf"^## {section}\n`([^`]+)`", sections, re.MULTILINE)
    if found is None:
        raise ValueError(f"The section {section!r} of a docstring must begin with the space in backticks.")
    return found[1]


def wrapped(text: str) -> str:
    """Wrap the paragraphs of a page; headings, tables and code stay as they are."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    for number in range(0, len(parts), 2):
        blocks = parts[number].split("\n\n")
        parts[number] = "\n\n".join(block if re.match(r"\s*([#|!<-]|$)", block) else fill(block) for block in blocks)
    return "".join(parts)


def fill(paragraph: str) -> str:
    """Wrap a paragraph at 120 characters, between words only."""
    return textwrap.fill(paragraph, 120, break_long_words=False, break_on_hyphens=False)


def page(name: str, problem: Problem) -> str:
    """Make the page of a problem's environment."""
    environment = getattr(classes, f"{class_stem(name)}Env")
    summary, sections = (inspect.getdoc(environment) or "").split("\n\n", 1)
    return PAGE.format(
        id=environment_id(name),
        title=problem.title.title(),
        source=f"{type(problem).__module__.replace('.', '/')}.py",
        summary=summary,
        name=stem_of(name),
        action_space=space_of("Action Space", sections),
        observation_space=space_of("Observation Space", sections),
        more=MORE.get(stem_of(name), "[All pages](../README.md)"),
        sections=wrapped(re.sub(r"^(## .+)\n(?=\S)", r"\1\n\n", sections, flags=re.MULTILINE)),
    )


def problems() -> dict[str, Problem]:
    """Return the problems of this package, without plug-ins."""
    made = {name: PROBLEMS.get(name) for name in PROBLEMS}
    return {name: problem for name, problem in made.items() if type(problem).__module__.startswith("hs_env.")}


def pages() -> dict[Path, str]:
    """Make the texts of all pages in docs/environments/."""
    made = {FOLDER / f"{stem_of(name)}.md": page(name, problem) for name, problem in problems().items()}
    shown = [
        f"\n## {problem.title.title()}\n\n[`{environment_id(name)}`]({stem_of(name)}.md)\n\n"
        f"![An episode of {problem.title.title()}]({stem_of(name)}.webp)\n"
        for name, problem in problems().items()
    ]
    gallery = GALLERY.format(rows="\n".join(map(row, problems())), scored=SCORED)
    return {FOLDER / "README.md": gallery + "".join(shown), **made}


def row(name: str) -> str:
    """Make a problem's row in the table of environments."""
    problem, environment = PROBLEMS.get(name), gymnasium.make(environment_id(name), split="dev").unwrapped
    assert isinstance(environment, EncoderEnv)
    found, run = environment.resources, problem.environment.classifier
    vocabulary = found.classifier.vocabulary
    agents = make_baseline("random", vocabulary, problem), load_agent_for(found.encoder, vocabulary, run)
    earned = [mean_reward(each, "dev", env=environment_id(name), sentences=SCORED) for each in agents]
    cells = [
        f"[{problem.title.title()}]({stem_of(name)}.md)",
        ", ".join(problem.actions),
        f"{found.encoder.state_size}",
        f"`{problem.environment.corpus}`",
        *(f"{each:.2f}".replace("-", "−") for each in earned),
    ]
    return f"| {' | '.join(cells)} |"


@torch.inference_mode()
def episode(name: str) -> list[Image.Image]:
    """Return the frames of an episode that the shipped agent of a problem plays.

    The sentence is one on which the agent takes more than one kind of action.
    """
    env = gymnasium.make(environment_id(name), split="dev", render_mode="rgb_array")
    assert isinstance(env.unwrapped, EncoderEnv)
    resources = env.unwrapped.resources
    run = PROBLEMS.get(name).environment.classifier
    agent = load_agent_for(resources.encoder, resources.classifier.vocabulary, run)
    lengths = [len(sentence.words) for sentence in resources.sentences]
    wanted = WORDS if unit_of(resources.classifier.tokenisation) == "words" else CHARACTERS
    for index in sorted(range(len(lengths)), key=lambda i: abs(lengths[i] - wanted)):
        batch = resources.encoded.batch(torch.tensor([index]))
        if len(rollout(resources.encoder, agent, batch, deterministic=True).episodes.actions.unique()) > 1:
            break
    observation, info = env.reset(options={"indices": index})
    memory, frames, finished = agent.begin(batch), [picture(env)], False
    while not finished:
        legal = torch.from_numpy(info["action_mask"][None]).bool()
        decision = agent.act(PolicyInput(torch.from_numpy(observation[None]), legal, memory))
        observation, _, finished, _, info = env.step(decision.actions.item())
        memory = decision.memory
        frames.append(picture(env))
    return frames


def picture(env: gymnasium.Env[Any, Any]) -> Image.Image:
    """Render an environment in mode `rgb_array`."""
    pixels = env.render()
    assert isinstance(pixels, np.ndarray)
    return Image.fromarray(pixels)


def animation(frames: list[Image.Image]) -> bytes:
    """Encode frames as a WebP that repeats."""
    file, durations = BytesIO(), [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS]
    frames[0].save(file, "WebP", save_all=True, append_images=frames[1:], duration=durations, lossless=True, method=6)
    return file.getvalue()


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = {path: text.encode() for path, text in pages().items()}
    made |= {FOLDER / f"{stem_of(name)}.webp": animation(episode(name)) for name in problems()}
    for path, content in made.items():
        path.write_bytes(content)
        print(path.relative_to(FOLDER.parents[1]))


if __name__ == "__main__":
    main()
