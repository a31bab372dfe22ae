"""A game whose batches are evaluated by Ray actors, on one machine or many, and the cluster that they run on."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats, scalar, type_of
from captum_spex.errors import ArgumentError, GameError, with_page
from captum_spex.evaluation.executors.ray_workers import RayExecutor, WorkerPool
from captum_spex.evaluation.transport import pickled
from captum_spex.masks import ChosenRows, DenseMasks, Masks


class RayGame:
    """A game that Ray actors evaluate: each worker builds the game once, then takes one batch after another.

    A worker that dies is replaced and its batch is retried by the next free worker: no mask is lost or counted twice,
    and values come in the same order as in this process. An error of the game is raised in this process and not
    retried. Use it as a context manager, or call `close`.

    Args:
        build_game: function without arguments that returns the game. It is pickled with everything it refers to, so
            let it load the model itself.
        n_workers: number of workers; those that the cluster has no room for start when it has.
        gpus_per_worker, cpus_per_worker: processors of each worker, for instance 0.5 GPUs.
        batch_size: masks per call, unless `captum_spex.explain` is given another; default: the batches that the game's
            method ``plan_batches`` returns, else four for each worker, of 1,024 masks at most.
        address: of a Ray cluster, ``"auto"`` for the one that runs on this machine; default: the cluster that this
            process is part of, else the one that Ray finds, else a new one on this machine, which ends with the game.
        max_retries: how often a batch is retried after its worker died.

    Attributes:
        n_players, names, fingerprint, table: those of the workers' game, or None.

    Raises:
        ImportError: if Ray is not installed.
        ArgumentError: if an argument cannot be used, there is no cluster, or a worker cannot build the game; the
            worker's traceback is a note of the error.
        GameError: if the workers that had a batch died more often than ``max_retries``.

    Example:
        >>> import captum_spex
        >>> def build_game():  # runs in the worker: load the model here
        ...     return lambda masks: 2.0 * masks[:, 0] * masks[:, 1]
        >>> def explained():
        ...     with captum_spex.evaluation.RayGame(build_game, n_workers=2) as game:
        ...         return captum_spex.explain(game, 10, budget=200)
    """

    def __init__(
        self,
        build_game: Callable[[], Any],
        n_workers: int = 2,
        *,
        gpus_per_worker: float = 0.0,
        cpus_per_worker: float = 1.0,
        batch_size: int | None = None,
        address: str | None = None,
        max_retries: int = 3,
    ) -> None:
        if not callable(build_game):
            raise ArgumentError("build_game", type_of(build_game), "a function that makes a game")
        n_workers = checks.integer("n_workers", n_workers)
        self._batch_size = None if batch_size is None else checks.integer("batch_size", batch_size)
        max_retries = checks.integer("max_retries", max_retries, 0)
        cpus = _processors("cpus_per_worker", cpus_per_worker)
        gpus = _processors("gpus_per_worker", gpus_per_worker)
        payload = pickled("build_game", build_game)
        with ExitStack() as resources:
            ray = imported_ray()
            if joined(ray, address):
                resources.callback(ray.shutdown)
            check_fits(ray, cpus, gpus)
            options = {"num_cpus": cpus, "num_gpus": gpus}
            self._pool = WorkerPool(ray, payload, n_workers, options, max_retries)
            resources.callback(self._pool.close)
            game = self._pool.wait_for_first()
            self._resources = resources.pop_all()
        self.n_players, self.names = game.n_players, game.names
        self.fingerprint, self.table = game.fingerprint, game.table

    def close(self) -> None:
        """End the workers, and the cluster if it was started for this game."""
        self._resources.close()

    def __enter__(self) -> RayGame:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def output_layout(self) -> str | None:
        """What is known of the layout of the game's outputs."""
        return self._pool.layout

    @output_layout.setter
    def output_layout(self, known: str | None) -> None:
        self._pool.layout = known

    def make_executor(self, batch_size: int | None = None) -> RayExecutor:
        """Return the executor of the workers, for batches of the given size, else of that of this game."""
        return RayExecutor(self._pool, self._batch_size if batch_size is None else batch_size)

    def __call__(self, masks: Masks) -> Floats:
        """Return the values, float64 ``(n_masks,)`` or ``(n_masks, n_outputs)``, as the game does."""
        blocks = DenseMasks(np.asarray(masks, dtype=np.bool_))
        if not len(blocks):
            return np.zeros(0)
        executor = self.make_executor()
        batches = list(executor.batches(blocks, np.arange(len(blocks))))
        values: list[Floats] = [np.zeros(0)] * len(batches)
        for answer in executor.evaluate(ChosenRows(blocks, rows) for rows in batches):
            if answer.error is not None:
                raise answer.error
            n_masks = len(batches[answer.batch])
            if answer.values.shape[:1] != (n_masks,):
                raise GameError(f"`game`: expected {n_masks} values, got shape {answer.values.shape}.", "game")
            values[answer.batch] = answer.values
        return np.concatenate(values)[np.argsort(np.concatenate(batches))]


def _processors(argument: str, value: Any) -> float:
    """Return a number of processors: a share of one, or several, as Ray has it."""
    plain = scalar(value)
    if not checks.is_number(plain) or not plain >= 0 or (plain > 1 and not float(plain).is_integer()):
        raise ArgumentError(argument, repr(plain), "a number from 0 to 1, or a larger integer")
    return float(plain)


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
