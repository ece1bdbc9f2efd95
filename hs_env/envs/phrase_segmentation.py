"""Phrase segmentation as a Gymnasium environment."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, SupportsIndex

import gymnasium
import numpy as np
import torch
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray
from torch import Tensor

from hs_env.envs.choice import choose_sentence
from hs_env.envs.outcome import UNLABELLED, outcomes
from hs_env.envs.resources import ResourceNames, find_resources
from hs_env.models import EncoderState
from hs_env.registry import unknown_name
from hs_env.render import Segmented, to_ansi, to_rgb
from hs_env.types import END, INSIDE, PADDING, Episodes, HsEnvError, SentenceBatch

STATE_LIMIT: Final = 1000.0
"""Bound of every component of an observation.

A step of an LSTM adds at most 1 to the size of a cell, since its gates and its candidate are at most 1 in size; so no
sentence of up to 1000 words reaches the bound. Whatever an encoder has beyond it is clipped.
"""

_ACTIONS: Final = (torch.tensor([INSIDE]), torch.tensor([END]))


@dataclass(slots=True)
class _Episode:
    """A sentence that is being read.

    Attributes:
        words: Its words.
        batch: The same as a batch of one.
        index: Where it stands in the split.
        tokens: The ids of its words, and one more behind the end.
        state: Where the encoder stands.
        mask: (2,) the legal actions.
        actions: What has been decided, one action a word.
        log_probs: (1, C), once the sentence has been read.
    """

    words: tuple[str, ...]
    batch: SentenceBatch
    index: int
    tokens: list[int]
    state: EncoderState
    mask: NDArray[np.int8]
    actions: list[int] = field(default_factory=list)
    log_probs: Tensor | None = None


class PhraseSegmentationEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """Cut a sentence into phrases, word by word.

    ## Description
    A sentence is read word by word, and at each word the agent says whether the phrase ends here or goes on. A frozen
    hierarchical classifier, HS-LSTM (Zhang, Huang and Zhao, 2018), reads along: a word-level LSTM inside each phrase, a
    phrase-level LSTM over the phrases. At the end of the sentence it classifies what it has read, and the agent is
    rewarded for a structure that lets it do well.

    ## Action Space
    `Discrete(2)`

    | action | name | meaning |
    |---|---|---|
    | 0 | INSIDE | the phrase goes on with the next word |
    | 1 | END | the word is the last one of its phrase |

    The last word always ends a phrase: INSIDE is not legal there, and is taken as END. `info["action_mask"]` and
    `action_masks()` say which actions are legal.

    ## Observation Space
    `Box(-1000, 1000, (D,), float32)`, the state of the encoder at the word that is to be decided. For HS-LSTM with
    hidden size d, D = 4d: cell and hidden state of the phrase level before the word, then cell and hidden state of the
    word level after it. Hidden states lie in [-1, 1]; a cell grows by at most 1 a step, so no sentence of up to 1000
    words reaches the bounds. Values beyond them are clipped. After the last word, the state that was classified.

    ## Rewards
    0 at every word but the last one. There, by default, `log P(gold | X) - gamma * (n / L + 0.1 * L / n)` for n phrases
    in L words, where gamma is 0.1 for each class; `reward` chooses another. A text without a label is rewarded as if
    the class that the classifier finds most probable were the gold one.

    ## Starting State
    A sentence of the split, drawn uniformly with `seed`, at its first word. `reset(options=...)` chooses instead:

    | option | meaning |
    |---|---|
    | `indices` | where the sentence stands in the split: an integer, or a sequence of one |
    | `text` | any text, cut into words as the classifier's corpus was |
    | `label` | with `text`: its gold class, by name or index |

    ## Episode End
    Terminates after the last word, so an episode has as many steps as the sentence has words. Never truncates.

    ## Information
    | key | type | meaning |
    |---|---|---|
    | `action_mask` | (2,) int8 | 1 for the actions that are legal at this word; both after the last one |
    | `position` | int | the word to be decided, from 0; `length` after the last one |
    | `length` | int | words of the sentence |
    | `index` | int | where the sentence stands in the split; -1 for a text |
    | `token` | int | id of the word to be decided in the classifier's vocabulary; 0 after the last one |

    After the last word also:

    | key | type | meaning |
    |---|---|---|
    | `log_probs` | (C,) float32 | log-probabilities of the classes |
    | `prediction` | int | the most probable class |
    | `correct` | bool | whether that is the gold class; left out for a text without a label |
    | `num_phrases` | int | phrases |
    | `phrases` | tuple of str | their words, such as `("the movie", "is not", "very good")` |
    | `reward_terms` | dict of float | the terms that the reward is the sum of |

    ## Arguments
    ```python
    import gymnasium
    import hs_env
    env = gymnasium.make("hs_env/PhraseSegmentation-v0", split="test", render_mode="ansi")
    ```

    | argument | default | meaning |
    |---|---|---|
    | `corpus` | `"phrases"` | name or path of a corpus, as `load_corpus` takes it |
    | `classifier` | `"phrases"` | a classifier that ships with the package, its file, or the folder of a run |
    | `split` | `"train"` | `"train"`, `"dev"` or `"test"` |
    | `data_dir` | `None` | the folder that the corpora of the field are read from |
    | `reward` | `"hs_lstm"` | name of a reward |
    | `reward_parameters` | `None` | its parameters, such as `{"gamma": 0.5}` |
    | `render_mode` | `None` | `"ansi"`: a line of text; `"rgb_array"`: a frame of 288 x 720 pixels |

    All of them are plain values. Corpora and classifiers are read once a process and shared by its environments; a
    pickled environment holds their names.

    ## References
    T. Zhang, M. Huang, L. Zhao. *Learning Structured Representation for Text Classification via Reinforcement
    Learning.* AAAI 2018.

    ## Version History
    * v0: initial version
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}  # type: ignore[misc]

    def __init__(
        self,
        corpus: str = "phrases",
        classifier: str = "phrases",
        *,
        split: str = "train",
        data_dir: str | None = None,
        reward: str = "hs_lstm",
        reward_parameters: Mapping[str, Any] | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise unknown_name("render mode", render_mode, self.metadata["render_modes"])
        names = ResourceNames(corpus, classifier, split, data_dir, reward, dict(reward_parameters or {}))
        self._resources = find_resources(names)
        self._episode: _Episode | None = None
        self.render_mode = render_mode
        self.observation_space = Box(-STATE_LIMIT, STATE_LIMIT, (self._resources.encoder.state_size,), np.float32)
        self.action_space = Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin a sentence.

        Args:
            seed: Starts the environment's own generator anew; None goes on with it.
            options: `{"indices": 3}`, `{"text": "not very good"}` or `{"text": "not very good", "label": "negative"}`.

        Returns:
            Observation and info, see the class.

        Raises:
            HsEnvError: Options that are unknown, contradict each other or are out of range; a text without words.
        """
        super().reset(seed=seed)
        words, batch = choose_sentence(self._resources, options or {}, self.np_random)
        with torch.inference_mode():
            state = self._resources.encoder.start(batch)
            observation, mask = self._see(state)
        tokens = [*batch.tokens[0].tolist(), PADDING]
        self._episode = _Episode(words, batch, int(batch.indices), tokens, state, mask)
        return observation, _info(self._episode)

    def step(self, action: SupportsIndex) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Decide the word and move to the next one.

        Args:
            action: INSIDE (0) or END (1).

        Returns:
            Observation, reward, terminated, truncated (never) and info, see the class.

        Raises:
            ResetNeeded: There is no sentence to read.
            HsEnvError: The action is neither 0 nor 1; or what the reward raises.
        """
        if (episode := self._episode) is None:
            raise ResetNeeded("There is no sentence yet: call reset() before step().")
        if episode.log_probs is not None:
            raise ResetNeeded("The sentence has been read to its end: call reset() before the next step().")
        if not self.action_space.contains(action):
            raise HsEnvError(f"The action is {action!r}, expected INSIDE ({INSIDE}) or END ({END}), an integer.")
        chosen = operator.index(action)
        if not episode.mask[chosen]:
            chosen = 1 - chosen
        episode.actions.append(chosen)
        with torch.inference_mode():
            episode.state = self._resources.encoder.advance(episode.state, _ACTIONS[chosen])
            observation, episode.mask = self._see(episode.state)
        info = _info(episode)
        reward, terminated = 0.0, len(episode.actions) == len(episode.words)
        if terminated:
            reward, end = self._finish(episode)
            info |= end
        return observation, reward, terminated, False, info

    def action_masks(self) -> NDArray[np.bool_]:
        """(2,) bool: the legal actions, as MaskablePPO of sb3-contrib asks for them.

        Raises:
            ResetNeeded: There is no sentence yet.
        """
        if self._episode is None:
            raise ResetNeeded("There is no sentence yet: call reset() before action_masks().")
        return self._episode.mask.astype(np.bool_)

    def render(self) -> str | NDArray[np.uint8] | None:
        """The sentence as far as it has been read: its phrases, the words to come, at the end the prediction.

        Returns:
            A line of text for "ansi", (288, 720, 3) uint8 for "rgb_array".

        Raises:
            ResetNeeded: There is no sentence yet.
        """
        if self.render_mode is None:
            gymnasium.logger.warn('render() draws nothing without a render mode: pass render_mode="ansi" to make().')
            return None
        if (episode := self._episode) is None:
            raise ResetNeeded("There is no sentence yet: call reset() before render().")
        labels, label = self._resources.classifier.labels, int(episode.batch.labels)
        gold = None if label == UNLABELLED else labels[label]
        prediction, probability = None, None
        if episode.log_probs is not None:
            prediction = labels[int(episode.log_probs.argmax())]
            probability = float(episode.log_probs.max().exp())
        drawn = Segmented(episode.words, tuple(episode.actions), gold, prediction, probability)
        return to_ansi(drawn) if self.render_mode == "ansi" else to_rgb(drawn)

    def _finish(self, episode: _Episode) -> tuple[float, dict[str, Any]]:
        """The reward, and what info says at the end. What a reward sees are ordinary tensors."""
        with torch.no_grad():
            episode.log_probs = self._resources.encoder.finish(episode.state)
            finished = Episodes(episode.batch, torch.tensor([episode.actions]), episode.log_probs)
            (outcome,) = outcomes(self._resources.reward, finished, [episode.words])
        return outcome.reward, outcome.info

    def _see(self, state: EncoderState) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        """Fresh arrays of the observation and the mask."""
        observation = self._resources.encoder.observe(state)[0].clamp(-STATE_LIMIT, STATE_LIMIT)
        return observation.numpy(), self._resources.encoder.legal(state)[0].numpy().astype(np.int8)


def _info(episode: _Episode) -> dict[str, Any]:
    """What info says at every word."""
    position = len(episode.actions)
    return {
        "action_mask": episode.mask.copy(),
        "position": position,
        "length": len(episode.words),
        "index": episode.index,
        "token": episode.tokens[position],
    }
