"""Information distillation as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gymnasium.vector import AutoresetMode

from hs_env.envs.resources import ResourceNames, find_resources
from hs_env.envs.single import EncoderEnv
from hs_env.envs.vector import EncoderVectorEnv
from hs_env.types import DISTILLATION


class InformationDistillationEnv(EncoderEnv):
    """Keep the words of a sentence that matter, word by word.

    ## Description
    A sentence is read word by word, and at each word the agent says whether it is kept or left out. A frozen
    classifier, ID-LSTM (Zhang, Huang and Zhao, 2018), reads the words that are kept, and those alone. At the end of the
    sentence it classifies what it has read, and the agent is rewarded for leaving out as much as it can without harm.

    ## Action Space
    `Discrete(2)`

    | action | name | meaning |
    |---|---|---|
    | 0 | DELETE | the word is left out |
    | 1 | RETAIN | the word is kept |

    At least one word is kept: at the last word of a sentence of which nothing has been, DELETE is not legal, and is
    taken as RETAIN. `info["action_mask"]` and `action_masks()` say which actions are legal.

    ## Observation Space
    `Box(-1000, 1000, (D,), float32)`, the state of the encoder at the word that is to be decided. For ID-LSTM with
    hidden size d and word vectors of width e, D = 2d + e: cell and hidden state after the words that have been kept,
    then the vector of the word. Hidden states lie in [-1, 1]; a cell grows by at most 1 a step, so no sentence of up to
    1000 words reaches the bounds. Values beyond them are clipped. After the last word, the state that was classified,
    and the last word again.

    ## Rewards
    0 at every word but the last one. There, by default, `log P(gold | X) + gamma * d / L` for d deleted ones of L
    words, where gamma is 0.15; `reward` chooses another. A text without a label is rewarded as if the class that the
    classifier finds most probable were the gold one.

    With `shaping=True` each step is also rewarded by the change of the potential `log P(gold | what has been read so
    far)`, which is 0 after the last word; it moves where a word is retained. All rewards of a sentence then
    add up to the above less the potential of its start, which no action changes: the best policy stays the best (Ng,
    Harada and Russell, 1999), and learns of its words earlier.

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
    | `num_retained` | int | words that are kept |
    | `retained` | tuple of str | these words, such as `("not", "good")` |
    | `reward_terms` | dict of float | the terms that the reward is the sum of |

    ## Arguments
    ```python
    import gymnasium
    import hs_env

    env = gymnasium.make("hs_env/InformationDistillation-v0", split="test", render_mode="ansi")
    ```

    | argument | default | meaning |
    |---|---|---|
    | `corpus` | `"phrases"` | name or path of a corpus, as `load_corpus` takes it |
    | `classifier` | `"phrases_id_lstm"` | a classifier that ships with the package, its file, or the folder of a run |
    | `split` | `"train"` | `"train"`, `"dev"` or `"test"` |
    | `data_dir` | `None` | the folder that the corpora of the field are read from |
    | `reward` | `"id_lstm"` | a reward, by name or as an expression such as `"log_likelihood + 0.1 * accuracy"` |
    | `reward_parameters` | `None` | its parameters, if it is but a name, such as `{"gamma": 0.3}` |
    | `shaping` | `False` | reward each step by the change of the potential too, see above |
    | `render_mode` | `None` | `"ansi"`: a line of text; `"rgb_array"`: a frame of 288 x 720 pixels |

    All of them are plain values. Corpora and classifiers are read once a process and shared by its environments; a
    pickled environment holds their names.

    ## References
    T. Zhang, M. Huang, L. Zhao. *Learning Structured Representation for Text Classification via Reinforcement
    Learning.* AAAI 2018.

    ## Vectorized environment
    ```python
    envs = gymnasium.make_vec("hs_env/InformationDistillation-v0", num_envs=64, autoreset_mode="SameStep")
    ```

    This makes `InformationDistillationVectorEnv`, which reads N sentences side by side, with one call of the encoder a
    step. Its slots see what single environments see. It takes the arguments above, and:

    | `autoreset_mode` | a slot begins its next sentence |
    |---|---|
    | `"NextStep"`, the default | in the step after the last word, whose action is ignored |
    | `"SameStep"` | in the step of the last word; `final_obs` and `final_info` tell of the end |
    | `"Disabled"` | when `reset` says so |

    Each slot has a generator of its own. `reset(seed=s)` seeds them with s, s + 1, ...; a sequence has one seed for
    each slot, or None to go on with its generator.

    | option of `reset` | meaning |
    |---|---|
    | `reset_mask` | (N,) bool array: the slots to reset, while the others stay as they are |
    | `indices`, `text`, `label` | as above; one for all slots, or a sequence of one for each |

    `action_masks()` is (N, 2) bool. `reset_tensors` and `step_tensors` are `reset` and `step` on torch tensors, without
    infos.

    ## Version History
    * v0: initial version
    """

    def __init__(
        self,
        corpus: str = "phrases",
        classifier: str = "phrases_id_lstm",
        *,
        split: str = "train",
        data_dir: str | None = None,
        reward: str = "id_lstm",
        reward_parameters: Mapping[str, Any] | None = None,
        shaping: bool = False,
        render_mode: str | None = None,
    ) -> None:
        names = ResourceNames(corpus, classifier, split, data_dir, reward, dict(reward_parameters or {}), shaping)
        super().__init__(find_resources(names, DISTILLATION), render_mode)


class InformationDistillationVectorEnv(EncoderVectorEnv):
    """Keep the words of N sentences that matter, side by side: see `InformationDistillationEnv`."""

    def __init__(
        self,
        num_envs: int = 1,
        corpus: str = "phrases",
        classifier: str = "phrases_id_lstm",
        *,
        split: str = "train",
        data_dir: str | None = None,
        reward: str = "id_lstm",
        reward_parameters: Mapping[str, Any] | None = None,
        shaping: bool = False,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        names = ResourceNames(corpus, classifier, split, data_dir, reward, dict(reward_parameters or {}), shaping)
        super().__init__(find_resources(names, DISTILLATION), num_envs, autoreset_mode, render_mode)
