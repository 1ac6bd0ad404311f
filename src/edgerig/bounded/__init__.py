"""Work on a stranger's network, done in a process that has limits and can be ended.

An engine that runs, converts or quantizes a network may loop for ever in native code, where Ctrl-C is not heard, take
all memory, or die. Within the block of `bounded` such work, which is called through `isolated`, is done by a child
process: it is given up after some time without progress, ended where it takes too much memory, and ended at once when
the user stops the program or the program dies. Whatever ends it is an error of that piece of work alone.
"""

from edgerig.bounded.call import bounded, isolated
from edgerig.bounded.limits import Limits

__all__ = ["Limits", "bounded", "isolated"]
