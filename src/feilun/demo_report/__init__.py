"""What `feilun demo` shows of its story: a table, a page and JSON, in English and Chinese.

Three renderings of one `Story`. None of them computes a figure that the story does not
hold; `facts.py` only picks and adds up.
"""

from feilun.demo_report.page import write_page
from feilun.demo_report.shape import to_json
from feilun.demo_report.table import render

__all__ = ["render", "to_json", "write_page"]
