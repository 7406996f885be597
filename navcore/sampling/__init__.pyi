from .sample_store import SampleStore as SampleStore
from .settings import SamplingSettings as SamplingSettings
from .take import take_samples as take_samples
