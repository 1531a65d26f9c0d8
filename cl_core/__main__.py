"""python -m cl_core"""

import sys

from cl_core.cli import main

sys.exit(main())
