"""Runs work in child processes that cannot harm the caller, and reports how each one ended.

A child is its own session, with its output in a capped log, under a time and a memory limit; it dies with its parent.
Its answer is a file with a digest, never an exit status. Linux only: this room lives on ``/proc`` and ``prctl``.

Names are resolved when they are first used: a child needs nothing of what starts and watches children, and every step
waits for its imports.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
