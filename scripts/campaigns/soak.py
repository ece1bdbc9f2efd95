"""Step native vector environments for a long time; their memory must stay flat."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Final

import gymnasium
import numpy as np
import torch
from campaign import Campaign
from gymnasium.spaces import Discrete

import hs_env
from hs_env.problems import PROBLEMS, environment_id

gymnasium.register_envs(hs_env)
STEPS: Final = 40
LEAK: Final = 4.0
"""Growth of memory per 100 trials that counts as a leak, in MiB."""
LEAST: Final = 50
"""Number of trials whose growth is trusted."""


def resident() -> float:
    """Return the resident memory of this process, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes


def main() -> int:
    """Run the campaign: a trial is 40 steps of each environment and mode, with resets, texts and copies."""
    campaign = Campaign("soak", __doc__)
    torch.set_num_threads(1)
    modes = ("NextStep", "SameStep", "Disabled")
    names = [environment_id(name) for name in PROBLEMS]
    make = gymnasium.make_vec
    environments = [(mode, make(name, 16, split="test", autoreset_mode=mode)) for name in names for mode in modes]
    measured = []
    for seed in campaign.trials():
        rng = np.random.default_rng(seed)
        for mode, envs in environments:
            envs.reset(seed=seed)
            for _ in range(STEPS):
                assert isinstance(envs.single_action_space, Discrete)
                actions = rng.integers(envs.single_action_space.n, size=16)
                _, _, terminated, truncated, _ = envs.step(actions)
                done = terminated | truncated
                if mode == "Disabled" and done.any():
                    text = "good " * int(rng.integers(1, 60))
                    envs.reset(options={"reset_mask": done, **({"text": text} if rng.random() < 0.3 else {})})
        other = make(names[seed % len(names)], int(rng.integers(1, 64)), split="test")
        other.reset()
        other.close()
        measured.append(resident())
    shown = measured[:: max(1, len(measured) // 10)]
    print(f"resident memory in MiB, at ten equal distances: {', '.join(f'{each:.1f}' for each in shown)}")
    late = measured[len(measured) // 2 :]  # at first the process still grows to the longest sentences
    if len(late) < LEAST:
        print("too short to say whether memory grows")
        return 0
    growth = 100 * float(np.polyfit(np.arange(len(late)), late, 1)[0])
    print(f"{growth:+.2f} MiB per 100 trials in the second half")
    if growth > LEAK:
        campaign.report(found="memory grows", mebibytes_per_100_trials=growth, first=late[0], last=late[-1])
    return campaign.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
