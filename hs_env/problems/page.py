"""The docstring of a problem's environment, which is also its page: common text around that of the problem."""

from __future__ import annotations

from typing import Final

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

{legality} `info["action_mask"]` and `action_masks()` show which actions are legal.

## Observation Space
`Box(-1000, 1000, (D,), float32)`, the state of the encoder at the word to be decided. {observation} Hidden states lie
in [-1, 1]. A cell grows by at most 1 a step, so no sentence of up to 1000 words reaches the bounds; values beyond them
are clipped. After the last word the observation is the state that was classified.

## Rewards
0 at every word but the last one. At the last word, by default, {rewarded}; the argument `reward` chooses another. For a
text without a label, the class that the classifier finds most probable counts as the gold one.

With `shaping=True` each step is also rewarded by the change of the potential `log P(gold | the words read so far)`,
which is 0 after the last word; {potential}. All rewards of a sentence then add up to the reward above minus the
potential of the first state, which no action changes. So the best policy stays the best (Ng, Harada and Russell, 1999),
and it learns earlier which words matter.

## Starting State
The first word of a sentence of the split, drawn uniformly by the environment's generator. `reset(options=...)` chooses
instead:

| option | meaning |
|---|---|
| `indices` | index of the sentence in the split: an integer, or a sequence of one |
| `text` | any text; it is tokenised like the classifier's corpus |
| `label` | with `text`: its gold class, by name or index |

## Episode End
The episode terminates after the last word, so it has as many steps as the sentence has words. It is never truncated.

## Information
| key | type | meaning |
|---|---|---|
| `action_mask` | ({k},) int8 | 1 for the actions that are legal at this word; all of them after the last one |
| `position` | int | index of the word to be decided, from 0; `length` after the last one |
| `length` | int | number of words of the sentence |
| `index` | int | index of the sentence in the split; -1 for a text |
| `token` | int | id of the word to be decided in the classifier's vocabulary; 0 after the last one |

After the last word also:

| key | type | meaning |
|---|---|---|
| `log_probs` | (C,) float32 | log-probabilities of the classes |
| `prediction` | int | the most probable class |
| `correct` | bool | whether it is the gold class; absent for a text without a label |
{information}
| `reward_terms` | dict of float | the terms that add up to the reward |

## Arguments
```python
import gymnasium
import hs_env

env = gymnasium.make("{id}", split="test", render_mode="ansi")
```

| argument | default | meaning |
|---|---|---|
| `corpus` | `"{corpus}"` | name or path of a corpus, as `load_corpus` takes it |
| `classifier` | `"{classifier}"` | a classifier that ships with the package, its file, or the folder of a run |
| `split` | `"train"` | `"train"`, `"dev"` or `"test"` |
| `data_dir` | `None` | folder of the data sets that are not built in |
| `reward` | `"{reward}"` | a reward, by name or as an expression such as `"log_likelihood + 0.1 * accuracy"` |
| `reward_parameters` | `None` | parameters of a reward given by name, such as `{reward_parameters}` |
| `shaping` | `False` | reward each step by the change of the potential, too (see Rewards) |
| `render_mode` | `None` | `"ansi"`: a line of text; `"rgb_array"`: a frame of 288 x 720 pixels |

All arguments are plain values. Corpora and classifiers are loaded once a process and shared by its environments; a
pickled environment holds only their names.

## References
{references}

## Vectorized environment
```python
envs = gymnasium.make_vec("{id}", num_envs=64, autoreset_mode="SameStep")
```

`make_vec` makes one environment that reads N sentences side by side, with one call of the encoder a step. Each slot
behaves like a single environment. It takes the arguments above, and:

| `autoreset_mode` | when a slot begins its next sentence |
|---|---|
| `"NextStep"`, the default | in the step after the last word; the action of that step is ignored |
| `"SameStep"` | in the step of the last word; `final_obs` and `final_info` hold the end of the old sentence |
| `"Disabled"` | when `reset` is called for it |

Each slot has its own generator. `reset(seed=s)` seeds them with s, s + 1, ...; a sequence has one seed for each slot,
and None leaves a slot's generator as it is.

| option of `reset` | meaning |
|---|---|
| `reset_mask` | (N,) bool array: the slots to reset; the others stay as they are |
| `indices`, `text`, `label` | as above; one value for all slots, or a sequence of one value for each |

`action_masks()` returns (N, {k}) bool. `reset_tensors` and `step_tensors` are `reset` and `step` on torch tensors,
without infos.

## Version History
{history}"""


def environment_page(name: str, problem: Problem) -> str:
    """The docstring of the environment of `problem`, registered as `name`."""
    text = problem.environment
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
        rewarded=text.rewarded,
        potential=text.potential,
        corpus=text.corpus,
        classifier=text.classifier,
        reward=text.reward,
        reward_parameters=text.reward_parameters,
        references=text.references,
        history=text.history,
    )
