from .candidates import (
    Choice as Choice,
    candidates_of as candidates_of,
    fastest_runtime as fastest_runtime,
    is_measured as is_measured,
    median_latency as median_latency,
)
from .check_requests import (
    MeasureSettings as MeasureSettings,
    VerifySettings as VerifySettings,
)
from .comparison import (
    Comparison as Comparison,
)
from .differences import (
    distance as distance,
    is_floating as is_floating,
)
from .doubling import (
    DOUBLED as DOUBLED,
    FRUITLESS as FRUITLESS,
    GAIN as GAIN,
    Doubling as Doubling,
    doubled_note as doubled_note,
    most_at as most_at,
)
from .interleaving import (
    BLOCK_SECONDS as BLOCK_SECONDS,
    Interleaved as Interleaved,
    Ratio as Ratio,
    interleave as interleave,
)
from .paired_ratios import (
    median_interval as median_interval,
)
from .precision_bounds import (
    MEAN_RUNS as MEAN_RUNS,
    is_noisy as is_noisy,
)
from .raw_latencies import (
    write_raw as write_raw,
)
from .same_rows import (
    SameRows as SameRows,
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
from .together import (
    Proof as Proof,
    TogetherWindow as TogetherWindow,
    call_together as call_together,
    concurrent_throughput as concurrent_throughput,
)
from .trial import (
    mean_of as mean_of,
)
from .verification import (
    verify as verify,
)
from .verify_and_measure import (
    Evaluation as Evaluation,
    doubling_told as doubling_told,
    evaluate as evaluate,
)
from .warming_up import (
    warm_up as warm_up,
)
from .windows import (
    DISTURBED as DISTURBED,
    Window as Window,
    pooled_performance as pooled_performance,
    take_window as take_window,
    usual_share as usual_share,
)
