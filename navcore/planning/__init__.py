"""From a caller's arguments to settings, from a model to a source, and from routes to a plan."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
