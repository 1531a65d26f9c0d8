"""python -m cl_core"""

import os
import sys

# Before torch is loaded: threads that spin while they wait are slow on a machine with other work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from cl_core.cli.main import main

sys.exit(main())
