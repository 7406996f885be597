"""The mix-in and the check of types."""

from nemo.core.classes.common import typecheck
from nemo.core.classes.exportable import Exportable

__all__ = ["Exportable", "typecheck"]
