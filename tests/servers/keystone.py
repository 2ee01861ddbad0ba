"""OpenStack's Keystone on loopback, with a catalog that names a Swift, as a context manager."""

from pathlib import Path
from typing import Self

from tests.servers.swift import PORTS, Script, free_ports


class Keystone(Script):
    """Keystone over a MariaDB of its own.

    Attributes:
        swift_port: Port at which the catalog says that Swift is.
        username: A user with the role of a member.
        project: The user's project.
        application_id: Id of an application credential of the user's.
        application_secret: Its secret.
    """

    script = Path(__file__).with_name("start_openstack.sh")
    programs = ("keystone-manage", "uwsgi", "mariadbd", "mariadb-install-db", "curl")
    username = project = "demo"
    password = "canary-word-77a1"

    def __init__(self) -> None:
        super().__init__()
        first = free_ports(PORTS + 1)
        self.port, self.swift_port = first, first + 1
        self.application_id = self.application_secret = ""

    @property
    def url(self) -> str:
        """Where it is, without the version."""
        return f"http://127.0.0.1:{self.port}"

    def arguments(self) -> list[str]:
        return [str(self.port), str(self.swift_port)]

    def start(self) -> Self:
        super().start()
        place = self.folder / "server" / "application"
        self.application_id, self.application_secret = place.read_text().split()
        return self
