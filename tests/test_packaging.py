"""The artefacts: what they hold, where it lands and that it works there. Nothing here needs a network."""

import os
import shutil
import subprocess
import sys
import sysconfig
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path, **environment: str) -> None:
    """Run Python with arguments, in `cwd`."""
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def files_of(source: Path) -> set[str]:
    """All files of hs_env, relative to its parent; those of agents and rewards under their installed names."""
    return {
        Path(folder, name).relative_to(source).as_posix()
        for folder, _, names in os.walk(source / "hs_env", followlinks=True)
        for name in names
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a build reads, for builds leave files behind."""
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    for name in ("agents", "rewards", "hs_env"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    return source


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the unpacked source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    run("-m", "build", "--no-isolation", "--outdir", folder, source, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An otherwise empty folder that the wheel is installed in."""
    folder = tmp_path_factory.mktemp("installed")
    run("-m", "pip", "install", "--no-deps", "--no-index", "--target", folder, wheel, cwd=folder)
    return folder


def test_every_package_is_listed(source: Path) -> None:
    config = ConfigParser()
    config.read(source / "setup.cfg")
    listed = config["options"]["packages"].split()
    folders = {file.rpartition("/")[0].replace("/", ".") for file in files_of(source) if file.endswith(".py")}
    assert sorted(listed) == sorted(folders)


def test_the_wheel_holds_every_file_of_hs_env_and_nothing_else(source: Path, wheel: Path) -> None:
    files = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert files == files_of(source)
    assert {"hs_env/py.typed", "hs_env/agents/__init__.py", "hs_env/rewards/__init__.py"} <= files


def test_a_wheel_of_the_checkout_equals_the_one_of_the_source_distribution(
    source: Path, wheel: Path, tmp_path: Path
) -> None:
    run("-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, source, cwd=tmp_path)
    assert sorted(ZipFile(tmp_path / wheel.name).namelist()) == sorted(ZipFile(wheel).namelist())


def test_only_hs_env_lands_at_the_top_level(installed: Path) -> None:
    landed = {path.name for path in installed.iterdir()}
    assert {name for name in landed if not name.endswith(".dist-info")} == {"hs_env", "bin"}
    assert [path.name for path in (installed / "bin").iterdir()] == ["hs-env"]


def test_it_works_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = (
        "import hs_env, hs_env.agents, hs_env.rewards\n"
        f"assert hs_env.__file__.startswith({str(installed)!r}), hs_env.__file__\n"
        "assert hs_env.agents.__file__.startswith(hs_env.__path__[0])\n"
        "assert hs_env.rewards.__file__.startswith(hs_env.__path__[0])"
    )
    run("-c", code, cwd=tmp_path, PYTHONPATH=str(installed))


def test_a_checkout_without_links_works(source: Path, tmp_path: Path) -> None:
    """As git for Windows writes it: a file of text in place of each link."""
    for name in ("agents", "rewards", "hs_env"):
        shutil.copytree(source / name, tmp_path / name, symlinks=True)
    for name in ("agents", "rewards"):
        (tmp_path / "hs_env" / name).unlink()
        (tmp_path / "hs_env" / name).write_text(f"../{name}")
    code = (
        f"import sys; sys.path.append({sysconfig.get_path('purelib')!r})\n"  # -S: no finder of an editable install
        "import agents, hs_env.agents, hs_env.rewards\n"
        f"assert hs_env.agents.__file__.startswith({str(tmp_path)!r}), hs_env.agents.__file__\n"
        "assert hs_env.agents is agents\n"
        "assert hs_env.agents.AGENTS and hs_env.rewards.REWARDS"
    )
    run("-S", "-c", code, cwd=tmp_path)
