"""Look for no garbage in this process: for one that imports what others are forked from, which look for theirs."""

import gc

gc.disable()
