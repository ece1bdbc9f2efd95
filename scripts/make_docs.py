"""Generate the pages of the environments, docs/environments/, from the decision problems."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

import torch

import hs_env
from hs_env.envs import classes
from hs_env.problems import PROBLEMS, class_stem, environment_id
from hs_env.problems.problem import Problem
from hs_env.render import Segmented, to_svg

FOLDER = Path(hs_env.__file__).parents[1] / "docs" / "environments"
WORDS = tuple("the movie is not very good".split())
ACTIONS = (0, 1, 0, 1, 0, 1)

PAGE = """\
<!-- Made by `make docs` from {source} and hs_env/problems/page.py: change these. -->

# {title}

{summary}

![{picture}]({name}.svg)

| | |
|---|---|
| Action Space | `{action_space}` |
| Observation Space | `{observation_space}` |
| import | `import gymnasium, hs_env`<br>`gymnasium.make("{id}")` |
| vector | `gymnasium.make_vec("{id}", num_envs=8)` |

{sections}
"""


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


def page(name: str, problem: Problem) -> dict[Path, str]:
    """Make the page of a problem's environment and its picture, by file."""
    stem = name.rpartition(".")[0]
    environment = getattr(classes, f"{class_stem(name)}Env")
    summary, sections = (inspect.getdoc(environment) or "").split("\n\n", 1)
    text = PAGE.format(
        id=environment_id(name),
        title=problem.title.title(),
        source=f"{type(problem).__module__.replace('.', '/')}.py",
        summary=summary,
        name=stem,
        picture=f"{' '.join(WORDS)}, an example",
        action_space=space_of("Action Space", sections),
        observation_space=space_of("Observation Space", sections),
        sections=wrapped(re.sub(r"^(## .+)\n(?=\S)", r"\1\n\n", sections, flags=re.MULTILINE)),
    )
    actions = problem.legalised(torch.tensor([ACTIONS]), torch.tensor([len(WORDS)]))[0].tolist()
    drawn = to_svg(Segmented(WORDS, tuple(actions), problem=problem), size=28)
    return {FOLDER / f"{stem}.md": text, FOLDER / f"{stem}.svg": drawn}


def pages() -> dict[Path, str]:
    """Make the contents of all files in docs/environments/: the problems of this package, without plug-ins."""
    made: dict[Path, str] = {}
    for name in PROBLEMS:
        problem = PROBLEMS.get(name)
        if type(problem).__module__.startswith("hs_env."):
            made |= page(name, problem)
    return made


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(FOLDER.parents[1]))


if __name__ == "__main__":
    main()
