"""TensorFlow is imported without a word, without a trace, and with the user's own settings."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from nav_tf.quiet import environment, hushed, quiet_settings


def fail_inside() -> None:
    with environment({"NAV_TF_KNOWN": "during", "NAV_TF_NEW": "during"}):
        assert os.environ["NAV_TF_KNOWN"] == os.environ["NAV_TF_NEW"] == "during"
        raise ZeroDivisionError


def test_variables_come_back_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAV_TF_KNOWN", "before")
    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert os.environ["NAV_TF_KNOWN"] == "before"
    assert "NAV_TF_NEW" not in os.environ


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    monkeypatch.setenv("KERAS_HOME", "somewhere")
    assert quiet_settings() == {}


def test_settings_of_keras_are_read_where_there_are_some(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert quiet_settings()["KERAS_HOME"] == os.devnull
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text("{}")
    assert "KERAS_HOME" not in quiet_settings()


def test_warnings_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "nav_tf"), hushed():
        warnings.warn("the structure does not match", UserWarning, stacklevel=1)
        warnings.warn("soon gone", DeprecationWarning, stacklevel=1)
    assert "the structure does not match" in caplog.text
    assert "soon gone" not in caplog.text


def test_the_users_logging_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    tensorflow = list(logging.getLogger("tensorflow").handlers)
    with hushed():
        logging.error("a library that logs without asking")  # installs a handler, which keeps this standard error
        logging.getLogger("tensorflow").addHandler(logging.StreamHandler())
        assert logging.root.handlers
    assert logging.root.handlers == []
    assert logging.getLogger("tensorflow").handlers == tensorflow


def test_an_import_says_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    script = "from nav_tf.quiet import import_quietly; import_quietly(); import tensorflow as tf; tf.constant(1)"
    kept = {name: value for name, value in os.environ.items() if name not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_HOME")}
    ended = subprocess.run(
        [sys.executable, "-c", script], env={**kept, "HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    told = [line for line in ended.stderr.splitlines() if "absl::InitializeLog" not in line and "oneDNN" not in line]
    assert told == []
    assert list(tmp_path.iterdir()) == []
