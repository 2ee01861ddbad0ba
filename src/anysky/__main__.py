"""Run ``python -m anysky`` like the command ``anysky``."""

from __future__ import annotations

from anysky.cli import main

main(prog_name="anysky")
