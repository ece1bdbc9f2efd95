"""A classifier that learns, and the slow copy of it that is used."""

from __future__ import annotations

import copy
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from hs_env.models.classifier import ENCODER_WEIGHTS

M = TypeVar("M", bound=nn.Module)
_RISING = 100
"""Updates over which the rate of an encoder rises: the classifier above it knows nothing at first."""


class ClassifierOptimizer(Generic[M]):
    """Adam on a model's log-likelihood, with decoupled weight decay (Loshchilov and Hutter 2019) and a slow copy.

    The slow copy follows the learning weights by `slow += tau * (fast - slow)` after each update (tau = 0.1 in Zhang,
    Huang, Zhao 2018). It is frozen, and in eval mode unless the P-Net is to learn from it with dropout: it gives the
    states and rewards that the P-Net learns from, and it is what is evaluated and saved.

    Args:
        model: The model to train.
        tau: Share of the learning weights that the slow copy takes over.
        clip_norm: Greatest norm of the gradient.
        weight_decay: An update takes the learning rate times this share of the matrices away, but for word vectors.
        encoder_rate: Share of the learning rate at which an encoder of words learns, after its first updates.

    Attributes:
        fast: The learning model.
        slow: Its slow copy.
        updates: How many there have been.
    """

    def __init__(
        self, model: M, tau: float, clip_norm: float, weight_decay: float = 0.0, encoder_rate: float = 0.0
    ) -> None:
        self.fast = model
        self.slow = copy.deepcopy(model).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(_groups(model, weight_decay), weight_decay=0.0)
        self.tau, self.clip_norm, self.encoder_rate, self.updates = tau, clip_norm, encoder_rate, 0

    def update(self, learning_rate: float, labels: Tensor, *inputs: Any) -> dict[str, float]:
        """One step of Adam on the mean negative log-likelihood of `labels` (R,) under `fast(*inputs)` (R, C)."""
        self.updates += 1
        share = self.encoder_rate * min(1.0, self.updates / _RISING)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * (share if group.get("encoder") else 1.0)
        self.fast.train()
        loss = nn.functional.nll_loss(self.fast(*inputs), labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.fast.parameters(), self.clip_norm)
        self.optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(self.slow.parameters(), self.fast.parameters(), strict=True):
                slow.lerp_(fast, self.tau)
        return {"loss": loss.item(), "gradient_norm": norm.item()}

    def state_dict(self) -> dict[str, Any]:
        """Both copies, the optimiser and the number of updates."""
        return {
            "fast": self.fast.state_dict(),
            "slow": self.slow.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "updates": self.updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state_dict`."""
        self.fast.load_state_dict(state["fast"])
        self.slow.load_state_dict(state["slow"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.updates = state.get("updates", 0)  # in checkpoints of older versions there is none, and no encoder


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The parameters by whether they decay and are an encoder's; one group if all are alike."""
    kept: list[nn.Parameter] = []
    decayed: list[nn.Parameter] = []
    encoder: list[nn.Parameter] = []
    for name, weight in model.named_parameters():
        if name.startswith(ENCODER_WEIGHTS):
            encoder.append(weight)
        elif weight_decay and weight.ndim > 1 and not name.startswith("words."):
            decayed.append(weight)
        else:
            kept.append(weight)
    groups: list[dict[str, Any]] = [
        {"params": kept},
        {"params": decayed, "weight_decay": weight_decay},
        {"params": encoder, "encoder": True},
    ]
    return [group for group in groups if group["params"]]
