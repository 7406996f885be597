from .candidates import (
    Choice as Choice,
    candidates_of as candidates_of,
    fastest_runtime as fastest_runtime,
    is_measured as is_measured,
    median_latency as median_latency,
)
from .comparison import (
    Comparison as Comparison,
)
from .differences import (
    distance as distance,
    is_floating as is_floating,
)
from .interleaving import (
    BLOCK_SECONDS as BLOCK_SECONDS,
    Interleaved as Interleaved,
    Ratio as Ratio,
    interleave as interleave,
)
from .precision_bounds import (
    MEAN_RUNS as MEAN_RUNS,
    is_noisy as is_noisy,
)
from .raw_latencies import (
    write_raw as write_raw,
)
from .scoring import (
    Scores as Scores,
    Scoring as Scoring,
    write_scores as write_scores,
)
from .strategies import (
    MaxThroughput as MaxThroughput,
    MaxThroughputUnder as MaxThroughputUnder,
    MinLatency as MinLatency,
    Smallest as Smallest,
    Strategy as Strategy,
)
from .trial import (
    mean_of as mean_of,
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
from .warming_up import (
    warm_up as warm_up,
)
from .windows import (
    Window as Window,
    pooled_performance as pooled_performance,
    take_window as take_window,
)
