"""Generate the pages of the environments, docs/environments/, from the docstrings of their classes."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import gymnasium
from gymnasium.envs.registration import EnvSpec, load_env_creator

import hs_env
from hs_env.envs.resources import ENVIRONMENTS
from hs_env.render import Segmented, to_svg

FOLDER = Path(hs_env.__file__).parents[1] / "docs" / "environments"
WORDS = tuple("the movie is not very good".split())
ACTIONS = (0, 1, 0, 1, 0, 1)

PAGE = """\
<!-- Made by `make docs` from the docstring of {class_name}: change that one. -->

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


def page(spec: EnvSpec, task: Task) -> dict[Path, str]:
    """Make the page of an environment and its picture, by file."""
    assert isinstance(spec.entry_point, str)
    environment = load_env_creator(spec.entry_point)
    summary, sections = (inspect.getdoc(environment) or "").split("\n\n", 1)
    name = spec.entry_point.partition(":")[0].rpartition(".")[2]
    text = PAGE.format(
        id=spec.id,
        title=re.sub(r"(?<=[a-z])(?=[A-Z])", " ", spec.name),
        class_name=spec.entry_point.replace(":", "."),
        summary=summary,
        name=name,
        picture=f"{' '.join(WORDS)}, an example",
        action_space=space_of("Action Space", sections),
        observation_space=space_of("Observation Space", sections),
        sections=re.sub(r"^(## .+)\n(?=\S)", r"\1\n\n", sections, flags=re.MULTILINE),
    )
    drawn = to_svg(Segmented(WORDS, ACTIONS, task=task), size=28)
    return {FOLDER / f"{name}.md": text, FOLDER / f"{name}.svg": drawn}


def pages() -> dict[Path, str]:
    """Make the contents of all files in docs/environments/."""
    made: dict[Path, str] = {}
    for task, name in ENVIRONMENTS.items():
        made |= page(gymnasium.spec(name), task)
    return made


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(FOLDER.parents[1]))


if __name__ == "__main__":
    main()
