"""As much of PyScript as the demo uses; what the page gives has no types."""

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., object])

document: Any
window: Any

async def fetch(url: str, **options: Any) -> Any: ...
def when(event_type: str, selector: str) -> Callable[[F], F]: ...
