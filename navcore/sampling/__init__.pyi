from .feeds import feeds_of as feeds_of
from .first_pass import (
    iterate as iterate,
    length as length,
    numbered as numbered,
)
from .sample_store import SampleStore as SampleStore, StoredInputs as StoredInputs
from .settings import SamplingSettings as SamplingSettings
from .take import take_samples as take_samples
