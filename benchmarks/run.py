"""Makes `python benchmarks/run.py` work from any folder."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.main import main  # noqa: E402 - the path must be right first

raise SystemExit(main())
