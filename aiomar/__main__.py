"""``python -m aiomar``: the command line of this very Python, whichever script the shell would find."""

from __future__ import annotations

import sys

from aiomar.cli import main

sys.exit(main())
