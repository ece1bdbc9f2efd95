"""Parse rewards that are written as text, such as `log_likelihood + 0.1 * hs_lstm(gamma=0.2)`."""

from __future__ import annotations

import ast
import inspect
import operator
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hs_env.errors import HsEnvError
from hs_env.registry import load_reference

from .base import REWARDS, Reward
from .function import FIELDS, PROGRESS, FunctionReward, function_parameters, is_reward_function

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", re.ASCII)
_GREATEST = 1e30
_SHOWN = 100  # characters of a long expression around an error
_TOO_DEEP = "it is nested too deeply"
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


RewardLike = str | Reward | Callable[..., Any]
"""What `make_reward` makes a reward of."""


def make_reward(reward: RewardLike, /, **parameters: Any) -> Reward:
    """Make the reward that an expression describes, or that an object is or makes.

    An expression consists of names, numbers, `+`, `-`, `*` and parentheses. A name is a registered one ("hs_lstm.v1",
    or "hs_lstm" for its newest version), or `package.module:name` for a function of episodes (`FunctionReward`) or a
    subclass of `Reward`. Parameters follow the name in parentheses.

    Args:
        reward: Text of the expression, a reward, a function of episodes, or a callable that makes a reward.
        **parameters: Parameters of the reward, unless it is made already or the expression is more than a name.

    Raises:
        HsEnvError: If the expression cannot be parsed, a name is unknown, or a parameter does not fit.
    """
    if isinstance(reward, str):
        return _Expression(reward.strip()).reward(parameters)
    if isinstance(reward, Reward):
        if parameters:
            raise HsEnvError(f"The reward {reward.name!r} is made already; give {', '.join(parameters)} to its class.")
        return reward
    if not callable(reward):
        raise HsEnvError(
            f"Expected a reward as text, such as 'log_likelihood + 0.1 * accuracy', as a function, or a callable that "
            f"makes one; got {reward!r}."
        )
    if not is_reward_function(reward) and not isinstance(reward, type) and (needed := _needed(reward, parameters)):
        raise HsEnvError(
            f"The function of the reward needs {' and '.join(needed)}, which it does not get. Name some of "
            f"{', '.join((*FIELDS, PROGRESS))}, which have a value for each episode. For the batch of episodes, derive "
            "a class from hs_env.rewards.Reward: its `terms` gets it."
        )
    named = reward.func if isinstance(reward, partial) else reward
    return _made_by(reward, getattr(named, "__name__", repr(named)), parameters)


def _needed(function: Callable[..., Any], parameters: Mapping[str, Any]) -> list[str]:
    """Return the arguments that a function needs and that are not given."""
    try:
        arguments = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):  # not written in Python
        return []
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = (each for each in arguments if each.default is each.empty and each.kind not in several)
    return [each.name for each in needed if each.name not in parameters]


def describe_parameters(maker: Callable[..., Any]) -> str:
    """Describe the parameters of a reward with their defaults, such as `gamma=0.15`; empty if it has none."""
    try:
        parameters = [*inspect.signature(maker).parameters.values()]
    except ValueError:  # not written in Python
        return "..."
    if is_reward_function(maker):
        parameters = function_parameters(maker)
    return ", ".join(str(each.replace(annotation=each.empty)) for each in parameters)


class _Expression:
    """An expression, parsed as Python. Only what `make_reward` lists is allowed, and nothing is executed."""

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text.splitlines()) > 1:
            raise self._error("it must be on one line", 0, 0)
        # A Python name cannot contain the colon of a reference. A placeholder of the same length replaces it here, so
        # positions in the tree are positions in the text, from which names are taken.
        names = _REFERENCE.sub(lambda match: "_" * len(match[0]), text)
        try:
            self.tree = ast.parse(names, mode="eval").body
        except SyntaxError as error:
            begin = max(error.offset or 1, 1) - 1
            raise self._error(error.msg.partition(".")[0], begin, max((error.end_offset or 0) - 1, begin + 1)) from None
        except ValueError as error:  # a null character
            raise self._error(str(error), 0, len(text)) from None
        except (MemoryError, RecursionError):
            raise self._error(_TOO_DEEP, 0, len(text)) from None

    def reward(self, parameters: dict[str, Any]) -> Reward:
        """Make the reward that the whole expression describes."""
        if parameters:
            if not isinstance(self.tree, ast.Name | ast.Attribute):
                names = ", ".join(parameters)
                raise self._error_at(self.tree, f"write the parameters {names} in parentheses after a reward's name")
            return _made(self._piece(self.tree), parameters)
        try:
            value = self._value(self.tree)
        except RecursionError:
            raise self._error_at(self.tree, _TOO_DEEP) from None
        if not isinstance(value, Reward):
            raise self._error_at(self.tree, "this is a number, not a reward")
        return value

    def _value(self, node: ast.expr) -> Reward | float:
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                if abs(number) > _GREATEST:
                    raise self._error_at(node, "this number is too large")
                return float(number)
            case ast.Name() | ast.Attribute():
                return _made(self._piece(node), {})
            case ast.Call(func=ast.Name() | ast.Attribute() as name):
                return _made(self._piece(name), self._parameters(node))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._value(operand)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._value(operand)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() as op, right=right):
                sides = self._value(left), self._value(right)
                try:
                    value: Reward | float = _OPERATORS[type(op)](*sides)
                except TypeError:
                    reason = "rewards can only be added to rewards, and multiplied by numbers"
                    raise self._error_at(node, reason) from None
                return value
        raise self._error_at(node, "this is not allowed here")

    def _parameters(self, call: ast.Call) -> dict[str, Any]:
        parameters: dict[str, Any] = {}
        for positional in call.args:
            raise self._error_at(positional, "parameters must be given by name")
        for each in call.keywords:
            if each.arg is None or each.arg in parameters:
                raise self._error_at(each, "each parameter must be given once, by name")
            try:
                parameters[each.arg] = ast.literal_eval(self._piece(each.value))
            except (ValueError, TypeError, SyntaxError):
                reason = "a parameter must be a number, a text in quotes, True, False or None"
                raise self._error_at(each.value, reason) from None
        return parameters

    def _piece(self, node: ast.expr | ast.keyword) -> str:
        """Return the text of a node."""
        return self.text[slice(*self._place(node))]

    def _place(self, node: ast.expr | ast.keyword) -> tuple[int, int]:
        """Return begin and end of a node in the text, in characters; Python gives them in bytes."""
        coded = self.text.encode()
        begin, end = len(coded[: node.col_offset].decode()), len(coded[: node.end_col_offset].decode())
        return begin, end

    def _error_at(self, node: ast.expr | ast.keyword, reason: str) -> HsEnvError:
        return self._error(reason, *self._place(node))

    def _error(self, reason: str, begin: int, end: int) -> HsEnvError:
        first = max(0, begin - _SHOWN // 2)
        shown = self.text[first : first + _SHOWN]
        marks = " " * (begin - first) + "^" * (min(end, first + _SHOWN) - begin)
        return HsEnvError(
            f"This is not a reward: {reason}.\n    {shown}\n    {marks}\n"
            "Expected names of rewards, numbers, +, - and *, such as 'log_likelihood + 0.1 * hs_lstm(gamma=0.2)'."
        )


def _made(name: str, parameters: dict[str, Any]) -> Reward:
    """Make a single reward from its registered name or reference."""
    if ":" in name:
        # Nothing else is called, as the expression may come from somebody else's configuration.
        full, maker = name, load_reference("reward", name)
        expected = is_reward_function(maker) or (isinstance(maker, type) and issubclass(maker, Reward))
    else:
        full = REWARDS.resolve(name)
        maker = REWARDS.get(full)
        expected = callable(maker)
    if not expected:
        raise HsEnvError(
            f"{full!r} is {maker!r}. Expected a subclass of hs_env.rewards.Reward, or a function with an argument such "
            "as texts, phrases, actions, labels or log_probs; name one."
        )
    return _made_by(maker, full, parameters)


def _made_by(maker: Callable[..., Any], full: str, parameters: dict[str, Any]) -> Reward:
    """Make a reward from a function of episodes, or by calling a class or function that makes one."""
    is_function = is_reward_function(maker)
    try:
        reward: Any = FunctionReward(maker, full, **parameters) if is_function else maker(**parameters)
    except Exception as error:  # a maker may raise anything
        takes = describe_parameters(maker) or "no parameters"
        reason = str(error).rstrip(".")
        if isinstance(error, TypeError):  # from 3.13 on, Python adds a question
            reason = reason.partition(". Did you mean")[0]
        failed = "does not take these parameters" if parameters else "cannot be made"
        raise HsEnvError(f"The reward {full!r} {failed}: {reason}. It takes {takes}.") from error
    if not isinstance(reward, Reward):
        raise HsEnvError(f"{full!r} made {reward!r}. Expected an instance of hs_env.rewards.Reward.")
    return reward
