"""Kernels forked from one process that has imported everything, where the system can fork.

papermill starts a fresh Python for each notebook and most of its time goes into imports. Here a forkserver
process (standard library) imports once and every notebook gets a fork of it: as clean as a new process, at a
tenth of the start-up. Where forking is missing (Windows) papermill's own kernels are used.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import tempfile
import threading
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

_PRELOAD = "attendance_toolkit.reporting.preload"
_lock = threading.Lock()


def can_fork() -> bool:
    """Return whether kernels can be forked on this system."""
    return "forkserver" in multiprocessing.get_all_start_methods() and sys.platform != "win32"


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_PRELOAD])
    return context


def start_fork_server() -> None:
    """Start the process that kernels are forked from, so that the first notebook does not wait for it."""
    # One BLAS thread in each kernel: two kernels share two cores, and their threads would only fight.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with _lock:
        process = _context().Process(target=_nothing)
        process.start()
    process.join()


def _nothing() -> None:
    """Run in a fork once, to bring the server up."""


def _run_kernel(arguments: list[str], environment: dict[str, str], folder: str) -> None:
    # A group of its own, so that a signal to this kernel reaches nothing else.
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    # ipykernel leaves when its parent goes; its parent here is the fork server.
    os.environ["JPY_PARENT_PID"] = str(os.getppid())
    os.chdir(folder)
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(argv=arguments)


class _Process:
    """The part of ``subprocess.Popen`` a provisioner uses, over a forked process."""

    stdin = stdout = stderr = None

    def __init__(self, process: Any) -> None:
        self._process = process
        self.pid = process.pid

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


class ForkProvisioner(LocalProvisioner):
    """Starts a kernel as a fork of the pre-imported process."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork, and run the kernel application with the arguments its command line would have had."""
        # cmd is "python -m ipykernel_launcher -f connection.json ...": the options start at "-f".
        arguments = [*cmd[cmd.index("-f") :], "--no-stdout", "--IPKernelApp.quiet=True"]
        folder = str(kwargs.get("cwd") or Path.cwd())
        with _lock:
            process = _context().Process(
                target=_run_kernel, args=(arguments, dict(kwargs.get("env") or os.environ), folder), daemon=True
            )
            process.start()
        self.process = _Process(process)  # type: ignore[assignment]
        self.pid, self.pgid, self.cwd = process.pid, None, folder
        return self.connection_info


class ForkKernelManager(AsyncKernelManager):
    """A kernel manager whose kernels are forks; given to nbclient in place of its own."""

    def __init__(self, **kwargs: Any) -> None:
        # Pupils' figures pass between the kernel and the runner: a socket file of the user's, not a TCP port.
        self._sockets = tempfile.mkdtemp(prefix="attendance-kernel-")
        super().__init__(**{"transport": "ipc", "ip": str(Path(self._sockets) / "k"), **kwargs})

    async def cleanup_resources(self, restart: bool = False) -> None:  # type: ignore[override]
        """Remove the sockets with their private folder."""
        await self._async_cleanup_resources(restart)
        if not restart:
            shutil.rmtree(self._sockets, ignore_errors=True)

    async def _async_pre_start_kernel(self, **kwargs: Any) -> Any:
        if self.provisioner is None:
            self.kernel_id = self.kernel_id or "fork"
            self.provisioner = ForkProvisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
        return await super()._async_pre_start_kernel(**kwargs)
