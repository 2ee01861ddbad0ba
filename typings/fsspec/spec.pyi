# What of fsspec.spec is used here.

import io
from typing import Any

class AbstractBufferedFile(io.IOBase):
    fs: Any
    path: str
    mode: str
    loc: int
    autocommit: bool
    buffer: io.BytesIO
    details: dict[str, Any]
    def __init__(self, fs: Any, path: str, mode: str = "rb", **kwargs: Any) -> None: ...
