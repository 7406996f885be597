"""How far two answers are apart, what that means for a verdict, and how fast a runner is."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
