"""Define the binary Tree-LSTM, which reads a sentence along a tree (Tai, Socher, Manning, ACL 2015)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from hs_env.models.encoder import StructuredEncoder, legal_weights
from hs_env.models.rows import rows_of, take
from hs_env.models.sentence import SentenceClassifier
from hs_env.models.state import EncoderState
from hs_env.models.tree_cell import Children, TreeCell
from hs_env.problems.composition import COMPOSITION, tree_nodes
from hs_env.types import SentenceBatch


class TreeLSTM(SentenceClassifier, StructuredEncoder):
    """A binary Tree-LSTM whose tree the actions build, a softmax on the state of the root.

    A node has a state (c, h). With `(+)` for concatenation::

        word      c (+) h = W x + b
        parent    i, f_l, f_r, o, g = sigm, sigm, sigm, sigm, tanh of the five slices of
                      W_2 gelu(W_1 (h_l (+) h_r) + b_1) + b_2
                  c = f_l * c_l + f_r * c_r + i * g
                  h = o * tanh(c)
        class     P(y|X) = softmax(W h_root + b)

    The two layers in front of the gates replace the single one of Tai et al.: one layer cannot compute, for example,
    the larger of two digits. The stack of Bowman et al. (ACL 2016) holds the nodes that have no parent yet. The memory
    is this stack before the current word, K nodes of width 2d, the topmost one first, zeros where there is no node.
    Relaxed actions mix the stacks node by node from the top (Joulin and Mikolov, NIPS 2015).

    An unfinished sentence is classified as if all nodes were reduced now.

    Arguments as for `SentenceClassifier`. The observation has width D = 2d + e + 1.
    """

    title, problem = "Tree-LSTM", COMPOSITION

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        self.state_size = 2 * hidden_size + embedding_size + 1
        self.leaf = nn.Linear(embedding_size, 2 * hidden_size)
        self.parent = TreeCell(hidden_size)

    # Step by step ----------------------------------------------------------------------------------------------------

    def tables(self, vectors: Tensor) -> tuple[Tensor, ...]:
        """Return the nodes (n, 2d) of n words, and their vectors (n, e)."""
        return self.leaf(vectors), vectors

    def initial(self, tables: tuple[Tensor, ...], first: Tensor) -> Tensor:
        """Return an empty stack."""
        return tables[0].new_zeros(len(first), self.problem.capacity * 2 * self.hidden_size)

    def observe(self, state: EncoderState) -> Tensor:
        """Return `h_1 (+) h_2 (+) x_t (+) n / K`, (R, 2d + e + 1), for n nodes of which h_1 and h_2 are the topmost."""
        d, where = self.hidden_size, state.index_at(state.position)
        share = _height(state)[:, None] / self.problem.capacity
        return torch.cat([state.memory[:, d : 2 * d], state.memory[:, 3 * d : 4 * d], state.tables[1][where], share], 1)

    def outcomes(self, state: EncoderState) -> tuple[Tensor, ...]:
        """Put the word on the stack, and reduce the two topmost nodes not at all, once or twice."""
        width, memory = 2 * self.hidden_size, state.memory
        word = state.tables[0][state.index_at(state.position)]
        once = self.parent(memory[:, :width], word)
        twice = self.parent(memory[:, width : 2 * width], once)
        empty = torch.zeros_like(word)
        return (
            torch.cat([word, memory[:, :-width]], 1),
            torch.cat([once, memory[:, width:]], 1),
            torch.cat([twice, memory[:, 2 * width :], empty], 1),
        )

    def move(self, state: EncoderState, actions: Tensor) -> Tensor:
        """Compute only the nodes that are needed."""
        nodes = state.memory.unflatten(1, (self.problem.capacity, -1))
        actions = torch.where(state.reading, actions, 1)  # leaves the stack as high as it is
        top = state.tables[0][state.index_at(state.position)]
        for place, reduced in enumerate((actions >= 1, actions >= 2)):
            if (rows := rows_of(reduced & state.reading)) is not None:
                made = self.parent(take(nodes[:, place], rows), take(top, rows))
                top = made if isinstance(rows, slice) else top.index_copy(0, rows, made)
        moved = self._shifted(nodes, actions - 1)
        moved[:, 0] = torch.where(state.reading[:, None], top, nodes[:, 0])
        return moved.flatten(1)

    def mix(self, state: EncoderState, actions: Tensor) -> Tensor:
        """Mix the stacks as far down as there can be nodes: after t words there are at most t."""
        capacity, memory, reading = self.problem.capacity, state.memory, state.reading[:, None]
        depth = min(capacity, int(state.position.max()) + 2) if memory.is_cpu and len(memory) else capacity
        stack = memory.unflatten(1, (capacity, -1))[:, :depth]
        first, second, lower = stack[:, 0], stack[:, 1], pad(stack[:, 2:], (0, 0, 0, 1))
        word = state.tables[0][state.index_at(state.position)]
        once = self.parent(first, word)
        tops = torch.stack([word, once, self.parent(second, once)], 1)
        weights = legal_weights(self.legal(state), actions)
        top = torch.where(reading, (tops * weights[:, :, None]).sum(1), first)
        shift, stay, drop = torch.where(reading, weights, weights.new_tensor([0, 1, 0]))[:, :, None, None].unbind(1)
        below = shift * stack[:, :-1] + stay * stack[:, 1:] + drop * lower
        return pad(torch.cat([top[:, None], below], 1).flatten(1), (0, (capacity - depth) * top.shape[1]))

    def _shifted(self, nodes: Tensor, by: Tensor) -> Tensor:
        """Return stacks (R, K, 2d) without their `by` (R,) topmost nodes, of which -1 leaves room for one."""
        rows, capacity, width = nodes.shape
        source = torch.arange(capacity, device=by.device) + by[:, None]
        flat = source.clamp(0, capacity - 1) + capacity * torch.arange(rows, device=by.device)[:, None]
        shifted = nodes.reshape(-1, width).index_select(0, flat.flatten()).view(nodes.shape)
        shifted[:, -1] *= (by < 1)[:, None]
        return shifted

    def finish(self, state: EncoderState) -> Tensor:
        """Return class log-probabilities, (R, C), from the root."""
        nodes, height = state.memory.unflatten(1, (self.problem.capacity, -1)), _height(state)
        root = nodes[:, 0]
        for place in range(1, int(height.max()) if len(height) else 0):
            more = (height > place)[:, None]
            root = torch.where(more, self.parent(nodes[:, place], root), root)
        return self.classify(root[:, self.hidden_size :])

    # Known actions ---------------------------------------------------------------------------------------------------

    def encode(self, batch: SentenceBatch, actions: Tensor) -> Tensor:
        """See `StructuredEncoder.encode`.

        All nodes of one height are computed in one product. Equal nodes, those with the same two children, are computed
        once: in all samples of a sentence, and without dropout of words in all sentences.
        """
        samples = actions.shape[0] // len(batch)
        lengths = batch.lengths.repeat_interleave(samples)
        nodes = tree_nodes(self.problem.legalised(actions, lengths), lengths)
        vectors, where = self._leaves(batch)
        words = where[nodes.row // samples, nodes.stop - 1]
        number, levels = _levels(words, nodes.left, len(vectors))
        root = torch.ones_like(nodes.row, dtype=torch.bool)
        root[:-1] = nodes.row[1:] != nodes.row[:-1]  # the last node of a row
        states = self.parent.trees(self.leaf(vectors), levels)
        return self.classify(states[number[root], self.hidden_size :])

    def _leaves(self, batch: SentenceBatch) -> tuple[Tensor, Tensor]:
        """Return distinct word vectors, (n, e), and the row of each word in them, (B, T) int64."""
        dropout = self.training and (self.words.dropout.p or self.words.word_dropout.p)
        tokens, where = batch.tokens.unique(return_inverse=True)
        vectors = None if dropout else self.words.lookup(tokens)
        return self.words(batch) if vectors is None else (vectors, where)


def _height(state: EncoderState) -> Tensor:
    """Return the number of nodes on the stack, (R,) int64."""
    return state.progress.masked_fill(~state.reading, 1)


def _levels(words: Tensor, left: Tensor, leaves: int) -> tuple[Tensor, list[Children]]:
    """Number the distinct nodes of trees by height.

    Args:
        words: (nodes,) int64 leaf of each node that is a word.
        left: (nodes,) int64 left child of each node, -1 for a word; the right child is the node before.
        leaves: Number of leaves.

    Returns:
        The number of each node, (nodes,) int64: equal nodes share one, and leaves come first, then the nodes of height
        1, and so on. And the children of the nodes of each height from 1, in the order of the nodes' numbers.
    """
    number = torch.where(left < 0, words, -1)
    waiting = (left >= 0).nonzero().squeeze(1)
    base, levels = leaves + len(left), list[Children]()
    while len(waiting):
        first, second = number[left[waiting]], number[waiting - 1]
        ready = (first >= 0) & (second >= 0)
        pairs, place = (first * base + second)[ready].unique(return_inverse=True)
        number[waiting[ready]] = leaves + place
        levels.append((pairs // base, pairs % base))
        waiting, leaves = waiting[~ready], leaves + len(pairs)
    return number, levels
