"""Pages of a shop, told by their path."""

import ibis.expr.types as ir

UNKNOWN = "(unknown)"
HOST = r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*"
QUERY = r"[?#;].*$"
# Parts of a path that tell who or which one instead of where: those with an at sign or four digits.
IDENTIFIER = r"[^/]*(@|%40|[0-9][^/]*[0-9][^/]*[0-9][^/]*[0-9])[^/]*"


def path_of(page: ir.StringColumn) -> ir.StringColumn:
    """The path of a page without host, query and identifiers."""
    path = page.re_replace(HOST, "").re_replace(QUERY, "").re_replace(IDENTIFIER, "*").re_replace("(.)/+$", r"\1")
    return (path == "").ifelse("/", path)
