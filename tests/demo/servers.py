"""The demonstration's FHIR endpoint in a process of its own, as another machine would serve it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cds_service.demo.fhir import PREFIX

SAMPLES = Path(__file__).parents[2] / "sample_bundles"
_PROGRAM = """
import sys
from pathlib import Path
from werkzeug.serving import make_server
from cds_service.demo.fhir import demo_app
server = make_server("127.0.0.1", 0, demo_app(Path(sys.argv[1])), threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def running_demo(folder: Path = SAMPLES) -> Iterator[str]:
    """Serve the samples of a folder; gives the base address of the FHIR endpoint."""
    arguments = [sys.executable, "-c", _PROGRAM, str(folder)]
    process = subprocess.Popen(  # noqa: S603  our own program
        arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}{PREFIX}"
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
