"""What people touch: the command line, the page, the HTTP API, and the search behind them.

Imports indexer; nothing imports it. The names below are loaded when they are first used.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from app.bootstrap import Services, build_services
    from app.search.query import Query
    from app.search.search_service import SearchResult, SearchService
    from app.settings import Settings, load_settings

__all__ = ["Query", "SearchResult", "SearchService", "Services", "Settings", "build_services", "load_settings"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bootstrap": ["Services", "build_services"],
        "search.query": ["Query"],
        "search.search_service": ["SearchResult", "SearchService"],
        "settings": ["Settings", "load_settings"],
    },
)
