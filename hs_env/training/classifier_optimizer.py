"""Train a classifier and its slow copy."""

from __future__ import annotations

import copy
import operator
import re
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from hs_env import ranks
from hs_env.compute import CPU, device_of, making_on
from hs_env.models.classifier import ENCODER_WEIGHTS
from hs_env.models.encoder import StructuredEncoder
from hs_env.models.sentence import FlatClassifier
from hs_env.models.words import FineTunedWords, WordEmbedding
from hs_env.training.deferred import LARGE, DeferredRows

M = TypeVar("M", bound=nn.Module)
_RISING = 100
"""Number of updates over which the learning rate of an encoder rises, since the classifier is random at first."""
_FUSED = ("cpu", "cuda")
"""Kinds of devices with a fused Adam, which updates all weights in one pass and is three times as fast."""


class ClassifierOptimizer(Generic[M]):
    """Adam on a model's log-likelihood, with decoupled weight decay (Loshchilov and Hutter 2019) and a slow copy.

    The slow copy follows the trained weights by `slow += tau * (fast - slow)` after each update (tau = 0.1 in Zhang,
    Huang, Zhao 2018). It computes the states and rewards that the P-Net learns from, and it is evaluated and saved. It
    gets no gradients, and is in eval mode except for rewards under dropout.

    Args:
        model: Model to train.
        tau: Share of the trained weights that the slow copy takes over.
        clip_norm: Maximum norm of the gradient.
        weight_decay: Decoupled weight decay of all matrices except word vectors and the encoder.
        encoder_rate: Learning rate of an encoder of words as a share of the model's, after its first 100 updates.
        encoder_decay: Learning rate of each layer of the encoder as a share of that of the layer above.
        class_weights: (C,) float32 weights of the classes in the loss; None is 1 for all.
        label_smoothing: Share of the probability of each target that is spread evenly over all classes (Szegedy et al.
            2016).

    Attributes:
        fast: Trained model.
        slow: Slow copy.
        updates: Number of updates so far.
        rows: Updates of the word vectors of a large vocabulary; None if all are updated at once.
    """

    def __init__(
        self,
        model: M,
        tau: float,
        clip_norm: float,
        weight_decay: float = 0.0,
        encoder_rate: float = 0.0,
        encoder_decay: float = 1.0,
        class_weights: Tensor | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        self.fast = model
        self.slow = copy.deepcopy(model).eval().requires_grad_(False)
        self._fused = device_of(model).type in _FUSED
        groups = _groups(model, weight_decay, encoder_decay)
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.0, fused=self._fused)
        self.tau, self.clip_norm, self.encoder_rate, self.updates = tau, clip_norm, encoder_rate, 0
        self.class_weights, self.label_smoothing = class_weights, label_smoothing
        self.rows = self._deferred() if _vocabulary_size(model) >= LARGE and ranks.count() == 1 else None

    def update(self, learning_rate: float, labels: Tensor, *inputs: Any) -> dict[str, float]:
        """Take one step on the mean negative log-likelihood of `labels` (R,) under `fast(*inputs)` (R, C).

        With label smoothing, the loss is the cross-entropy with the smoothed targets. A model may add a penalty to the
        loss, see `StructuredEncoder.penalised` and `FlatClassifier.penalised`.

        Each row has the weight of its class. The weights are not normalised per batch, which would bias the gradient.
        """
        self.updates += 1
        encoder_rate = self.encoder_rate * min(1.0, self.updates / _RISING)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * (encoder_rate * group["encoder"] if "encoder" in group else 1.0)
        self.fast.train()
        model = self.fast
        if isinstance(model, FlatClassifier | StructuredEncoder):
            log_probs, penalty = model.penalised(*inputs)
        else:
            log_probs, penalty = model(*inputs), None
        losses = nn.functional.nll_loss(log_probs, labels, reduction="none")
        if self.label_smoothing:
            losses = torch.lerp(losses, -log_probs.mean(1), self.label_smoothing)
        loss = (losses if self.class_weights is None else self.class_weights[labels] * losses).mean()
        self.optimizer.zero_grad(set_to_none=True)
        if penalty is not None:
            ranks.require_one("A penalty that depends on all sentences of a batch")
        (loss if penalty is None else loss + penalty).backward()
        ranks.reduce_gradients(self.fast.parameters())
        norm = self._step(learning_rate)
        return {"loss": loss.item(), "gradient_norm": norm.item()}

    def _step(self, learning_rate: float) -> Tensor:
        """Clip the gradient, take the step, and let the slow copy follow. Return the norm of the gradient."""
        large = None if self.rows is None else self.rows.weight
        trained = [*self.fast.parameters(), *([] if self.rows is None else [self.rows.gradient()])]
        norm = nn.utils.clip_grad_norm_(trained, self.clip_norm)
        with making_on():
            self.optimizer.step()
        if self.rows is not None:
            self.rows.step(learning_rate)
        with torch.no_grad():
            for slow, fast in zip(self.slow.parameters(), self.fast.parameters(), strict=True):
                if fast is not large and fast.requires_grad:
                    slow.lerp_(fast, self.tau)
        return norm

    def freeze_encoder(self) -> None:
        """Freeze the encoder of words. Both copies then hold the weights of the slow one."""
        fast, slow = self.fast.words, self.slow.words
        assert isinstance(fast, FineTunedWords) and isinstance(slow, FineTunedWords)  # noqa: PT018
        fast.load_state_dict(slow.state_dict())
        for weight in fast.requires_grad_(False).parameters():
            self.optimizer.state.pop(weight, None)

    def _deferred(self) -> DeferredRows:
        """Let rows of word vectors be updated when they are read."""
        fast, slow = self.fast.words, self.slow.words
        assert isinstance(fast, WordEmbedding) and isinstance(slow, WordEmbedding)  # noqa: PT018
        return DeferredRows(fast, slow, self.optimizer, self.tau)

    def settled(self) -> M:
        """Return the slow copy after all updates of its word vectors, as it is saved."""
        if self.rows is not None:
            self.rows.settle()
        return self.slow

    def state_dict(self) -> dict[str, Any]:
        """Return the state of both copies and of the optimiser, and the number of updates."""
        return {
            "fast": self.fast.state_dict(),
            "slow": self.slow.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "updates": self.updates,
            **({} if self.rows is None else {"rows": self.rows.state_dict()}),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self.fast.load_state_dict(state["fast"])
        self.slow.load_state_dict(state["slow"])
        groups = [group | {"fused": self._fused} for group in state["optimizer"]["param_groups"]]  # of another device
        self.optimizer.load_state_dict(state["optimizer"] | {"param_groups": groups})
        self.updates = operator.index(state.get("updates", 0))  # checkpoints of older versions lack it
        missed = state.get("rows")
        if self.rows is not None:
            if held := self.optimizer.state.get(self.rows.weight):
                held["step"] = held["step"].to(CPU)  # where reading it waits for no GPU
            self.rows.load_state_dict(missed)
        elif missed is not None:  # saved by one process, and resumed by several
            rows = self._deferred()
            rows.load_state_dict(missed)
            rows.detach()


def _vocabulary_size(model: nn.Module) -> int:
    """Return the number of trained word vectors that a model has, 0 if it has none."""
    words = getattr(model, "words", None)
    return words.vocabulary_size if isinstance(words, WordEmbedding) else 0


def _groups(model: nn.Module, weight_decay: float, encoder_decay: float) -> list[dict[str, Any]]:
    """Group the weights by whether they decay, and those of an encoder by learning rate; leave empty groups out.

    `group["encoder"]` is the learning rate of a group of the encoder, as a share of that of the layer of the vectors.
    """
    kept: list[nn.Parameter] = []
    decayed: list[nn.Parameter] = []
    encoder: dict[str, nn.Parameter] = {}
    for name, weight in model.named_parameters():
        if name.startswith(ENCODER_WEIGHTS):
            encoder[name] = weight
        elif weight_decay and weight.ndim > 1 and not name.startswith("words."):
            decayed.append(weight)
        else:
            kept.append(weight)
    by_rate: dict[float, list[nn.Parameter]] = {}
    words, depths = getattr(model, "words", None), depths_of(encoder)
    if isinstance(words, FineTunedWords):
        top = min(words.layer, max(depths))  # layers that share their weights all have the depth 1
        for weight, depth in zip(encoder.values(), depths, strict=True):
            by_rate.setdefault(encoder_decay ** max(0, top - depth), []).append(weight)
    groups: list[dict[str, Any]] = [
        {"params": kept},
        {"params": decayed, "weight_decay": weight_decay},
        *({"params": weights, "encoder": share} for share, weights in by_rate.items()),
    ]
    return [group for group in groups if group["params"]]


def depths_of(names: Iterable[str]) -> list[int]:
    """Return the layer that each weight of an encoder belongs to: 0 for embeddings, 1 for the first layer, and so on.

    Args:
        names: Names of all weights in the encoder's own order. The first whole number between two dots of a name is
            that of its layer, from 0. A weight without one belongs to the embeddings if its name contains "embed",
            else to the layer of the weight before it.
    """
    depths, depth = [], 0
    for name in names:
        if number := re.search(r"\.(\d+)\.", name):
            depth = 1 + int(number[1])
        depths.append(0 if number is None and "embed" in name else depth)
    return depths
