"""The public names of navcore, by the wing where they live; see docs/stability.md for what is promised of them."""

import typing

from .api import (
    load as load,
    plan as plan,
    profile as profile,
    run as run,
    save as save,
)
from .contract import (
    Artifact as Artifact,
    Axis as Axis,
    Calling as Calling,
    ConvertJob as ConvertJob,
    Effort as Effort,
    ExportJob as ExportJob,
    Feeds as Feeds,
    Format as Format,
    JitType as JitType,
    Live as Live,
    Made as Made,
    MeasurementMode as MeasurementMode,
    Precision as Precision,
    ProfileJob as ProfileJob,
    ProfilerConfig as ProfilerConfig,
    Provided as Provided,
    Route as Route,
    Runner as Runner,
    RunnerJob as RunnerJob,
    RuntimeProvider as RuntimeProvider,
    Signature as Signature,
    SpotCheck as SpotCheck,
    Template as Template,
    TensorRTPrecision as TensorRTPrecision,
    TensorSpec as TensorSpec,
    converter as converter,
    exporter as exporter,
    hookimpl as hookimpl,
    profiler as profiler,
    runner as runner,
)
from .errors import (
    ConversionError as ConversionError,
    DataloaderError as DataloaderError,
    ExportError as ExportError,
    InputError as InputError,
    NavcoreError as NavcoreError,
    OptionError as OptionError,
    PackageError as PackageError,
    PackageExists as PackageExists,
    PackageIncomplete as PackageIncomplete,
    PluginError as PluginError,
    SourceError as SourceError,
    StepCrashed as StepCrashed,
    StepError as StepError,
    TrustRequired as TrustRequired,
    Unavailable as Unavailable,
    UnknownArgument as UnknownArgument,
    UnknownFormat as UnknownFormat,
    WorkspaceError as WorkspaceError,
    WorkspaceExists as WorkspaceExists,
    WorkspaceLocked as WorkspaceLocked,
    WorkspaceNotOurs as WorkspaceNotOurs,
)
from .evaluation import (
    Choice as Choice,
    Comparison as Comparison,
    MaxThroughput as MaxThroughput,
    MaxThroughputUnder as MaxThroughputUnder,
    MinLatency as MinLatency,
    Smallest as Smallest,
    Strategy as Strategy,
    verify as verify,
)
from .execution import (
    Tried as Tried,
    available_memory as available_memory,
    first_that_works as first_that_works,
    open_artifact as open_artifact,
)
from .package import (
    Console as Console,
    MetricValue as MetricValue,
    PackageDescriptor as PackageDescriptor,
    SignedBy as SignedBy,
)
from .planning import (
    Framework as Framework,
    Plan as Plan,
    SizedDataLoader as SizedDataLoader,
    Step as Step,
)
from .registry import (
    Registry as Registry,
    load_registry as load_registry,
)
from .workspace import (
    LOGGER as LOGGER,
    Difference as Difference,
    Event as Event,
    Failure as Failure,
    Observer as Observer,
    PairedRatio as PairedRatio,
    Ranking as Ranking,
    Status as Status,
    Verification as Verification,
)

__version__: str
__all__: list[str]

def __getattr__(name: str) -> typing.Any: ...  # a plugin's namespace: navcore.torch
