import signal
import threading

import pytest

from edgerig.serve.loop import wait_for


def test_ctrl_c_that_does_not_wake_the_wait_ends_it() -> None:
    waiting = threading.Event()

    def tell() -> None:
        waiting.wait(10)
        # To this thread: the main one is not woken, as where the signal comes just before it begins to wait.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    class Seen(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waiting.set()
            return super().wait(timeout)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=tell)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            wait_for(Seen())
    finally:
        signal.signal(signal.SIGINT, before)
        thread.join()
