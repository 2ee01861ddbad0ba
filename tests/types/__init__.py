"""Types of both APIs, as type checkers see them."""  # noqa: A005 - a folder of tests
