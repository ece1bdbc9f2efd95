"""Upgrade configurations of version 0.1, which had a field for each parameter of each model and agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MODEL: Final = ("hidden_size", "dropout", "word_dropout")
_SEPARATE: Final = ("reinforce", "sb3", "estimator", "slope_per_epoch", "structure", *_MODEL)


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a configuration under their current names; a current one is returned unchanged."""
    if "reinforce" not in values and "structure" not in values:
        return dict(values)
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
