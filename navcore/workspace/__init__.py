"""The folder of a run and what is written in it: results, journal, ``status.yaml``, ``config.yaml``, log."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
