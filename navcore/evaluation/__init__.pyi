from .comparison import Comparison as Comparison
from .differences import (
    distance as distance,
    is_floating as is_floating,
)
from .ranking import (
    Choice as Choice,
    best_of as best_of,
    fastest_runtime as fastest_runtime,
    is_measured as is_measured,
    median_latency as median_latency,
)
from .verification import verify as verify
from .verify_and_measure import (
    Evaluation as Evaluation,
    MeasureSettings as MeasureSettings,
    VerifySettings as VerifySettings,
    evaluate as evaluate,
)
