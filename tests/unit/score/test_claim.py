"""What several need is computed once."""

import time
from concurrent.futures import ThreadPoolExecutor

from milligray.score.claim import claimed


def test_only_one_computes_and_the_others_find_it(tmp_path):
    path = tmp_path / "cache" / "file"
    computed = []

    def get(_):
        with claimed(path):
            if not path.exists():
                computed.append(1)
                time.sleep(0.2)
                path.write_text("x")
        return path.read_text()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(get, range(4))) == ["x"] * 4
    assert len(computed) == 1


def test_a_claim_that_never_ends_is_not_waited_for_forever(tmp_path):
    with claimed(tmp_path / "file"):
        started = time.monotonic()
        with claimed(tmp_path / "file", wait_s=0.3):
            assert 0.2 < time.monotonic() - started < 5.0


def test_a_cache_that_cannot_be_written_stops_nobody(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with claimed(tmp_path / "file" / "below"):
        pass
