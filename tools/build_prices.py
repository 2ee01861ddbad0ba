"""Make the price catalogue that comes with anysky, from the newest wheel of apache-libcloud.

``python tools/build_prices.py --wheel FILE`` writes ``src/anysky/pricing/data/prices.db``; without
``--wheel`` pip downloads it; with ``--check`` the result is compared with the file that is there.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from anysky.pricing.building.draft import Spec
from anysky.pricing.building.libcloud import libcloud_draft
from anysky.pricing.building.recorded import add_recorded
from anysky.pricing.building.writing import write_catalogue
from anysky.pricing.places import BUNDLED_VERSION, bundled_path

PRICES = "libcloud/data/pricing.json"
SIZES = "libcloud/compute/constants/ec2_instance_types.py"
BURSTABLE = ("t1.", "t2.", "t3.", "t3a.", "t4g.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help="the wheel, in place of a download")
    parser.add_argument("--check", action="store_true", help="only compare")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = arguments.wheel or download(Path(folder))
        made = Path(folder, "prices.db")
        build(wheel, made)
        content = made.read_bytes()
    target = Path(bundled_path())
    if arguments.check:
        same = target.exists() and target.read_bytes() == content
        print("the same bytes" if same else f"{target} differs: run tools/build_prices.py")
        return 0 if same else 1
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(content)
    print(f"wrote {target}: {len(content)} bytes")
    return 0


def download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*command, "--dest", str(folder), "apache-libcloud"], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def build(wheel: Path, target: Path, version: str = BUNDLED_VERSION) -> None:
    """Write the catalogue of a wheel to a new file."""
    with zipfile.ZipFile(wheel) as archive:
        data = json.loads(archive.read(PRICES))
        sizes = ec2_specs(archive.read(SIZES).decode())
    name = wheel.name.split("-")[1]
    draft = libcloud_draft(
        data,
        url=f"https://pypi.org/project/apache-libcloud/{name}/",
        ec2_specs=sizes,
        version=version,
    )
    add_recorded(draft)
    draft.notes["input"] = f"{wheel.name} sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    write_catalogue(draft, target)


def ec2_specs(module: str) -> dict[str, Spec]:
    """Read the table of EC2's sizes without running the module."""
    tree = ast.parse(module)
    (table,) = (node.value for node in tree.body if isinstance(node, ast.Assign))
    return {name: spec(name, entry) for name, entry in ast.literal_eval(table).items()}


def spec(name: str, entry: dict) -> Spec:
    extra = entry["extra"]
    vcpu = extra.get("vcpu", "")
    gpus = extra.get("gpu", "0")
    return Spec(
        vcpu=float(vcpu) if vcpu.isdecimal() else None,
        ram_mb=int(entry["ram"]) or None,
        disk_gb=int(entry["disk"]) or None,
        gpus=float(gpus) if gpus.replace(".", "", 1).isdecimal() else None,
        arch="arm64" if "Graviton" in extra.get("physicalProcessor", "") else "x86_64",
        burstable=name.startswith(BURSTABLE),
    )


if __name__ == "__main__":
    sys.exit(main())
