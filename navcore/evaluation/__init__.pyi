from .comparison import (
    Comparison as Comparison,
)
from .differences import (
    distance as distance,
    is_floating as is_floating,
)
from .ranking import (
    Choice as Choice,
    candidates_of as candidates_of,
    fastest_runtime as fastest_runtime,
    is_measured as is_measured,
    median_latency as median_latency,
)
from .strategies import (
    MaxThroughput as MaxThroughput,
    MinLatency as MinLatency,
    Smallest as Smallest,
    Strategy as Strategy,
)
from .verification import (
    verify as verify,
)
from .verify_and_measure import (
    Evaluation as Evaluation,
    MeasureSettings as MeasureSettings,
    VerifySettings as VerifySettings,
    evaluate as evaluate,
)
