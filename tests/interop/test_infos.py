"""Infos of a vector environment, taken apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hs_env.errors import HsEnvError
from hs_env.interop.infos import unpack_infos

SOME = np.array([True, False, True])
INFOS: dict[Any, Any] = {
    "everywhere": np.array([1, 2, 3]),
    "some": np.array([0.5, 0.0, 1.5], np.float32),
    "_some": SOME,
    "rows": np.arange(6).reshape(3, 2),
    "objects": np.array([("a",), None, "b"], dtype=object),
    "nested": {"flag": SOME, "_flag": SOME, "deep": {"x": np.arange(3)}},
    "_nested": np.array([True, True, False]),
    "_private": np.array([7, 8, 9]),
    "__private": np.array([False, False, True]),
    4: np.arange(3),
    "_4": SOME,
}


def test_each_environment_has_what_its_masks_say() -> None:
    always = [
        {"everywhere": i + 1, "rows": np.array([2 * i, 2 * i + 1]), "objects": o}
        for i, o in enumerate([("a",), None, "b"])
    ]
    expected = [
        always[0] | {"some": 0.5, "nested": {"flag": True, "deep": {"x": 0}}, 4: 0},
        always[1] | {"nested": {"deep": {"x": 1}}},
        always[2] | {"some": 1.5, "_private": 9, 4: 2},
    ]
    rows = unpack_infos(INFOS, 3)
    np.testing.assert_equal(rows, expected)
    np.testing.assert_equal(unpack_infos(INFOS, 3, np.array([2, 0])), [expected[2], expected[0]])
    assert [type(rows[0][key]) for key in ("everywhere", "some", 4)] == [int, float, int]
    assert type(rows[0]["nested"]["flag"]) is bool


def test_nothing_is_shared() -> None:
    rows = unpack_infos(INFOS, 3)
    rows[0]["rows"][:] = 99
    rows[0]["new"] = 1
    assert "new" not in rows[1]
    assert INFOS["rows"].max() == 5


def test_no_infos() -> None:
    assert unpack_infos({}, 2) == [{}, {}]


@pytest.mark.parametrize(
    ("infos", "message"),
    [
        ([{}, {}], "must be a dict of arrays, got a list. Remove wrappers that convert infos, such as DictInfoToList"),
        (
            {"fps": 60.0},
            r"infos\['fps'\] must be an array with one entry for each of the 2 slots.* got float 60.0\. Correct the",
        ),
        ({"a": {"short": np.zeros(1)}}, r"infos\['short'\] must be an array .* got ndarray"),
        ({"scalar": np.array(1)}, r"infos\['scalar'\] must be an array"),
    ],
)
def test_anything_else_is_refused(infos: Any, message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        unpack_infos(infos, 2)
