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
    ConvertJob as ConvertJob,
    ExportJob as ExportJob,
    Format as Format,
    JitType as JitType,
    Live as Live,
    Made as Made,
    MeasurementMode as MeasurementMode,
    ProfileJob as ProfileJob,
    ProfilerConfig as ProfilerConfig,
    Provided as Provided,
    Route as Route,
    Runner as Runner,
    RunnerJob as RunnerJob,
    RuntimeProvider as RuntimeProvider,
    Signature as Signature,
    SpotCheck as SpotCheck,
    TensorRTPrecision as TensorRTPrecision,
    TensorSpec as TensorSpec,
    converter as converter,
    exporter as exporter,
    harmless as harmless,
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
    UnknownFormat as UnknownFormat,
    WorkspaceError as WorkspaceError,
    WorkspaceExists as WorkspaceExists,
    WorkspaceLocked as WorkspaceLocked,
    WorkspaceNotOurs as WorkspaceNotOurs,
)
from .package import (
    PackageDescriptor as PackageDescriptor,
    SignedBy as SignedBy,
)
from .planning import (
    Plan as Plan,
)
from .workspace import (
    Event as Event,
)

__version__: str
__all__: list[str]

def __getattr__(name: str) -> typing.Any: ...  # a plugin's namespace: navcore.torch
