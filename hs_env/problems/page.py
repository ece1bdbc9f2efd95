"""The docstring of a problem's environment, which is also its documentation page."""

from __future__ import annotations

from typing import Final

from hs_env.errors import HsEnvError
from hs_env.problems import environment_id
from hs_env.problems.problem import Problem

_TEMPLATE: Final = """\
{summary}

## Description
{description}

## Action Space
`Discrete({k})`

| action | name | meaning |
|---|---|---|
{actions}

{legality} `info["action_mask"]` and `env.unwrapped.action_masks()` show which actions are legal.

## Observation Space
`Box(-1000, 1000, (D,), float32)`, the state of the encoder at the current word. {observation} After the
last word, the observation is the state that was classified.

## Rewards
{timing} {rewarded}. The argument `reward` selects another reward. For a text without a label, the
predicted class replaces the gold class.

With `shaping=True`, each step's reward includes the change of the potential `log P(gold | the words read so far)`. The
potential is 0 after the last word; {potential}. The rewards of a sentence then add up to the reward above minus the
potential of the first state, which no action changes. With a discount of 1, the optimal policy therefore stays the
same (Ng, Harada and Russell, 1999), but the agent gets feedback earlier.

## Starting State
The first word of a random sentence of the split, drawn uniformly by the environment's generator.
`reset(options=...)` selects another sentence:

| option | meaning |
|---|---|
| `indices` | index of the sentence in the split: an integer, or a sequence of one |
| `text` | any text; it is tokenised like the classifier's corpus |
| `label` | gold class of `text`, by name or index |

## Episode End
The episode terminates after the last word, so it has as many steps as the sentence has words. It is truncated only if
`max_episode_steps` is passed to `gymnasium.make` or `make_vec`.

## Information
| key | type | meaning |
|---|---|---|
| `action_mask` | ({k},) int8 | 1 for the actions that are legal at this word; all 1 after the last word |
| `position` | int | index of the current word, from 0; `length` after the last one |
| `length` | int | number of words of the sentence |
| `index` | int | index of the sentence in the split; -1 for a text |
| `token` | int | id of the current word in the classifier's vocabulary; 0 after the last one |

After the last word also:

| key | type | meaning |
|---|---|---|
| `log_probs` | (C,) float32 | log-probabilities of the classes |
| `prediction` | int | the most probable class |
| `correct` | bool | whether the prediction is the gold class; absent for a text without a label |
{information}
| `reward_terms` | dict of float | terms that add up to the episode's reward; with `shaping` \
also the change of the potential in the last step |
| `unweighted_terms` | dict of float | the terms of weight 0 before weighting; absent if the reward has none |

## Arguments
```python
import gymnasium
import hs_env

env = gymnasium.make("{id}", split="test", render_mode="ansi")
```

| argument | default | meaning |
|---|---|---|
| `corpus` | `"{corpus}"` | name or path of a corpus, see `load_corpus` |
| `classifier` | `None` | name of a shipped classifier, a file, or the folder of a run. `None`: `"{classifier}"` \
or, for a corpus whose words it does not know, the shipped one that knows its words and classes |
| `split` | `"train"` | `"train"`, `"dev"` or `"test"` |
| `data_dir` | `None` | folder of the data sets that do not ship with the package |
| `reward` | `"{reward}"` | name of a reward, an expression such as `"log_likelihood + 0.1 * accuracy"`, or a function |
| `reward_parameters` | `None` | parameters of a reward given by name{reward_parameters} |
| `shaping` | `False` | add the change of the potential to the reward of each step (see Rewards) |
| `device` | `"cpu"` | device of the classifier: `"cpu"`, `"cuda"`, `"cuda:1"`, `"mps"`, or `"auto"` for a CUDA GPU \
if there is one |
| `render_mode` | `None` | `"ansi"`: a line of text; `"rgb_array"`: a frame of 288 x 720 pixels |

`make` and `make_vec` also take the render modes `"ansi_list"` and `"rgb_array_list"`, which collect the pictures of all
steps. Arguments are copied with the specification of the environment, so pass a large reward as a callable that makes
it. Environments of one process share corpora and classifiers, which are loaded once. A pickled environment contains
only their names.

## References
{references}

## Vectorized environment
```python
envs = gymnasium.make_vec("{id}", num_envs=64, autoreset_mode="SameStep")
```

`make_vec` makes one environment with N slots, each with its own sentence. A step calls the encoder once for all slots.
Each slot behaves like a single environment. `make_vec` takes the arguments above, and:

| `autoreset_mode` | start of a slot's next sentence |
|---|---|
| `"NextStep"`, the default | in the step after the last word; the action of that step is ignored |
| `"SameStep"` | in the step of the last word; `final_obs` and `final_info` are those of the old sentence |
| `"Disabled"` | when `reset` is called for the slot |

`max_episode_steps` truncates episodes as in `gymnasium.make`. A truncated sentence earns no reward of its last word, so
the default is no limit.

Each slot has its own generator. `reset(seed=s)` seeds them with s, s + 1, ...; a sequence gives one seed per slot, and
None continues a slot's generator.

| option of `reset` | meaning |
|---|---|
| `reset_mask` | (N,) bool array: the slots to reset; the others do not change |
| `indices`, `text`, `label` | as above; one value for all slots, or a sequence of one value per slot |

`action_masks()` returns (N, {k}) bool. `reset_tensors` and `step_tensors` are like `reset` and `step`, but use torch
tensors and return no infos.

## Version History
{history}"""


def environment_page(name: str, problem: Problem) -> str:
    """Build the docstring of the environment of `problem`, registered as `name`.

    Raises:
        HsEnvError: If it does not describe each action.
    """
    text = problem.environment
    if len(text.meanings) != problem.num_actions:
        raise HsEnvError(
            f"{problem.title} has {problem.num_actions} actions, and its environment describes {len(text.meanings)} in "
            "`meanings`. Give one meaning for each."
        )
    meanings = zip(problem.actions, text.meanings, strict=True)
    return _TEMPLATE.format(
        id=environment_id(name),
        k=problem.num_actions,
        actions="\n".join(f"| {place} | {action} | {meaning} |" for place, (action, meaning) in enumerate(meanings)),
        information="\n".join(f"| `{key}` | {kind} | {meaning} |" for key, kind, meaning in text.information),
        summary=text.summary,
        description=text.description,
        legality=text.legality,
        observation=text.observation,
        timing=text.timing,
        rewarded=text.rewarded,
        potential=text.potential,
        corpus=text.corpus,
        classifier=text.classifier,
        reward=text.reward,
        reward_parameters=f", such as `{text.reward_parameters}`" if text.reward_parameters != "{}" else "",
        references=text.references,
        history=text.history,
    )
