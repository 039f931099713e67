"""For all tests: a cache of their own, and a plain count of what the absent data cost."""

from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

# the first example compiles, and machines are shared: no test is judged by its seconds
settings.register_profile("milligray", deadline=None)
settings.load_profile("milligray")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Spectra and CTDI of the tests never mix with those of the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLIGRAY_CACHE", str(tmp_path_factory.mktemp("milligray_cache")))
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, None, None]:
    """Say after pytest's own summary how many tests the absent data cost."""
    yield
    skipped = terminalreporter.stats.get("skipped", [])
    absent = sum("../shared" in str(report.longrepr) for report in skipped)
    if absent:
        terminalreporter.write_line(f"{absent} tests skipped because ../shared is absent")
