"""One thread for the libraries beneath NumPy and scikit-learn, where more would only wait for each other."""

from __future__ import annotations

from contextlib import AbstractContextManager


def one_thread() -> AbstractContextManager[object]:
    """Return a context in which linear algebra and OpenMP have one thread.

    Their threads wait for each other in busy loops: with the processors in use by anything else, a fit of two seconds took
    thirty. And no thread may be left behind where the runner forks its kernels.

    >>> with one_thread():
    ...     pass
    """
    from threadpoolctl import threadpool_limits  # here: it looks through all loaded libraries

    return threadpool_limits(limits=1)
