"""Packages that several tests read."""

from __future__ import annotations

import pytest

import navcore as nav

from . import triton_models as models


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> nav.PackageDescriptor:
    """A model that batches, with a float and a bool output."""
    folder = tmp_path_factory.mktemp("rows")
    return models.packaged(models.rows(folder / "m.onnx"), models.data(), folder, model_name="rows")


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> nav.PackageDescriptor:
    """A model with one number per sample, an axis that moves, and a name that has to be escaped."""
    folder = tmp_path_factory.mktemp("numbers")
    return models.packaged(models.numbers(folder / "m.onnx"), models.data_of_numbers(), folder, model_name="numbers")


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> nav.PackageDescriptor:
    """A model that does not batch, with a result of one number."""
    folder = tmp_path_factory.mktemp("alone")
    return models.packaged(
        models.alone(folder / "m.onnx"), models.data_alone(), folder, model_name="alone", batch_dim=None
    )
