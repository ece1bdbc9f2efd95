"""The error that tells a user what is wrong with their input, and a check of numeric fields."""

from __future__ import annotations

from dataclasses import fields


class HsEnvError(ValueError):
    """Bad input from a user: one message that says what was expected, what came and what to do."""


def check_ranges(config: object, **ranges: tuple[float, float]) -> None:
    """Check numeric fields of a dataclass against their least and greatest values.

    Raises:
        HsEnvError: Naming the field, its range and its value; also for a fraction where the field is a whole number.
    """
    kinds = {field.name: field.type for field in fields(config)}  # type: ignore[arg-type]
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        whole = kinds[name] == "int"
        if not isinstance(value, int if whole else (int, float)) or not low <= value <= high:
            raise HsEnvError(
                f"{name} must be {'a whole' if whole else 'a'} number from {low:g} to {high:g}, got {value!r}."
            )
