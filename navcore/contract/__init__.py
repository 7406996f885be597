"""The minimal core, what a plugin and navcore say to each other: formats, signatures, jobs, routes and four hooks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
