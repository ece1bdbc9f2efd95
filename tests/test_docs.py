"""The code on the pages of docs/ runs as printed."""

from __future__ import annotations

import importlib
import re
import runpy
import shlex
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image

from hs_env.agents import AGENTS, BASELINES, ESTIMATORS
from hs_env.cli import main
from hs_env.cli.app import COMMANDS
from hs_env.corpora import CORPORA
from hs_env.language import LanguageModel
from hs_env.models import MODELS, Classifier
from hs_env.problems import PROBLEMS
from hs_env.rewards import REWARDS, describe_parameters, make_reward
from hs_env.settings import read_toml
from hs_env.shipped import shipped_language_models, shipped_runs
from hs_env.training import TrainConfig
from hs_env.training import run as runs

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
REWARDS_PAGE, SB3_PAGE = DOCS / "rewards.md", DOCS / "stable_baselines3.md"
COMMANDS_PAGE, ARCHITECTURE_PAGE, GLOSSARY, RECIPES = (
    DOCS / f"{name}.md" for name in ("command_line", "architecture", "glossary", "recipes")
)
RL_TUTORIAL, NLP_TUTORIAL, DECISIONS_TUTORIAL, RESEARCH_TUTORIAL = (
    DOCS / "tutorials" / f"{name}.md" for name in ("rl_user", "nlp_user", "hard_decisions", "researcher")
)


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page, also those inside lists."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(code) for _, code in found]


def commands(page: Path) -> list[list[str]]:
    """The `hs-env` commands in the shell blocks of a page, each as its arguments."""
    lines = "".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    return [line for line in (shlex.split(line, comments=True) for line in lines) if line[:1] == ["hs-env"]]


@pytest.fixture
def my_rewards(tmp_path, monkeypatch):
    """The page's module where Python finds it; what it registers is forgotten afterwards."""
    monkeypatch.setattr(REWARDS, "_entries", dict(REWARDS._entries))
    (module,) = (block for block in blocks(REWARDS_PAGE, "python") if block.startswith("# my_rewards.py"))
    (tmp_path / "my_rewards.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_rewards", raising=False)


SLOW = {NLP_TUTORIAL, RL_TUTORIAL, DECISIONS_TUTORIAL, RESEARCH_TUTORIAL, SB3_PAGE, DOCS / "problems.md"}
"""Pages whose Python trains for more than a few seconds."""


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.slow] * (page in SLOW)) for page in PAGES],
    ids=[f"{page.parent.name}/{page.stem}" for page in PAGES],
)
def test_python_runs(page, tmp_path, monkeypatch, capsys):
    if page.stem == "information_distillation" and "phrases_id_lstm" not in shipped_runs():
        pytest.skip("its default classifier is not shipped")
    for registry in (AGENTS, BASELINES, CORPORA, ESTIMATORS, MODELS, PROBLEMS, REWARDS):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks(page, "python")), str(page), "exec"), {})
    if page == NLP_TUTORIAL:  # its commands are for the file that its Python writes
        for line in commands(page):
            main(line[1:])
        assert {"runs", "report.html"} <= {path.name for path in tmp_path.iterdir()}
        assert "[the movie]" in capsys.readouterr().out
    if page == SB3_PAGE:
        (reward,) = re.findall(r"^mean reward on dev: (\S+)$", capsys.readouterr().out, re.MULTILINE)
        assert float(reward) > -1.5
    if page == RL_TUTORIAL:  # random actions earn about -2.9
        printed = capsys.readouterr().out
        (reward,) = re.findall(r"^last 100 sentences: (\S+)$", printed, re.MULTILINE)
        assert float(reward) > -1.5
        (cut,) = re.findall(r"^(the .+) -0\.\d\d$", printed, re.MULTILINE)  # the whole sentence, classified correctly
        assert cut.replace(" | ", " ") == "the movie is not very good"
    if page == DECISIONS_TUTORIAL:  # unbiased estimators climb
        figures = re.findall(r"^(\w+) +expected reward (\S+) -> (\S+)$", capsys.readouterr().out, re.MULTILINE)
        gained = {name: float(after) - float(before) for name, before, after in figures}
        assert gained["rloo"] > 4
        assert gained["disarm"] > 4
        assert gained["st_sigmoid"] < 2
    if page == RESEARCH_TUTORIAL:  # the policy of the other reward makes short phrases
        lengths = [
            float(words) for words in re.findall(r"words per phrase (\S+)$", capsys.readouterr().out, re.MULTILINE)
        ]
        assert lengths[0] > 2 > lengths[1] > 1


MADE = runpy.run_path(str(ROOT / "scripts" / "make_docs.py"))


def test_pages_of_environments_are_made_from_docstrings():
    made, names = MADE["pages"](), [MADE["stem_of"](name) for name in MADE["problems"]()]
    assert {f"{name}.md" for name in names} < {path.name for path in made}
    assert set((DOCS / "environments").iterdir()) == {
        *made,
        *(DOCS / "environments" / f"{name}.webp" for name in names),
    }
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, f"{path} is not what its docstring says. Run: make docs"


@pytest.mark.parametrize("name", MADE["problems"]())
def test_animations_show_an_episode_of_the_shipped_agent(name):
    path, frames = DOCS / "environments" / f"{MADE['stem_of'](name)}.webp", MADE["episode"](name)
    assert path.stat().st_size < 150_000
    with Image.open(path) as animation:
        assert animation.n_frames == len(frames) > 8
        for number, frame in enumerate(frames):
            animation.seek(number)
            shown = animation.convert("RGB")
            assert shown.tobytes() == frame.tobytes(), f"{path} shows another episode. Run: make docs"


def test_the_architecture_is_drawn_from_the_source():
    script = runpy.run_path(str(ROOT / "scripts" / "draw_architecture.py"))
    assert script["PICTURE"].read_text(encoding="utf-8") == script["draw"](), "run: python scripts/draw_architecture.py"


def test_the_zoo_lists_every_shipped_run_with_the_figures_of_its_record(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    script = importlib.import_module("make_zoo")
    page = script.PAGE.read_text(encoding="utf-8")
    part = page.partition("<!-- runs, by make docs -->")[2].partition("<!-- end of runs -->")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", part, re.MULTILINE))
    assert set(rows) == {*shipped_runs(), *shipped_language_models()}
    for name, row in rows.items():
        _, _, size, dev, test = row.split(" | ")
        if name in shipped_runs():
            notes, folder = Classifier.load(name).notes, shipped_runs()[name]
            assert dev == f"{100 * script.dev(notes):.1f}%"
            if "test" in notes:
                assert float(test.partition("%")[0]) == pytest.approx(100 * notes["test"], abs=0.3)
        else:
            notes, folder = LanguageModel.load(name).notes, shipped_language_models()[name]
            assert (dev, test.split()[0]) == (f"{notes['dev']:.3f}", f"{notes['test']:.3f}")
        assert size == script.size(folder)
    for path, picture in script.pictures().items():
        assert path.read_text(encoding="utf-8") == picture, f"{path} is not what the shipped models say. Run: make docs"


def test_the_grid_on_the_page_is_what_the_command_prints(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    main(["lm", "show", "the movie is not very good"])
    assert f"```text\n{capsys.readouterr().out}```" in (DOCS / "hm_lstm.md").read_text(encoding="utf-8")


def test_the_architecture_explains_every_part():
    layers = runpy.run_path(str(ROOT / "tests" / "test_imports.py"))["LAYERS"]
    explained = re.findall(r"^\| `(\w+)` \|", ARCHITECTURE_PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(explained) == sorted(part for layer in layers for part in layer)


def test_the_glossary_has_every_term_once():
    tables = GLOSSARY.read_text(encoding="utf-8").split("## Shape letters")
    for table in tables:
        terms = re.findall(r"^\| ([^|]+) \| ", table, re.MULTILINE)
        names = [name for term in terms for name in term.split(", ") if name not in {"term", "letter"}]
        assert len(names) == len(set(names)) > 5


def test_every_command_is_documented():
    assert set(COMMANDS) == set(re.findall(r"^\| \[`hs-env (\w+)`\]", COMMANDS_PAGE.read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_commands_name_existing_ones(page):
    known = set(re.findall(r"^\| \[`hs-env (\w+)`\]", COMMANDS_PAGE.read_text("utf-8"), re.MULTILINE))
    assert {line[1] for line in commands(page)} <= known


class ParsedError(Exception):
    """The options of a command are right."""


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_options_of_training_commands_exist(page, monkeypatch):
    def stop(*arguments, **options):
        raise ParsedError

    def read(path, kind):
        return {} if kind == "configuration" else read_toml(path, kind)  # files of examples do not exist

    monkeypatch.setattr("hs_env.settings.read_toml", read)
    monkeypatch.setattr(runs, "train", stop)
    monkeypatch.setattr(runs, "resume", stop)
    monkeypatch.setattr(runs, "load_config", lambda folder: TrainConfig().resolve())  # that of a parent
    monkeypatch.setattr("hs_env.experiments.seeds.train_seeds", stop)
    for line in commands(page):
        if line[1] == "train":
            with pytest.raises(ParsedError):
                main(line[1:])


FOREIGN = {
    "random:16",
    "dropout must be",
    "NameNotFound",
    "Cannot call env.step()",
    "The expected dtype",
    "The environment is of type",
}
"""How quoted texts begin that are made of parts, or come from other packages."""


def test_quoted_messages_exist():
    sources = [path for folder in ("hs_env", "agents", "rewards") for path in (ROOT / folder).rglob("*.py")]
    source = "".join(path.read_text(encoding="utf-8") for path in (*sources, ROOT / "Makefile"))
    source = re.sub(r"""["']\s*\n\s*f?["']""", "", source)  # a literal that goes over several lines
    cells = re.findall(r"^\| ([^|]+) \|", (DOCS / "troubleshooting.md").read_text("utf-8"), re.MULTILINE)
    quoted = [text for cell in cells for text in re.findall(r"`([^`]+)`", cell) if text.count(" ") > 2]
    assert len(quoted) > 25
    for message in quoted:
        if not message.startswith(tuple(FOREIGN)):
            parts = re.split(r"""['"]\S+['"]|\d[\d.]*|\[.*\]|…|[.?] |[A-Z]+ \(|\(|python3""", message)
            assert any(len(part.strip()) >= 8 and part.strip() in source for part in parts), message


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES):
        for target in re.findall(r"\]\(([^):]+)\)", page.read_text(encoding="utf-8")):
            name, _, anchor = target.partition("#")
            path = page.parent / name if name else page
            assert path.exists(), f"{page}: {target}"
            assert not anchor or anchor in anchors(path), f"{page}: {target}"


def test_every_page_is_in_the_index():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert page.name == "README.md" or f"({page.relative_to(DOCS).as_posix()})" in index, page


def test_every_registry_has_a_recipe():
    rows = re.findall(r"`(hs_env[\w.]*)\.([A-Z]+)` \| `(hs_env\.\w+)` \|$", RECIPES.read_text("utf-8"), re.MULTILINE)
    sources = [path for folder in ("hs_env", "agents", "rewards") for path in (ROOT / folder).rglob("*.py")]
    groups = {group for path in sources for group in re.findall(r'group="(hs_env\.\w+)"', path.read_text("utf-8"))}
    assert {group for _, _, group in rows} == groups
    for module, name, group in rows:
        assert getattr(importlib.import_module(module), name).group == group


def test_rewards_on_command_lines_can_be_made(my_rewards):
    lines = [shlex.split(line, comments=True) for line in "".join(blocks(REWARDS_PAGE, "sh")).splitlines()]
    expressions = [line[line.index("--reward") + 1] for line in lines if "--reward" in line]
    assert len(expressions) == 5
    for expression in expressions:
        make_reward(expression)


def test_every_reward_is_in_the_table():
    rows = dict(re.findall(r"^\| `(\w+\.v\d+)` \|.*\| (.*)\|$", REWARDS_PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert sorted(rows) == list(REWARDS)
    for name, parameters in rows.items():
        assert bool(parameters.strip()) == bool(describe_parameters(REWARDS.get(name)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_tables_are_apart(page):
    """Rows without a blank line between them are one table, which has one head."""
    text = page.read_text(encoding="utf-8")
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len(re.findall(r"^\|[ :|-]*---?[ :|-]*\|$", table, re.MULTILINE)) == 1, table
