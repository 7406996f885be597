from .comparison import Comparison as Comparison
from .differences import (
    distance as distance,
    is_floating as is_floating,
)
from .evaluate import (
    CheckResult as CheckResult,
    MeasureRequest as MeasureRequest,
    VerifyRequest as VerifyRequest,
    check as check,
)
from .ranking import (
    Choice as Choice,
    best_of as best_of,
    fastest_runtime as fastest_runtime,
    is_measured as is_measured,
    median_latency as median_latency,
)
from .verification import verify as verify
