"""``python -m aiomar.cli``: the command line where no script is installed."""

from __future__ import annotations

import sys

from aiomar.cli import main

sys.exit(main())
