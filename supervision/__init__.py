"""What a process owes to whoever runs it, be that systemd, ``gridwarden up`` or a person.

It says when it is ready, and goes on saying that its loops still move (`supervision.watchdog`); it lets no
second one write its folder (`supervision.locks`); it ends when its parent does (`supervision.parent`); its
exit code tells whether starting it again is of any use. Standard library only: an edge agent needs all of it.
"""

from typing import Final

EXIT_CONFIGURATION: Final = 78
"""As sysexits.h: starting again without mending the configuration is of no use."""
EXIT_IN_USE: Final = 75
"""Another process has what this one needs; it may be gone at the next try."""
