"""Measure speed next to yardsticks in the same process: `benchmark.py training`, `environments` or `hm_lstm`."""

from __future__ import annotations

import tyro
from benchmark_environments import benchmark_environments
from benchmark_hm_lstm import benchmark_hm_lstm
from benchmark_training import benchmark_training

if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict(
        {"training": benchmark_training, "environments": benchmark_environments, "hm_lstm": benchmark_hm_lstm}
    )
