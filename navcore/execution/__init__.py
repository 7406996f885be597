"""Carries a plan out: makes each format, checks it in each runtime, every dangerous step in a process of its own."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
