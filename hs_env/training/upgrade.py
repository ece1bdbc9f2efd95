"""Read configurations of earlier versions: add the fields that they lack, and rename those of version 0.1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from hs_env.models.rate import RateParameters

LATER: Final[dict[str, Any]] = {
    "reward_dropout": False,
    "weight_decay": 0.0,
    "encoder_rate": 0.0,
    "encoder_decay": 1.0,
    "curriculum_epochs": 0,
    "curriculum_words": 10,
    "init_from": None,
    "class_weights": "none",
    "label_smoothing": 0.0,
    "min_updates": 0,
    "decay_share": 0.0,
    "device": "cpu",
    "c_net_samples": None,
    "precision": None,
}
"""Fields added later, with the value that reproduces the old behaviour, so older configurations still load."""

LATER_MODEL: Final[dict[str, Any]] = asdict(RateParameters())
"""The same for the parameters of models."""

LATER_AGENT: Final = LATER_MODEL | {
    "baseline": None,
    "scale": None,
    "updates": None,
    "clip": None,
    "ratio": None,
    "discount": None,
    "optimizer": "adam",
    "policy": "actions",
    "reader": "none",
    "reader_size": 64,
    "observe": True,
    "weight_decay": 0.0,
}
"""The same for the parameters of agents."""

_MODEL: Final = ("hidden_size", "dropout", "word_dropout")
_SEPARATE: Final = ("reinforce", "sb3", "estimator", "slope_per_epoch", "structure", *_MODEL)


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a configuration of any version under their current names, and those added later."""
    of_0_1 = "reinforce" in values or "structure" in values
    return LATER | (_renamed(values) if of_0_1 else dict(values))


def _renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a configuration of version 0.1, which had one for each parameter of each model and agent."""
    shared = {name: value for name, value in values.items() if name not in _SEPARATE}
    model_parameters = {name: values[name] for name in _MODEL}
    if values["model"].partition(".")[0] == "hm_lstm":
        model_parameters["slope_per_epoch"] = values["slope_per_epoch"]
    if values["structure"] is None:  # a classifier without actions
        agent = {"agent": "", "warm_start": "", "reward": "", "pnet_epochs": 0}
        return shared | {"model_parameters": model_parameters, "agent_parameters": {}} | agent
    agent_parameters: dict[str, Any] = {}
    match values["agent"].partition(".")[0]:
        case "structure":
            shared["agent"] = "fixed"
        case "reinforce":
            agent_parameters = {**values["reinforce"], "estimator": values["estimator"]}
        case _:
            settings = dict(values["sb3"])
            agent_parameters = settings.pop("parameters") | settings
    return shared | {
        "model_parameters": model_parameters,
        "agent_parameters": agent_parameters,
        "warm_start": values["structure"],
    }
