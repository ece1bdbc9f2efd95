"""Upgrade configurations of version 0.1, which had a field for each parameter of each model and agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MODEL: Final = ("hidden_size", "dropout", "word_dropout")
_STRUCTURED: Final = ("hs_lstm", "attentive_hs_lstm", "id_lstm")


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a configuration under their current names; a current one is returned unchanged."""
    if "reinforce" not in values and "structure" not in values:
        return dict(values)
    old = dict(values)
    model, agent = old["model"].partition(".")[0], old.get("agent", "reinforce").partition(".")[0]
    reinforce, sb3, estimator = old.pop("reinforce", {}), dict(old.pop("sb3", {})), old.pop("estimator", "rloo")
    slope, structure = old.pop("slope_per_epoch", 0.04), old.pop("structure", None)
    parameters: dict[str, Any] = {name: old.pop(name) for name in _MODEL if name in old}
    if model == "hm_lstm":
        parameters["slope_per_epoch"] = slope
    agent_parameters: dict[str, Any] = {}
    if model not in _STRUCTURED:
        agent = ""
    elif agent == "structure":
        agent = "fixed"
    elif agent == "reinforce":
        agent_parameters = {**reinforce, "estimator": estimator}
    else:
        arguments = sb3.pop("parameters", {})
        agent_parameters = {**sb3, **arguments}
    flat = {"pnet_epochs": 0, "reward_dropout": False} if model not in _STRUCTURED else {}
    return {
        **old,
        "model_parameters": parameters,
        "agent": agent,
        "agent_parameters": agent_parameters,
        "warm_start": structure or "",
        "reward": old.get("reward") or "",
        **flat,
    }
