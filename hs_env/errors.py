"""Define the errors for invalid input and missing extras, and check the ranges of numeric fields."""

from __future__ import annotations

from dataclasses import fields


class HsEnvError(ValueError):
    """Raised for invalid input. The message says what was expected, what was given, and how to fix it."""


def missing_extra(purpose: str, extra: str) -> HsEnvError:
    """Return the error for a package that is not installed because it belongs to an extra.

    Args:
        purpose: Plural of what needs the package, such as "Reports".
        extra: Name of the extra.
    """
    return HsEnvError(f'{purpose} need an extra package: pip install "hs-env[{extra}]".')


def check_ranges(config: object, **ranges: tuple[float, float]) -> None:
    """Check that numeric fields of a dataclass are in range, with the lowest and highest allowed value of each.

    The annotations of the dataclass must be strings (`from __future__ import annotations`).

    Raises:
        HsEnvError: If a value is out of range or no number, or an `int` field holds a fraction. The message names the
            field, its range and its value.
    """
    kinds = {field.name: field.type for field in fields(config)}  # type: ignore[arg-type]
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        whole = kinds[name] == "int"
        if not isinstance(value, int if whole else (int, float)) or not low <= value <= high:
            raise HsEnvError(
                f"{name} must be {'a whole' if whole else 'a'} number from {low:g} to {high:g}, got {value!r}."
            )
