"""The code on the pages of docs/ is run as it stands."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
import textwrap
from pathlib import Path

import pytest

from hs_env.models import MODELS, shipped_runs
from hs_env.rewards import REWARDS, describe_parameters, make_reward

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
REWARDS_PAGE, ENCODERS_PAGE = DOCS / "rewards.md", DOCS / "encoders.md"


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page, also those inside lists."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(code) for _, code in found]


@pytest.fixture
def my_rewards(tmp_path, monkeypatch):
    """The page's module where Python finds it; what it registers is forgotten afterwards."""
    monkeypatch.setattr(REWARDS, "_entries", dict(REWARDS._entries))
    (module,) = (block for block in blocks(REWARDS_PAGE, "python") if block.startswith("# my_rewards.py"))
    (tmp_path / "my_rewards.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_rewards", raising=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_runs(page, tmp_path, monkeypatch):
    if page.stem == "information_distillation" and "phrases_id_lstm" not in shipped_runs():
        pytest.skip("its default classifier is not shipped")
    for registry in (MODELS, REWARDS):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks(page, "python")), str(page), "exec"), {})


def test_pages_of_environments_are_made_from_docstrings():
    made = runpy.run_path(str(ROOT / "scripts" / "make_docs.py"))["pages"]()
    assert {path.suffix for path in made} == {".md", ".svg"}
    assert set((DOCS / "environments").iterdir()) == set(made)
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, f"{path} is not what its docstring says. Run: make docs"


def test_every_link_leads_somewhere():
    for page in (ROOT / "README.md", *PAGES):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_every_page_is_in_the_index():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert page.name == "README.md" or f"({page.relative_to(DOCS).as_posix()})" in index, page


def test_rewards_on_command_lines_can_be_made(my_rewards):
    lines = [shlex.split(line, comments=True) for line in "".join(blocks(REWARDS_PAGE, "sh")).splitlines()]
    expressions = [line[line.index("--reward") + 1] for line in lines if "--reward" in line]
    assert len(expressions) == 4
    for expression in expressions:
        make_reward(expression)


def test_every_reward_is_in_the_table():
    rows = dict(re.findall(r"^\| `(\w+\.v\d+)` \|.*\| (.*)\|$", REWARDS_PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert sorted(rows) == list(REWARDS)
    for name, parameters in rows.items():
        assert bool(parameters.strip()) == bool(describe_parameters(REWARDS.get(name)))
