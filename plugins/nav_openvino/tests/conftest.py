"""One run that several tests read."""

from __future__ import annotations

import pytest

import navcore as nav

from .openvino_models import exported


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> nav.PackageDescriptor:
    """A run with the defaults, and ``openvino`` as its only target."""
    return exported(tmp_path_factory.mktemp("fp32"))
