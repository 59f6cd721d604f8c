"""A process in which Triton interprets kernels on the CPU.

Triton decides when it is imported whether it compiles kernels or interprets them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch


def start() -> str:
    """Try the interpreter; why it does not work, or nothing."""
    import triton
    import triton.language as tl

    torch.set_num_threads(1)

    def double(target, count, SIZE: tl.constexpr):
        index = tl.arange(0, SIZE)
        tl.store(target + index, index * 2.0, mask=index < count)

    # As strings, which the file's other annotations are, Triton 3.0 would not know it.
    double.__annotations__ = {'SIZE': tl.constexpr}
    # The interpreted source names what it needs by the module's names.
    globals().update(tl=tl)
    try:
        actual = torch.zeros(4)
        triton.jit(double)[(1,)](actual, 3, SIZE=4)
    except Exception as error:
        return f'interpreter of Triton {triton.__version__}: {type(error).__name__}: {error}'
    if actual.tolist() != [0, 2, 4, 0]:
        return f'interpreter of Triton {triton.__version__} does not store: it wants numpy 1'
    return ''


@contextlib.contextmanager
def interpreting() -> Iterator[Callable[..., None]]:
    """Start the process; skips the test where Triton or its interpreter is not there.

    Yields:
        Callable: ``(function, *arguments)``, runs a function of a module in that process.
    """
    if importlib.util.find_spec('triton') is None:
        pytest.skip('Triton is not installed: it is for Linux only')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('TRITON_INTERPRET', '1')
        pool = ProcessPoolExecutor(1, multiprocessing.get_context('spawn'))
        # The process starts here, with this environment.
        reason = pool.submit(start).result(timeout=300)
    with pool:
        if reason:
            pytest.skip(reason)
        yield lambda check, *arguments: pool.submit(check, *arguments).result(timeout=300)
