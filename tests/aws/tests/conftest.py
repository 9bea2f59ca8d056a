import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from world import Aws, environment

PACKAGE = Path(__file__).parent.parent


def started(folder: Path, *arguments: str) -> tuple[subprocess.Popen, int]:
    port_file = folder / "port"
    command = [sys.executable, "-m", "strict_aws", "--port", "0", "--port-file", str(port_file), "--exit-with-stdin"]
    process = subprocess.Popen(
        [*command, *arguments],
        cwd=PACKAGE,
        env=environment(),
        stdin=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not port_file.exists():
        assert process.poll() is None, "the strict AWS ended before it listened"
        assert time.monotonic() < deadline, "the strict AWS does not listen after 30 s"
        time.sleep(0.02)
    return process, int(port_file.read_text())


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    process, port = started(tmp_path_factory.mktemp("aws"))
    yield Aws(port)
    process.stdin.close()
    process.wait(10)
