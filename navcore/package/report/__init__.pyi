from .bars import (
    counted as counted,
)
from .cells import (
    is_source as is_source,
    size_text as size_text,
)
from .console import Console as Console
from .html.write import write_page as write_page
from .json_data import results_data as results_data
from .table import (
    clock_of as clock_of,
    print_table as print_table,
    render_table as render_table,
    terminal_width as terminal_width,
)
