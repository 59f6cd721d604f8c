"""What libraries print while they work, kept back where a command tells the outcome itself."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator

from mmengine.logging import MMLogger


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep back what mmengine logs below an error, and what mmdet and pycocotools print.

    Progress goes on, since it is shown on stderr. The function that it returns is a decorator as
    well.
    """
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
