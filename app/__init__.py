"""What people touch: the command line, the page, the HTTP API, and the search behind them.

Imports indexer; nothing imports it. The names below are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.bootstrap import Services, build_services
    from app.query import Query
    from app.search import SearchResult, SearchService
    from app.settings import Settings, load_settings

__all__ = ["Query", "SearchResult", "SearchService", "Services", "Settings", "build_services", "load_settings"]

_HOME = {
    "Query": "query",
    "SearchResult": "search",
    "SearchService": "search",
    "Services": "bootstrap",
    "Settings": "settings",
    "build_services": "bootstrap",
    "load_settings": "settings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
