"""A stateful imitation of DigitalOcean's API v2 for tests.

`python -m tests.imitations.digitalocean [TOKEN]` starts one and prints its address.
"""

from tests.imitations.digitalocean.account import Account
from tests.imitations.digitalocean.balancers import Balancers
from tests.imitations.digitalocean.dns import Domains
from tests.imitations.digitalocean.droplets import Droplets
from tests.imitations.digitalocean.network import Firewalls, ReservedIps, Vpcs
from tests.imitations.digitalocean.storage import Images, Volumes


class DigitalOceanImitation(
    Account, Droplets, Volumes, Images, Vpcs, Firewalls, ReservedIps, Balancers, Domains
):
    """The whole API; see `Common` for its settings and `Imitation` for what tests can do.

    The parts keep their helpers apart by double underscores, since they meet in one class.
    `clear()` empties the account and leaves the catalogue of sizes, regions and public images.
    """

    def tagged_tables(self):
        return {
            "droplets": self.droplets,
            "images": self.images,
            "volumes": self.volumes,
            "volume_snapshots": self.volume_snapshots,
        }


__all__ = ["DigitalOceanImitation"]
