"""Measure speed next to yardsticks.

`training`, `environments`, `vocabulary`, `encoder`, `hm_lstm`, `h_net` or `segmental`.
"""

from __future__ import annotations

import tyro
from benchmark_encoder import benchmark_encoder
from benchmark_environments import benchmark_environments
from benchmark_h_net import benchmark_h_net
from benchmark_hm_lstm import benchmark_hm_lstm
from benchmark_segmental import benchmark_segmental
from benchmark_training import benchmark_training
from benchmark_vocabulary import benchmark_vocabulary

if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict(
        {
            "training": benchmark_training,
            "environments": benchmark_environments,
            "vocabulary": benchmark_vocabulary,
            "encoder": benchmark_encoder,
            "hm_lstm": benchmark_hm_lstm,
            "h_net": benchmark_h_net,
            "segmental": benchmark_segmental,
        }
    )
