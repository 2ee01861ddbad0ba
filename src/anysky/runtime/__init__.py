"""The rest of the outside world: clocks, sleep, files, processes, locks, several jobs at once."""
