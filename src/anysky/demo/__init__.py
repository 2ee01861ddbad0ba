"""A demonstration: one program against a local imitation of AWS, blocking and asyncio."""
