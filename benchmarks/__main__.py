"""Makes `python -m benchmarks` work."""

from benchmarks.main import main

raise SystemExit(main())
