"""The Ray cluster that a game's workers run on."""

from __future__ import annotations

import socket
from typing import Any

from captum_spex.errors import ArgumentError, with_page

_CONNECTION_SECONDS = 5.0  # that an address has to answer


def imported_ray() -> Any:
    """Return the module ``ray``, or say how to get it."""
    try:
        import ray
    except ImportError as error:
        raise with_page(ImportError("`RayGame` needs Ray: `pip install ray`"), "distributed") from error
    return ray


def joined(ray: Any, address: str | None) -> bool:
    """Join a cluster, or start one on this machine; return whether to leave it when the game is closed."""
    if ray.is_initialized():
        here = ray.get_runtime_context().gcs_address
        if address not in (None, "auto", here):
            hint = "Call `ray.shutdown()` first, or leave `address` out."
            raise ArgumentError("address", repr(address), f"{here!r}, the cluster that this process is part of", hint)
        return False
    if address is not None and address not in ("auto", "local"):
        _check_answers(address)
    try:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise _missing(repr(address), error) from error
    return True


def check_fits(ray: Any, cpus: float, gpus: float) -> None:
    """Refuse workers that no machine of the cluster has room for: they would never start."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        return
    for argument, kind, wanted in (("gpus_per_worker", "GPU", gpus), ("cpus_per_worker", "CPU", cpus)):
        largest = max((node.get(kind, 0) for node in nodes), default=0)
        if wanted > largest:
            raise ArgumentError(argument, f"{wanted:g}", f"at most {largest:g}, as no machine of the cluster has more")
    got = f"{gpus:g} with {cpus:g} CPUs"
    raise ArgumentError("gpus_per_worker", got, "no more than a single machine of the cluster has")


def _check_answers(address: Any) -> None:
    """Try the port, since Ray itself takes a minute to find out, or ends the process."""
    kind, _, rest = address.rpartition("://") if isinstance(address, str) else ("", "", "")
    host, _, port = rest.partition("/")[0].rpartition(":")
    if kind not in ("", "ray") or not host or not port.isdecimal():
        raise ArgumentError("address", repr(address), 'an address such as "10.0.0.1:6379", "auto" or None')
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECTION_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _missing(repr(address), error) from error


def _missing(address: str, error: Exception) -> ArgumentError:
    hint = (
        "Start a cluster with `ray start --head`, which says its address, or leave `address` out to use this machine."
    )
    got = f"{address}, where no cluster runs ({error})"
    return ArgumentError("address", got, "the address of a running Ray cluster", hint)
