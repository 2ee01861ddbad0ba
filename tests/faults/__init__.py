"""The fault matrix: every fault on every operation in both APIs has its declared outcome.

| module | what it holds |
| --- | --- |
| `catalogue` | the faults |
| `operations` | the operations, one line for each provider that has them |
| `outcomes` | the declared outcomes, by rules; the only place to change when behaviour changes |
| `clouds` | the servers that stand in for the providers, and what is needed there beforehand |
| `matrix` | plays one cell and compares |
"""
