"""From a dataloader to stored samples, the signature they imply, and the source's own outputs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
