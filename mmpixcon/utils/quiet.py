"""Libraries kept quiet, where a command tells the outcome itself."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator

from mmengine.logging import MMLogger


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep back what mmengine logs below an error, and what mmdet and pycocotools print.

    Progress goes on, since it is shown on stderr. ``@quiet_libraries()`` keeps a whole function
    quiet.
    """
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
