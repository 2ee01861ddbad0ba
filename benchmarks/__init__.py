"""anysky beside apache-libcloud, boto3, aiobotocore and bare HTTP libraries, in ratios.

`python -m benchmarks` runs everything; `docs/performance.md` says how to read the result.
"""
