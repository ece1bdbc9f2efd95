"""Search spaces: fields of a configuration with ranges or choices, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from hs_env.agents import AGENTS
from hs_env.errors import HsEnvError
from hs_env.models import MODELS
from hs_env.parameters import plain_values
from hs_env.registry import Registry
from hs_env.settings import check_tables, make_config, merge_settings, read_toml
from hs_env.training.config import ResolvedConfig, TrainConfig

SPACE: Final = Path(__file__).with_name("space.toml")
"""The search space of the package."""

NOT_SEARCHED: Final = ("corpus", "seed", "data_dir")
"""Fields that the score of a trial must not depend on."""
_NESTED: Final = ("model_parameters", "agent_parameters", "reward_parameters")

Value = bool | int | float | str


@dataclass(frozen=True)
class Range:
    """Values that a field may have.

    Attributes:
        choices: The values, or () for numbers from `low` to `high`.
        low: Lowest value.
        high: Highest value. If `low` and `high` are whole numbers, so are all values, unless the field takes others.
        log: Whether values are drawn evenly on a logarithmic scale.
    """

    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    def of_floats(self) -> Range:
        """Return the range for a field whose values need not be whole numbers."""
        return self if self.choices else replace(self, low=float(self.low), high=float(self.high))

    @property
    def ends(self) -> tuple[Value, ...]:
        """All choices, or the lowest and the highest value."""
        return self.choices or (self.low, self.high)

    def __contains__(self, value: object) -> bool:
        """Return whether a field may have this value."""
        if self.choices:
            return value in self.choices
        return isinstance(value, int | float) and self.low <= value <= self.high


Space = Mapping[str, Range]
"""Ranges by field, such as "batch_size" or "model_parameters.dropout"."""


def load_space(config: TrainConfig, path: Path = SPACE) -> Space:
    """Load the search space for the model and agent of a configuration.

    The file is TOML with the tables `[all]`, `[models.NAME]` and `[agents.NAME]`. A field has `choices = [...]`, or
    `low` and `high`, perhaps with `log = true`.

    The fields of `NOT_SEARCHED` may not be searched: scores on other data, or of another seed, cannot be compared.

    Raises:
        HsEnvError: If the file is missing or malformed, or the configuration does not allow a value.
    """
    tables = read_toml(path, "search space")
    if strange := tables.keys() - {"all", "models", "agents"}:
        raise HsEnvError(f"{path}: the tables are all, models.NAME and agents.NAME, got {sorted(strange)[0]!r}.")
    for kind, value in tables.items():
        check_tables(path, kind, value, nested=kind != "all")
    resolved = config.resolve()
    layers = [tables.get("all", {})]
    for kind, registry, name in (("models", MODELS, resolved.model), ("agents", AGENTS, resolved.agent)):
        named = _by_full_name(path, kind, registry, tables.get(kind, {}))
        layers.append(named.get(registry.resolve(name), {}) if name else {})
    space: dict[str, Range] = {}
    for field, value in merge_settings(*layers).items():
        if field in _NESTED:
            check_tables(path, field, value)
        inner = {f"{field}.{name}": each for name, each in value.items()} if field in _NESTED else {field: value}
        for name, each in inner.items():
            found = _range(f"{path}, {name}", each)
            space[name] = found.of_floats() if _takes_floats(config, name, found) else found
    if not space:
        agent = f" and the agent {resolved.agent!r}" if resolved.agent else ""
        raise HsEnvError(f"{path} names no field for the model {resolved.model!r}{agent}.")
    for name, each in space.items():
        for end in each.ends:
            try:
                with_values(config, {name: end})
            except HsEnvError as error:
                raise HsEnvError(f"{path}, {name}: {error}") from error
    return space


def _by_full_name(path: Path, kind: str, registry: Registry[Any], tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of models or agents by full name."""
    try:
        named = {registry.resolve(each): table for each, table in tables.items()}
    except HsEnvError as error:
        raise HsEnvError(f"{path}: {error}") from error
    if len(named) < len(tables):
        raise HsEnvError(f"{path}: two tables of {kind} have one name, with and without a version. Join them.")
    return named


def _takes_floats(config: TrainConfig, name: str, values: Range) -> bool:
    """Return whether a field takes a number between two whole ones. Arguments of Stable-Baselines3 do not say."""
    field, _, inner = name.partition(".")
    agent = AGENTS.get(config.resolve().agent).parameters if field == "agent_parameters" else None
    if agent is not None and inner not in {each.name for each in fields(agent)}:
        return False
    try:
        with_values(config, {name: values.low + 0.5}).resolve()
    except HsEnvError:
        return False
    return True


def with_values(config: TrainConfig, values: Mapping[str, Value]) -> TrainConfig:
    """Return a configuration with other values of fields, whose names are those of a space."""
    layers = [plain_values(config)]
    for name, value in values.items():
        field, _, inner = name.partition(".")
        layers.append({field: {inner: value} if inner else value})
    return make_config(TrainConfig, merge_settings(*layers))


def values_in(space: Space, config: TrainConfig) -> dict[str, Value]:
    """Return the value that a configuration has for each field of a space; those out of its range are left out."""
    resolved, found = config.resolve(), {}
    for name, values in space.items():
        if (value := _value_in(resolved, name)) in values:
            found[name] = value
    return found


def _value_in(resolved: ResolvedConfig, name: str) -> Any:
    """Return the value that a configuration has for a field of a space; None if it has none."""
    field, _, inner = name.partition(".")
    value = getattr(resolved, field, None)
    return value.get(inner) if inner and isinstance(value, dict) else value


def _range(place: str, value: Any) -> Range:
    """Return the range that a file describes at `place`, which ends in the name of the field."""
    if place.rpartition(", ")[2] in NOT_SEARCHED:
        raise HsEnvError(
            f"{place} cannot be searched: scores on other data or of another seed cannot be compared. Remove it."
        )
    match value:
        case {"choices": [_, *_] as choices} if len(value) == 1:
            return Range(choices=tuple(choices))
        case {"low": int() | float() as low, "high": int() | float() as high, **more} if low < high:
            log, ends = more.pop("log", False), (type(low), type(high))
            if not more and bool not in ends and isinstance(log, bool) and (low > 0 or not log):
                return Range(low=low, high=high, log=log)
    raise HsEnvError(
        f"{place}: expected choices = [...], or low and high with low < high, perhaps log = true (then low > 0), "
        f"got {value!r}."
    )
