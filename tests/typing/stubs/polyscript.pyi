"""As much of PyScript's engine as the demo uses."""

from typing import Any

xworker: Any
