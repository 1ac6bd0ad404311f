"""Runs work on untrusted networks in a child process that has limits and can be killed.

An engine that runs, converts or quantizes a network may loop endlessly in native code, where Ctrl-C has no effect, take
all memory, or crash. Within the block of `bounded` such work, which is called through `isolated`, is done by a child
process: it is killed after some time without progress, when it takes too much memory, and immediately when the user
stops the program or the program dies. All of these are errors of that work only.
"""

from edgerig.bounded.call import bounded, isolated, isolated_in
from edgerig.bounded.limits import Limits

__all__ = ["Limits", "bounded", "isolated", "isolated_in"]
