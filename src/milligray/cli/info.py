"""`milligray info`: versions, devices, tables, scanners, networks."""

import json
import platform
import sys

from milligray.cli.options import Json


def info(json_output: Json = False) -> None:
    """Versions, devices, tables, scanners and networks of this installation."""
    from milligray.exam.manifest import PACKAGES, package_version, processor
    from milligray.learn.shelf import list_networks
    from milligray.segment.total_segmentator import is_installed
    from milligray.source.scanner_library import list_scanners
    from milligray.source.tube import cache_folder
    from milligray.transport.monte_carlo.batches import available_threads
    from milligray.transport.monte_carlo.devices import gpu_name, why_no_cuda

    no_cuda = why_no_cuda()

    document = {
        "milligray": package_version("milligray"),
        "python": platform.python_version(),
        "packages": {name: package_version(name) for name in PACKAGES},
        "devices": {
            "cpu": f"{processor()}, {available_threads()} threads",
            "cuda": gpu_name() if no_cuda is None else f"not usable: {no_cuda}",
        },
        "scanners": list(list_scanners()),
        "segmenters": ["labels", "threshold"] + (["totalsegmentator"] if is_installed() else []),
        "calibrations": ["schneider2000"],
        "networks": list(list_networks()),
        "cache": str(cache_folder()),
    }
    if json_output:
        json.dump(document, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    for key, value in document.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items())  # noqa: PLW2901
        elif isinstance(value, list):
            value = ", ".join(value) or "none"  # noqa: PLW2901
        sys.stdout.write(f"{key:14s} {value}\n")
