"""Start the imitation, print its address, serve until interrupted."""

import sys
import threading

from tests.imitations.digitalocean import DigitalOceanImitation


def main() -> None:
    cloud = DigitalOceanImitation(*sys.argv[1:2]).start()
    print(cloud.url, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        cloud.stop()


main()
