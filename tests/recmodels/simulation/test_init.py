"""The public names of the laboratory."""

import pytest

import recmodels.simulation as lab


def test_every_public_name_is_there():
    assert sorted(lab._MODULES) == sorted(lab.__all__) == sorted(dir(lab))
    for name in lab.__all__:
        assert getattr(lab, name).__name__ == name


def test_another_name_is_not():
    with pytest.raises(AttributeError, match="no attribute 'Shop'"):
        _ = lab.Shop  # type: ignore[attr-defined]
