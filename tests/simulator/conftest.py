from tests.boards.network_fixtures import *  # noqa: F403
