"""Compare native vector environments with single ones over random steps, resets, options, modes and limits."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from campaign import Campaign
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import hs_env
from hs_env.corpora import load_corpus
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.models import MODELS, ChunkLSTM, Classifier
from hs_env.problems import PROBLEMS, environment_id

gymnasium.register_envs(hs_env)
CORPUS = "phrases:train=50,dev=10,test=10"
KINDS = {
    environment_id(name): next(kind for _, kind in MODELS.items() if getattr(kind, "problem", None) == problem)
    for name, problem in PROBLEMS.items()
}
STEPS = 200
WORDS = ("very good", "bad", "this story seems not superb", "unheard words, certainly", "good " * 70)


def resources(folder: Path) -> dict[str, dict[str, str]]:
    """Return a corpus and a saved untrained classifier for each environment; the comparison needs no good ones."""
    found = {}
    for name, kind in KINDS.items():
        corpus_name = CORPUS + ",tokenisation=characters" * (kind is ChunkLSTM)
        corpus = load_corpus(corpus_name)
        vocabulary = Vocabulary.from_sentences(corpus.splits["train"])
        torch.manual_seed(0)
        model = kind(len(vocabulary), len(corpus.labels), 6, 8)
        path = folder / f"{kind.__name__}.safetensors"
        Classifier(model, vocabulary, corpus.labels, corpus.tokenisation, {}).save(path)
        found[name] = {"corpus": corpus_name, "classifier": str(path)}
    return found


def options_of(rng: np.random.Generator, slots: int, done: np.ndarray | None) -> dict[str, Any]:
    """Draw options of a reset; `done` are the slots that must be reset."""
    options: dict[str, Any] = {}
    kind = rng.integers(4)
    if kind == 1:
        options["indices"] = int(rng.integers(50))
    elif kind == 2:
        options["text"] = str(rng.choice(WORDS))
    elif kind == 3:
        options |= {"text": str(rng.choice(WORDS)), "label": int(rng.integers(2))}
    if done is not None:
        options["reset_mask"] = done | (rng.random(slots) < 0.1)
    return options


def difference(mine: Any, its: Any) -> str | None:
    """Describe how two returned values differ, or return None."""
    try:
        if isinstance(mine, dict):
            assert mine.keys() == its.keys(), f"keys {sorted(mine.keys() ^ its.keys())}"
            return next((f"{key}: {text}" for key in mine if (text := difference(mine[key], its[key]))), None)
        if isinstance(mine, np.ndarray) and mine.dtype == object:
            for one, other in zip(mine, its, strict=True):
                same = np.allclose(one, other, atol=1e-5) if isinstance(one, np.ndarray) else one == other
                assert same, f"{one!r} and {other!r}"
            return None
        assert mine.dtype == its.dtype, f"dtypes {mine.dtype} and {its.dtype}"
        np.testing.assert_allclose(mine, its, atol=1e-5, rtol=1e-5)
    except AssertionError as error:
        return str(error)
    return None


def compare(seed: int, named: dict[str, dict[str, str]]) -> tuple[dict[str, Any], str | None]:
    """Run one random comparison; return its setting and the first difference."""
    rng = np.random.default_rng(seed)
    name = str(rng.choice(list(KINDS)))
    mode = list(AutoresetMode)[rng.integers(3)]
    slots = int(rng.integers(1, 9))
    limit = int(rng.choice([-1, -1, 1, 3, 8]))
    names: dict[str, Any] = {**named[name], "shaping": bool(rng.integers(2))}
    names["render_mode"] = "ansi_list" if rng.random() < 0.2 else None
    setting = {"seed": seed, "id": name, "mode": mode.value, "slots": slots, "limit": limit, **names}
    native = gymnasium.make_vec(name, slots, autoreset_mode=mode, max_episode_steps=limit, **names)
    make = lambda: gymnasium.make(name, max_episode_steps=limit, disable_env_checker=True, **names)  # noqa: E731
    assert isinstance(native.single_action_space, Discrete)
    singles = SyncVectorEnv([make] * slots, autoreset_mode=mode)

    def reset(done: np.ndarray | None = None) -> str | None:
        options = options_of(rng, slots, done)
        start = int(rng.integers(1000)) if rng.random() < 0.5 else None
        # A mask is popped from the options by SyncVectorEnv.
        (mine, infos), (its, others) = (envs.reset(seed=start, options=dict(options)) for envs in (native, singles))
        return difference({"observations": mine, **infos}, {"observations": its, **others})

    _ = native.reset(seed=seed), singles.reset(seed=seed)
    done = np.zeros(slots, bool)
    for step in range(STEPS):
        setting["step"] = step
        found = None
        if mode == AutoresetMode.DISABLED and done.any():
            found = reset(done)
        elif rng.random() < 0.02:
            found = reset()
        actions = rng.integers(native.single_action_space.n, size=slots)
        (*mine, infos), (*its, others) = native.step(actions), singles.step(actions)
        parts = ("observations", "rewards", "terminated", "truncated")
        found = found or difference(
            {**dict(zip(parts, mine, strict=True)), **infos}, {**dict(zip(parts, its, strict=True)), **others}
        )
        if names["render_mode"] and rng.random() < 0.2:
            found = found or (None if native.render() == singles.render() else "pictures differ")
        if found:
            return setting, found
        done = mine[2] | mine[3]
    return setting, None


def main() -> int:
    """Run the campaign."""
    campaign = Campaign("equal", __doc__)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        named = resources(Path(folder))
        for seed in campaign.trials():
            try:
                setting, found = compare(seed, named)
            except Exception as error:  # an error of either side is a finding too
                setting, found = {"seed": seed}, f"{type(error).__name__}: {error}"
            if found:
                campaign.report(found=found, **setting)
    return campaign.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
