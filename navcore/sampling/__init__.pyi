from .request import SamplingRequest as SamplingRequest
from .sample_store import SampleStore as SampleStore
from .take import take_samples as take_samples
