"""Names for types that many signatures share."""

from __future__ import annotations

import os
from collections.abc import Callable

PathLike = str | os.PathLike[str]
"""Where a file is, as text or as a path."""

Passphrase = str | bytes | Callable[[], str]
"""What opens a key: text (encoded as UTF-8), bytes, or a callable that is asked when it is needed."""
