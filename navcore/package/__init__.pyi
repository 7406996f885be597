from .archive import (
    FileEntry as FileEntry,
    read_manifest as read_manifest,
    read_member as read_member,
)
from .at_place import (
    package_at as package_at,
    workspace_at as workspace_at,
)
from .descriptor import (
    PackageDescriptor as PackageDescriptor,
)
from .load import (
    load_package as load_package,
)
from .measurements import (
    reader_of_package as reader_of_package,
    reader_of_workspace as reader_of_workspace,
)
from .metrics import (
    MetricValue as MetricValue,
)
from .reading import (
    read_record as read_record,
)
from .report import (
    Console as Console,
    clock_of as clock_of,
    counted as counted,
    is_source as is_source,
    print_table as print_table,
    render_table as render_table,
    results_data as results_data,
    size_text as size_text,
    terminal_width as terminal_width,
    write_page as write_page,
)
from .signing import (
    sign_package as sign_package,
)
from .trust import (
    SignedBy as SignedBy,
)
