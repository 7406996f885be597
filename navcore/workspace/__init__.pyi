from .all_arguments import (
    Device as Device,
    Names as Names,
    RunArguments as RunArguments,
    run_arguments as run_arguments,
)
from .argument import (
    Argument as Argument,
    CommandOption as CommandOption,
    Spelling as Spelling,
    arguments_of as arguments_of,
)
from .argument_types import (
    Settle as Settle,
    names as names,
    or_else as or_else,
    or_none as or_none,
    path as path,
    refused as refused,
    shown as shown,
    switch as switch,
    text as text,
    whole as whole,
    word_of as word_of,
)
from .array_files import packed_arrays as packed_arrays
from .atomic_files import (
    is_private as is_private,
    sweep as sweep,
    whole_file as whole_file,
    whole_folder as whole_folder,
    write_bytes as write_bytes,
    write_json as write_json,
    write_text as write_text,
)
from .bounded import (
    bounded_facts as bounded_facts,
    bounded_notes as bounded_notes,
    bounded_text as bounded_text,
)
from .callers import (
    ConcurrentThroughput as ConcurrentThroughput,
)
from .digests import (
    digest as digest,
    digest_of_bytes as digest_of_bytes,
    digest_of_file as digest_of_file,
    digest_of_state as digest_of_state,
    versions_behind as versions_behind,
)
from .disk_space import (
    is_about_room as is_about_room,
    no_room as no_room,
    told_when_full as told_when_full,
    what_is_lacking as what_is_lacking,
)
from .environment import (
    describe_environment as describe_environment,
    describe_git as describe_git,
    hardware_key as hardware_key,
)
from .failures import (
    chance_in as chance_in,
    describe as describe,
    died as died,
    is_chance as is_chance,
    without_room as without_room,
)
from .file_trees import (
    fresh_folder as fresh_folder,
    move_contents as move_contents,
    remove as remove,
    size_of as size_of,
    size_of_model as size_of_model,
)
from .fingerprints import (
    Fingerprint as Fingerprint,
    fingerprint as fingerprint,
)
from .folder import (
    PRIVATE as PRIVATE,
    Workspace as Workspace,
    blocks_file as blocks_file,
    delete as delete,
    errors_file as errors_file,
    is_ours as is_ours,
    locked as locked,
    metrics_file as metrics_file,
    opened as opened,
    refuse_foreign_place as refuse_foreign_place,
    replace_whole as replace_whole,
    waiting_room as waiting_room,
    windows_file as windows_file,
    workspace_path as workspace_path,
)
from .journal import (
    Journal as Journal,
)
from .kinds import (
    INPUTS as INPUTS,
    MEASUREMENTS as MEASUREMENTS,
    OUTPUTS as OUTPUTS,
    PROBES as PROBES,
    Kind as Kind,
    kind_of as kind_of,
)
from .logfile import (
    LOGGER as LOGGER,
    log_reasons as log_reasons,
    logged as logged,
)
from .measuring_types import (
    AUTO as AUTO,
    measurement as measurement,
)
from .metrics import (
    Metric as Metric,
    MetricResult as MetricResult,
    PassMetric as PassMetric,
    metrics_given as metrics_given,
    refuse_bounds_without_metric as refuse_bounds_without_metric,
    sees_all as sees_all,
)
from .origin import (
    forget_package as forget_package,
    loaded_package as loaded_package,
    remember_package as remember_package,
)
from .plain_data import (
    from_data as from_data,
    from_older_data as from_older_data,
    to_data as to_data,
)
from .progress import (
    Event as Event,
    Observer as Observer,
    Stage as Stage,
    advancing as advancing,
    announce as announce,
    forgiving as forgiving,
)
from .publishing import (
    keep_verified as keep_verified,
    publish as publish,
    word_key as word_key,
)
from .ranking import (
    PairedRatio as PairedRatio,
    Ranking as Ranking,
)
from .results import (
    Attempt as Attempt,
    BatchPerformance as BatchPerformance,
    Difference as Difference,
    Failure as Failure,
    FormatResult as FormatResult,
    Outcome as Outcome,
    RuntimeResult as RuntimeResult,
    Status as Status,
    Verification as Verification,
)
from .samples import (
    Samples as Samples,
)
from .settings import (
    Settings as Settings,
    valid_model_name as valid_model_name,
)
from .status import (
    SEED as SEED,
    Record as Record,
    VariantConfig as VariantConfig,
    framework_word as framework_word,
    read_config as read_config,
    read_status as read_status,
    refuse_unrecordable as refuse_unrecordable,
)
from .surroundings import (
    Surroundings as Surroundings,
)
from .times import (
    RANKING as RANKING,
    remember_times as remember_times,
    seen as seen,
)
