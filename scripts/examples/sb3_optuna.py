"""Search hyper-parameters of PPO of Stable-Baselines3 with Optuna, on the split dev.

    pip install "hs-env[zoo]"
    python scripts/examples/sb3_optuna.py --trials 20 --steps 100000

A trial reports its mean reward on dev four times, and is stopped if it is worse than the median of the others.
"""

from __future__ import annotations

import gymnasium
import optuna
import torch
import tyro
from scoring import ID
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecMonitor

from hs_env.interop.sb3 import SB3VecEnv

REPORTS = 4


def make(split: str, num_envs: int) -> VecMonitor:
    """Return the environment on a split."""
    return VecMonitor(SB3VecEnv(gymnasium.make_vec(ID, num_envs, split=split, autoreset_mode="SameStep")))


def main(trials: int = 20, steps: int = 100_000, seed: int = 0) -> optuna.Study:
    """Search, print the best trial, and return the study."""
    torch.set_num_threads(1)  # for such small products, more threads are no faster, and much slower on shared cores

    def objective(trial: optuna.Trial) -> float:
        model = PPO(
            "MlpPolicy",
            make("train", 64),
            n_steps=trial.suggest_categorical("n_steps", [32, 64, 128]),
            n_epochs=trial.suggest_int("n_epochs", 2, 10),
            learning_rate=trial.suggest_float("learning_rate", 1e-4, 3e-3, log=True),
            ent_coef=trial.suggest_float("ent_coef", 1e-4, 0.1, log=True),
            batch_size=512,
            gamma=1.0,
            seed=seed,
        )
        for report in range(REPORTS):
            model.learn(steps // REPORTS, reset_num_timesteps=report == 0)
            dev = make("dev", 100)
            dev.seed(seed)  # all trials are judged on the same sentences
            reward, _ = evaluate_policy(model, dev, n_eval_episodes=500)
            trial.report(reward, report)
            if trial.should_prune():
                raise optuna.TrialPruned
        return reward

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=trials)
    print(f"best mean reward on dev: {study.best_value:+.3f} with {study.best_params}")
    return study


if __name__ == "__main__":
    tyro.cli(main)
