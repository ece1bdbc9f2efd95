"""Run one configuration: `python -m hs_env.experiments.worker FOLDER`, with the configuration on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hs_env.errors import HsEnvError
from hs_env.experiments.runner import run_here
from hs_env.training.config import ResolvedConfig


def main() -> None:
    """Run the configuration, which is JSON. An error is one line on standard error."""
    config = ResolvedConfig.from_json(json.load(sys.stdin))
    try:
        run_here(config, Path(sys.argv[1]))
    except (HsEnvError, OSError) as error:
        raise SystemExit(" ".join(str(error).split())) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
