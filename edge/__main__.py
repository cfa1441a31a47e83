"""``python -m edge``."""

import sys

from edge.main import main
from supervision.output import never_stop_for_the_log

never_stop_for_the_log()
sys.exit(main())
