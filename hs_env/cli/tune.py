"""The command `hs-env tune`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from hs_env.cli.chosen import choose, full_config
from hs_env.cli.options import main_options
from hs_env.cli.reading import ReadingOptions
from hs_env.cli.settings import SettingsOptions
from hs_env.errors import HsEnvError
from hs_env.experiments.space import SPACE, load_space
from hs_env.training.config import TrainConfig


def command(arguments: Sequence[str]) -> Callable[..., None]:
    """Return `tune` with the parameters of the chosen model and agent as options (see `choose`)."""
    chosen = choose(arguments)

    @main_options("config", "reading", "settings", "out", "trials", "space")
    def tune(
        out: Path,
        config: TrainConfig,
        model_parameters: Any,
        agent_parameters: Any,
        reading: ReadingOptions,
        settings: SettingsOptions,
        trials: int,
        space: Path | None,
        trust: bool,
    ) -> None:
        """Search for a good configuration, judged on dev.

        Repeat the command to continue, or run it several times at once to share the work. The options of the
        configuration are those of `hs-env train`; the space replaces some of them.

        Args:
            out: Folder of the search: study, runs and best.toml.
            config: Configuration of the runs.
            model_parameters: Parameters of the model.
            agent_parameters: Parameters of the agent.
            reading: Columns of your own files.
            settings: Where the configuration comes from.
            trials: Number of trials of the search.
            space: TOML file of the fields to search, with ranges or choices; by default the space of the package.
            trust: Execute foreign code that the run of --init-from names, such as a reward `module:name`.
        """
        from hs_env.experiments.tuning import tune as search  # needs the extra "tune"

        if trust and config.init_from is None:
            raise HsEnvError("--trust is for --init-from: other options are your own. Leave it out.")
        full = full_config(config, model_parameters, agent_parameters, reading)
        full = replace(full, threads=full.threads or 1)
        best = search(full, load_space(full, space or SPACE), out, trials, Console(stderr=True))
        print(best.read_text(encoding="utf-8"))
        print(f"Train with it: hs-env train --config {best}")

    tune.__annotations__ |= chosen.annotations | {"out": Path, "trials": int, "space": Path | None}
    tune.__annotations__ |= {"trust": bool, "return": None}
    tune.__defaults__ = (*chosen.defaults, 20, None, False)
    return tune
