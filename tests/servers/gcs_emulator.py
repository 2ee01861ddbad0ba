"""gcp-storage-emulator with what it lacks: `python gcs_emulator.py PORT`."""

import logging
import sys

from gcp_storage_emulator.server import create_server

if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    create_server("127.0.0.1", int(sys.argv[1]), in_memory=True).run()
