from . import (
    hookspecs as hookspecs,
)
from .assets import (
    ASSETS as ASSETS,
    asset_names as asset_names,
    asset_paths as asset_paths,
)
from .decorators import (
    ROUTES_ATTRIBUTE as ROUTES_ATTRIBUTE,
    converter as converter,
    exporter as exporter,
    profiler as profiler,
    runner as runner,
)
from .effort import (
    Effort as Effort,
)
from .formats import (
    REFERENCE_FORMATS as REFERENCE_FORMATS,
    Format as Format,
    JitType as JitType,
    Live as Live,
    Provided as Provided,
    RuntimeProvider as RuntimeProvider,
    TensorRTPrecision as TensorRTPrecision,
    matching as matching,
    the_one as the_one,
)
from .given_call import (
    read_call as read_call,
)
from .harmless_options import (
    harmless as harmless,
    is_harmless as is_harmless,
)
from .hookspecs import (
    hookimpl as hookimpl,
)
from .jobs import (
    Artifact as Artifact,
    Calling as Calling,
    ConvertJob as ConvertJob,
    ExportJob as ExportJob,
    Made as Made,
    ProfileJob as ProfileJob,
    Runner as Runner,
    RunnerJob as RunnerJob,
)
from .names import (
    InnerPath as InnerPath,
    Name as Name,
    TensorName as TensorName,
    name_or_none as name_or_none,
    path_or_none as path_or_none,
)
from .plain_result import (
    plain_result as plain_result,
)
from .precision import (
    BOUNDS as BOUNDS,
    Precision as Precision,
    bound_of as bound_of,
    is_quantised as is_quantised,
    known_precision as known_precision,
    precision_of as precision_of,
)
from .profiler_config import (
    WARM_UP_BLOCKS as WARM_UP_BLOCKS,
    WARM_UP_SECONDS as WARM_UP_SECONDS,
    WINDOWS_NEEDED as WINDOWS_NEEDED,
    MeasurementMode as MeasurementMode,
    ProfilerConfig as ProfilerConfig,
    estimate_seconds as estimate_seconds,
    refuse_endless as refuse_endless,
    resolve_batch_sizes as resolve_batch_sizes,
)
from .pytree import (
    OpaqueOutput as OpaqueOutput,
    Parts as Parts,
    Template as Template,
    fill_call as fill_call,
    flatten_call as flatten_call,
    flatten_result as flatten_result,
    rename_tensors as rename_tensors,
)
from .route_validation import (
    validate_route as validate_route,
)
from .routes import (
    Hook as Hook,
    Route as Route,
    SpotCheck as SpotCheck,
    blame_line as blame_line,
    usual_variants as usual_variants,
)
from .signature import (
    Axis as Axis,
    Feeds as Feeds,
    Signature as Signature,
    TensorSpec as TensorSpec,
    dtype_named as dtype_named,
)
