"""Archives that older torch reads with ``weights_only=True`` all the same."""

from __future__ import annotations

import contextlib
import pickle
import tarfile
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch

# From torch 2.6 on, torch refuses them itself.
_REFUSES = tuple(int(part) for part in torch.__version__.split('.')[:2]) >= (2, 6)


@contextlib.contextmanager
def no_archives() -> Iterator[None]:
    """Let no ``torch.load`` in the block read TorchScript or a tar archive.

    Before torch 2.6 these go past ``weights_only=True`` (CVE-2025-32434): code in TorchScript runs
    when it is read, and may write files. Checkpoints are neither.

    Raises:
        UnpicklingError: from ``torch.load``, with torch's later words.
    """
    if _REFUSES:
        yield
        return
    module: Any = torch.serialization
    before = module._is_torchscript_zip, module.tarfile
    is_script = before[0]

    def refuse_script(archive: Any) -> bool:
        if is_script(archive):
            raise pickle.UnpicklingError('Cannot use weights_only=True with TorchScript archives')
        return False

    def refuse_tar(*args: Any, **kwargs: Any) -> Any:
        # What is no such archive ends with an error that torch expects.
        tarfile.open(*args, **kwargs).close()
        raise pickle.UnpicklingError('Cannot use weights_only=True with the legacy .tar format')

    module._is_torchscript_zip = refuse_script
    module.tarfile = SimpleNamespace(
        open=refuse_tar, TarError=tarfile.TarError, PAX_FORMAT=tarfile.PAX_FORMAT
    )
    try:
        yield
    finally:
        module._is_torchscript_zip, module.tarfile = before
