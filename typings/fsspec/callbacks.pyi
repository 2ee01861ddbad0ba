# What of fsspec.callbacks is used here.

from typing import Any

DEFAULT_CALLBACK: Any
