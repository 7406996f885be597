from .export_config import (
    SEED as SEED,
    framework_word as framework_word,
)
from .file import (
    read_status as read_status,
    write_status as write_status,
)
from .record import (
    FORMAT_VERSION as FORMAT_VERSION,
    Record as Record,
)
from .recordable import refuse_unrecordable as refuse_unrecordable
from .variant_config import (
    VariantConfig as VariantConfig,
    read_config as read_config,
    write_config as write_config,
)
