"""Shows results and progress to people: the aligned table, and the lines of a run while it works."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
