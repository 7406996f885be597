from .comparison import Comparison as Comparison
from .differences import (
    distance as distance,
    is_floating as is_floating,
)
from .precision_bounds import (
    MEAN_RUNS as MEAN_RUNS,
    is_noisy as is_noisy,
)
from .ranking import (
    Choice as Choice,
    best_of as best_of,
    fastest_runtime as fastest_runtime,
    is_measured as is_measured,
    median_latency as median_latency,
)
from .trial import mean_of as mean_of
from .verify_and_measure import (
    Evaluation as Evaluation,
    MeasureSettings as MeasureSettings,
    VerifySettings as VerifySettings,
    evaluate as evaluate,
)
