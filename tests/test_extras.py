"""What works in an installation without extras, and what names the extra that it needs."""

import os
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRA = ["gensim", "jinja2", "markupsafe", "matplotlib", "pandas", "scipy", "sklearn"]
"""Packages that are in extras, or that the package once required."""


def run(code: str, folder: Path) -> str:
    """Run code in a process in which the packages of EXTRA cannot be imported, and return its output."""
    blocked = f"import sys\nsys.modules.update(dict.fromkeys({EXTRA}))\n"
    done = subprocess.run(
        [sys.executable, "-c", blocked + code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_environments_and_static_vectors_need_no_extra(tmp_path: Path) -> None:
    run(
        "import gymnasium, hs_env\n"
        "env = gymnasium.make('hs_env/PhraseSegmentation-v0', render_mode='rgb_array')\n"
        "env.reset(seed=0)\n"
        "env.step(0)\n"
        "assert env.render().ndim == 3\n"
        "from hs_env.vectors import load_vectors\n"
        "assert load_vectors('glove-6b-50d', ['<pad>', '<unk>', 'the'], seed=0).found[2]",
        tmp_path,
    )


def test_training_needs_no_extra(tmp_path: Path) -> None:
    options = "train --corpus phrases:train=40,dev=9,test=9 --vectors random:5 --hidden-size 8".split()
    options += "--warm-epochs 1 --pnet-epochs 1 --joint-epochs 1".split()
    commands = [[*options, "--agent", agent, "--out", agent] for agent in ("reinforce", "ppo")]
    run(f"from hs_env.cli import main\nfor command in {commands}:\n main(command)", tmp_path)
    assert all((tmp_path / agent / "classifier.safetensors").is_file() for agent in ("reinforce", "ppo"))


PURPOSES = {
    "hs_env.report": "Reports",
    "hs_env.report.charts": "Reports",
    "hs_env.experiments.plots": "Statistics over runs|Figures of results",
    "hs_env.experiments.statistics": "Statistics over runs",
    "hs_env.inference.scikit_learn": "Classifiers for scikit-learn",
}
"""What modules are for that need an extra."""


def test_what_needs_an_extra_names_it(tmp_path: Path) -> None:
    code = (
        f"import importlib\nfor module in {list(PURPOSES)}:\n"
        " try:\n  importlib.import_module(module)\n except ValueError as error:\n  print(error)"
    )
    for purpose, said in zip(PURPOSES.values(), run(code, tmp_path).splitlines(), strict=True):
        assert re.fullmatch(rf'({purpose}) need an extra package: pip install "hs-env\[analysis\]"\.', said)


def test_commands_name_the_extra(tmp_path: Path) -> None:
    said = run(
        "from hs_env.cli import main\n"
        "sys.stderr = sys.stdout\n"
        "try:\n main(['report', 'run', '--out', 'a.html'])\n"
        "except SystemExit as left:\n assert left.code",
        tmp_path,
    )
    assert said == 'hs-env: Reports need an extra package: pip install "hs-env[analysis]".\n'


def test_the_tests_have_every_extra_that_they_need() -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    required = config["options"]["install_requires"].lower().split()
    assert not {"gensim", "pandas", *config["options.extras_require"]["analysis"].lower().split()} & {*required}
    assert ".[dev,analysis,contextual,tune]" in (ROOT / "Makefile").read_text(encoding="utf-8")
