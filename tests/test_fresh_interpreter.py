"""What an import does in a process that has imported nothing yet."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(code: str) -> None:
    """Run code at the root of the checkout, every warning an error."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["hs_env", "hs_env.envs.checker"])
def test_importing_hs_env_does_not_import_torch(module: str) -> None:
    run(f"import sys, {module}; assert 'torch' not in sys.modules")


def test_names_that_need_torch_are_imported_when_they_are_used() -> None:
    run("import sys, hs_env; assert 'load' in dir(hs_env) and 'torch' not in sys.modules; hs_env.load('phrases')")


def test_importing_the_adapters_does_not_import_what_they_adapt_to() -> None:
    run("import sys, hs_env.interop; assert not {'torch', 'stable_baselines3'} & sys.modules.keys()")


def test_importing_hs_env_registers_its_environments() -> None:
    run(
        "import gymnasium, importlib.util, hs_env\n"
        "specs = [spec for spec in gymnasium.registry.values() if spec.namespace == 'hs_env']\n"
        "assert 'hs_env/PhraseSegmentation-v0' in [spec.id for spec in specs]\n"
        "assert all(importlib.util.find_spec(spec.entry_point.split(':')[0]) for spec in specs)"
    )


def test_registering_again_neither_warns_nor_replaces() -> None:
    run(
        "import gymnasium, importlib, hs_env\n"
        "before = dict(gymnasium.registry)\n"
        "importlib.reload(hs_env)\n"
        "assert gymnasium.registry == before"
    )


@pytest.mark.parametrize(
    "imports", ["import agents.base, rewards.base, hs_env.agents", "import hs_env.agents, rewards, agents"]
)
def test_a_bare_import_in_a_checkout_is_the_installed_module(imports: str) -> None:
    run(
        f"import sys\n{imports}\n"
        "assert agents is hs_env.agents and rewards is hs_env.rewards\n"
        "loaded = [name for name in sys.modules if name.startswith(('hs_env.agents.', 'hs_env.rewards.'))]\n"
        "assert {'hs_env.agents.base', 'hs_env.rewards.base'} <= set(loaded)\n"
        "assert all(sys.modules[name] is sys.modules[name.removeprefix('hs_env.')] for name in loaded)"
    )
