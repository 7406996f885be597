from .archive import (
    FileEntry as FileEntry,
    read_manifest as read_manifest,
    read_member as read_member,
)
from .descriptor import PackageDescriptor as PackageDescriptor
from .load import load_package as load_package
from .metrics import (
    Metric as Metric,
    MetricValue as MetricValue,
)
from .report import (
    Console as Console,
    is_source as is_source,
    results_data as results_data,
    size_text as size_text,
    table_lines as table_lines,
)
