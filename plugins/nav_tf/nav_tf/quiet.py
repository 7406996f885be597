"""Keep TensorFlow's notices away from the user, for the time of an import, an export or a run."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

LOGGER_NAME = "nav_tf"
_CHATTY = ("absl", "tensorflow", "tf2onnx", "keras")


@contextlib.contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Environment variables that libraries read when they are imported; put back afterwards."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def quiet_settings() -> dict[str, str]:
    """Variables under which TensorFlow says only errors, and Keras leaves no file in the user's home folder.

    What the user has set stays.
    """
    settings = {"TF_CPP_MIN_LOG_LEVEL": "2"}
    if not Path("~/.keras/keras.json").expanduser().exists():
        settings["KERAS_HOME"] = os.devnull  # Keras writes its defaults there when it is imported, if it can
    return {name: value for name, value in settings.items() if name not in os.environ}


def import_quietly() -> None:
    """Import TensorFlow without a word on standard error and without a file in the home folder."""
    with environment(quiet_settings()), hushed():
        import tensorflow  # noqa: F401


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Warnings of TensorFlow, Keras and tf2onnx go to our log, their progress records nowhere.

    What they set up in the user's logging is taken back: a handler that the first record of a library installs would
    keep the standard error of this moment, which may be a step's log.
    """
    levels = [(name, logging.getLogger(name).level) for name in _CHATTY]
    handlers = [(logger, list(logger.handlers)) for logger in map(logging.getLogger, (None, *_CHATTY))]
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for name, _ in levels:
                logging.getLogger(name).setLevel(logging.ERROR)
            yield
    finally:
        for name, level in levels:
            logging.getLogger(name).setLevel(level)
        for logger, before in handlers:
            logger.handlers[:] = before
        log = logging.getLogger(LOGGER_NAME)
        for warning in caught:
            if not issubclass(warning.category, DeprecationWarning | FutureWarning):
                log.info("%s:%d: %s", warning.filename, warning.lineno, warning.message)
