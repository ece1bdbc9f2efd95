"""Composition: decide after each word how many constituents end there, which makes a binary tree of the sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from hs_env.problems.problem import Column, EnvironmentText, Problem, Spans, TrainingDefaults
from hs_env.text_units import to_text
from hs_env.types import TREE_CAPACITY, SentenceBatch


@dataclass(frozen=True, slots=True)
class TreeNodes:
    """The nodes of R trees, in the order in which they are made: row by row, children before parents.

    Every word is a node, made by its shift. Every reduction makes a node of the two topmost nodes of the stack: the
    node at `left`, and the node just before its own.

    Attributes:
        row: (nodes,) int64 rows.
        start: (nodes,) int64 indices of the first words.
        stop: (nodes,) int64 indices after the last words.
        left: (nodes,) int64 left children; -1 for a word.
    """

    row: Tensor
    start: Tensor
    stop: Tensor
    left: Tensor


def tree_nodes(actions: Tensor, lengths: Tensor) -> TreeNodes:
    """Return all nodes that actions (R, T) make in sentences of `lengths` (R,) words, also in unfinished ones.

    A reduction is left out if the stack holds a single node. A node that is made at height n of the stack lies there
    until it becomes a left child, so its parent's left child is the last earlier node of the same row and height.
    """
    width = actions.shape[1]
    mask = torch.arange(width, device=actions.device) < lengths[:, None]
    height = ((1 - actions) * mask).cumsum(1)  # of the stack after each word, if it could fall below 1
    height = height - (height - 1).cummin(1).values.clamp(max=0)
    before = pad(height[:, :-1], (1, 0))
    made = (before + 2 - height)[mask]  # the word and its reductions
    row, position = mask.nonzero().unbind(1)
    word = torch.arange(len(made), device=made.device).repeat_interleave(made)
    place = torch.arange(len(word), device=made.device)
    reduced = place - (made.cumsum(0) - made)[word]  # number of reductions since the word
    group = row[word] * (width + 1) + before[mask][word] + 1 - reduced
    order = group.argsort(stable=True)
    left = torch.full_like(place, -1)
    left[order[1:]] = order[:-1]
    shifts = torch.where(reduced[order] == 0, place, 0).cummax(0).values  # a node begins at the last shift of its group
    start = torch.empty_like(place)
    start[order] = position[word][order[shifts]]
    return TreeNodes(row[word], start, position[word] + 1, left.masked_fill(reduced == 0, -1))


class Composition(Problem):
    """Makes a binary tree of a sentence: each word is put on a stack, then the two topmost nodes are reduced to one.

    The action is the number of reductions after the word, 0 to 2. Legal are the actions that leave at least one node,
    at most `capacity` nodes, and no more nodes than the words left can still reduce to one: one more than their number.

    Attributes:
        capacity: K, largest number of nodes on the stack between two words.
    """

    title = "composition"
    actions = ("SHIFT", "REDUCE", "REDUCE_TWICE")
    span = ("constituent", "constituents")
    closing_action = 0
    nested = True
    capacity: ClassVar[int] = TREE_CAPACITY
    columns: ClassVar[tuple[Column, ...]] = (
        Column("tree_depth", ("Tree", "depth"), "depth", "sentences", decimals=1),
        Column("tree_f1", ("Tree F1 %,", "all brackets"), "matches", "brackets", 100, 1, agreement=True),
        Column("mean_tree_f1", ("Tree F1 %,", "by sentence"), "sentence_f1", "sentences", 100, 1, agreement=True),
    )
    defaults = TrainingDefaults(
        warm_start="random",
        reward="log_likelihood",
        warm_epochs=1,
        pnet_epochs=0,
        joint_learning_rate=1e-3,
        pnet_learning_rate=1e-3,
    )
    environment = EnvironmentText(
        classifier="listops",
        corpus="listops_short",
        reward="log_likelihood",
        summary="Build the tree of an expression, word by word.",
        description=(
            "At each word of a sentence, the agent decides how many constituents end there. The word is put on a "
            "stack. Then, once per constituent that ends, the two topmost nodes of the stack become one. A frozen "
            "classifier, a Tree-LSTM (Tai, Socher and Manning, 2015), computes the vector of the new node from those "
            "of the two. After the last word one node is left, and the classifier reads the class from it. The "
            "sentences are ListOps expressions (Nangia and Bowman, 2018), whose class is their value."
        ),
        meanings=(
            "no constituent ends at this word",
            "one constituent ends: the two topmost nodes become one",
            "two constituents end: the two topmost nodes become one, twice",
        ),
        legality=(
            "One node has to be left after the last word. So an action is legal if it leaves at least one node, at "
            "most 24 nodes, and at most one node more than there are words left, because a word can lower the number "
            "of nodes by one. At the last word exactly one action is legal. An illegal action is replaced by the "
            "nearest legal one, the lower of two."
        ),
        observation=(
            "For a Tree-LSTM with hidden size d and word vectors of width e, D = 2d + e + 1: hidden states of the two "
            "topmost nodes before the word (0 if there is none), the vector of the word, and the number of nodes as a "
            "share of 24. The hidden state of a node of several words is in [-1, 1]. That of a single word is an "
            "affine function of its vector, without a bound; values beyond 1000 are clipped."
        ),
        rewarded="`log P(gold | tree)`",
        potential="it changes at every word",
        information=(
            ("num_constituents", "int", "number of constituents of two or more words"),
            ("constituents", "tuple of str", 'their words, such as `("[MAX 2", "[MAX 2 9", "[MAX 2 9 ]")`'),
        ),
        references=(
            "N. Nangia, S. Bowman. *ListOps: A Diagnostic Dataset for Latent Tree Learning.* NAACL SRW 2018. "
            "K. Tai, R. Socher, C. Manning. *Improved Semantic Representations From Tree-Structured Long Short-Term "
            "Memory Networks.* ACL 2015."
        ),
    )

    def legal(self, progress: Tensor, left: Tensor) -> Tensor:
        """See `Problem.legal`; `progress` is the number of nodes on the stack before the word."""
        nodes = progress[:, None] + 1 - torch.arange(3, device=left.device)
        most = (left + 1).clamp(max=self.capacity)
        return ((nodes >= 1) & (nodes <= most[:, None])) | (left < 0)[:, None]

    def progress_after(self, progress: Tensor, actions: Tensor) -> Tensor:
        """See `Problem.progress_after`."""
        return progress + 1 - actions

    def legalised(self, actions: Tensor, lengths: Tensor) -> Tensor:
        """See `Problem.legalised`; checks whole sequences first, since most are legal."""
        width = actions.shape[1]
        nodes = pad((1 - actions).cumsum(1)[:, :-1], (1, 0))
        left = lengths[:, None] - 1 - torch.arange(width, device=actions.device)
        legal = self.legal(nodes.flatten(), left.flatten()).gather(1, actions.reshape(-1, 1))
        return actions if bool(legal.all()) else super().legalised(actions, lengths)

    def spans(self, actions: Tensor, lengths: Tensor) -> Spans:
        """See `Problem.spans`; each constituent of two or more words is a span, children before parents."""
        nodes = tree_nodes(actions, lengths)
        made = nodes.left >= 0
        row, stop = nodes.row[made], nodes.stop[made]
        return Spans(row, nodes.start[made], stop, actions[row, stop - 1])

    def counts(self, actions: Tensor, sentences: SentenceBatch) -> dict[str, Tensor]:
        """Count constituents, and their agreement with the gold tree if there is one.

        Both trees have as many constituents, so precision, recall and F1 are equal. Without the whole sentence, which
        cannot be wrong, a sentence of L words has L - 2 brackets. The F1 of a sentence without brackets is 1.

        Returns:
            (R,) "num_constituents" and "depth", the number of constituents around the deepest word. With gold trees
            also "brackets", the number of "matches", and "sentence_f1", their ratio.
        """
        rows, lengths = len(actions), sentences.lengths
        spans = self.spans(actions, lengths)
        found = {"num_constituents": spans.counts(rows), "depth": spans.depth(actions).amax(1)}
        if sentences.gold_actions is None:
            return found
        gold = self.spans(sentences.gold_actions, lengths)
        width = actions.shape[1] + 1
        keys = [(each.row * width + each.start) * width + each.stop for each in (spans, gold)]
        whole = spans.stop - spans.start == lengths[spans.row]
        right = torch.isin(*keys) & ~whole
        brackets = (lengths - 2).clamp(min=0)
        matches = torch.bincount(spans.row[right], minlength=rows)
        share = torch.where(brackets > 0, matches / brackets.clamp(min=1), 1.0)
        return found | {"brackets": brackets, "matches": matches, "sentence_f1": share}

    def describe(self, words: Sequence[str], actions: Sequence[int], unit: str = "words") -> dict[str, Any]:
        """See `Problem.describe`; the tree of a finished sentence as text with brackets, and the actions."""
        tree = to_text(self.bracketed(words, actions), unit)
        return {"tree": tree, "actions": [self.actions[action] for action in actions]}


COMPOSITION: Final = Composition()
