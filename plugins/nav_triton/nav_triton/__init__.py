"""nav-triton: from a package to Triton Inference Server, as a model repository, a first server, and a measurement.

Names are resolved when they are first used: every step of a run imports all plugins, and needs nothing of this one.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
