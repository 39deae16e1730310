"""The templates of pages, and the scripts and styles, which are put into a page so that it opens without a network."""

import re
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from hudyn.run.readable import interval, numbers

IMPORT = re.compile(r"^import\s+\{[^}]*\}\s+from\s+\"\./([\w-]+)\.js\";\n", re.MULTILINE)


@cache
def script(entry: str) -> str:
    """One script of ``assets/<entry>.js`` and all that it imports, those first that others need.

    The files are modules, which a browser does not load from a local disk; so they become one scope, in which each name
    is defined once.
    """
    ordered: dict[str, str] = {}

    def add(name: str) -> None:
        if name in ordered:
            return
        source = (files("hudyn.page") / "assets" / f"{name}.js").read_text(encoding="utf-8")
        for needed in IMPORT.findall(source):
            add(needed)
        ordered[name] = re.sub(r"^export ", "", IMPORT.sub("", source), flags=re.MULTILINE)

    add(entry)
    return "\n".join(ordered.values()).replace("</script", "<\\/script")


@cache
def style() -> str:
    """The style of all pages."""
    return (files("hudyn.page") / "assets" / "page.css").read_text(encoding="utf-8")


@cache
def environment() -> Environment:
    """Where the pages' templates are, with their filters."""
    found = Environment(loader=PackageLoader("hudyn.page", ""), autoescape=True, undefined=StrictUndefined)
    found.filters |= {"numbers": numbers, "interval": interval}
    return found
