"""Text of users in figures."""

from __future__ import annotations

import matplotlib

#: Decorator of a function that draws names of the user's: dollar signs are not mathematics.
plain_text = matplotlib.rc_context({'text.parse_math': False})
