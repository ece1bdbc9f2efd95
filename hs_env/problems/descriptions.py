"""What a decision problem brings with it: columns of tables, defaults of training, and the texts of its environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

LSTM_BOUNDS: Final = (
    "Hidden states are in [-1, 1]. A cell grows in size by at most 1 per step, so the first 1000 steps stay within "
    "the bounds; values beyond them are clipped."
)
"""Bounds of an observation that consists of cells and hidden states of LSTMs, for `EnvironmentText.observation`."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the comparison table: the ratio of two counts, summed over the sentences.

    Attributes:
        name: Key in files and logs.
        heading: Heading on two lines.
        numerator: Name of a count of `Problem.counts`, or "words" or "sentences".
        denominator: Likewise. The ratio is 1 where both sums are 0.
        factor: Factor of the printed value, 100 for a percentage.
        decimals: Number of decimals of the printed value.
        needs: Name of a count; the column is omitted if this count is 0 in all sentences.
        agreement: Whether the column measures agreement with gold structure; a separate table shows these columns.
    """

    name: str
    heading: tuple[str, str]
    numerator: str
    denominator: str
    factor: float = 1
    decimals: int = 3
    needs: str = ""
    agreement: bool = False


@dataclass(frozen=True, slots=True)
class TrainingDefaults:
    """Default training settings of a problem.

    Attributes:
        warm_start: Baseline policy that the C-Net is warm-started on.
        reward: Reward expression.
        reward_dropout: Whether the P-Net learns from rewards under the classifier's dropout.
        warm_epochs: Maximum number of epochs of the warm start.
        pnet_epochs: Maximum number of epochs of the P-Net alone.
        joint_learning_rate: Learning rate of the C-Net in joint training.
        joint_score: Score on dev that selects the best epoch of joint training.
        pnet_learning_rate: Learning rate of the P-Net (REINFORCE).
        initial_logits: Approximate initial logit of each action in every state; empty means 0.
    """

    warm_start: str
    reward: str
    reward_dropout: bool = False
    warm_epochs: int = 5
    pnet_epochs: int = 1
    joint_learning_rate: float = 5e-4
    joint_score: Literal["log_likelihood", "reward"] = "log_likelihood"
    pnet_learning_rate: float = 5e-3
    initial_logits: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class EnvironmentText:
    """Defaults and documentation of a problem's environment. `page.environment_page` builds its page from them.

    Attributes:
        classifier: Default classifier of corpora whose words it knows: a shipped one by name, a file, or the folder of
            a run.
        corpus: Default corpus.
        reward: Default reward.
        summary: One sentence in the imperative. All texts are Markdown.
        description: Description of an episode.
        meanings: Meanings of the actions, in the order of `Problem.actions`.
        legality: Rule of legal actions.
        observation: Contents of the observation, and their bounds.
        rewarded: Formula of the default reward, with its symbols explained.
        potential: Words where the potential of `shaping` changes.
        information: Rows of the table of infos after the last word: key, type, meaning.
        references: Papers.
        history: Changes of each version.
        timing: When the default reward comes, with the words before its formula.
        reward_parameters: Example of parameters of the default reward, as Python source.
    """

    classifier: str
    corpus: str
    reward: str
    summary: str
    description: str
    meanings: tuple[str, ...]
    legality: str
    observation: str
    rewarded: str
    potential: str
    information: tuple[tuple[str, str, str], ...]
    references: str
    history: str = "* v0: initial version"
    timing: str = "0 at every word except the last. At the last word, by default,"
    reward_parameters: str = "{}"
