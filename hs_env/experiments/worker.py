"""Run one configuration: `python -m hs_env.experiments.worker FOLDER`, with the configuration on standard input."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from hs_env.errors import HsEnvError
from hs_env.experiments.runner import REFUSED, is_final, run_here
from hs_env.training.config import ResolvedConfig


def end_with(parent: int) -> None:
    """Wait until the parent process has ended, which can be killed without a word to its children, then end."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run the configuration, which is JSON. An error is one line on standard error."""
    threading.Thread(target=end_with, args=[os.getppid()], daemon=True).start()
    config = ResolvedConfig.from_json(json.load(sys.stdin))
    try:
        run_here(config, Path(sys.argv[1]))
    except (HsEnvError, OSError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        raise SystemExit(REFUSED if is_final(error) else 1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
