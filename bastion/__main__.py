"""`python -m bastion` is the command `bastion`."""

import sys

from bastion.cli import main

sys.exit(main())
