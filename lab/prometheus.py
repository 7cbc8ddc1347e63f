# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real Prometheus that scrapes one page of metrics. The test writes that page."""

from __future__ import annotations

import contextlib
import http.server
import json
import shutil
import signal
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.poll import wait_until
from lab.ports import held_ports

PACKAGES = ("prometheus",)
CONFIG = """
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ["127.0.0.1:%d"]}]
"""


def missing() -> list[str]:
    """What the machine lacks for it."""
    return [] if shutil.which("prometheus") else list(PACKAGES)


class Prometheus:
    """Works while it is entered. `metrics` is the page that it reads every second; None: it gets no answer."""

    def __init__(self, folder: Path):
        if missing():
            raise LabError(f"Prometheus is missing; as root on Debian: apt-get install {' '.join(PACKAGES)}")
        self.metrics: str | None = ""
        self.url = ""
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if page.metrics is None:
                    self.send_error(503)
                    return
                body = page.metrics.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Prometheus:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        (self._folder / "prometheus.yml").write_text(CONFIG % self._server.server_port)
        with held_ports(["prometheus"]) as ports:
            self._port = ports["prometheus"]
            self.url = f"http://127.0.0.1:{self._port}"
            self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()
        self._server.shutdown()
        self._server.server_close()

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = (
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
        )
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(["prometheus", *options], stdout=log, stderr=log)
        wait_until(self._ready, "Prometheus to be ready", timeout=60)

    def stop(self) -> None:
        """End it. Its port answers no more."""
        if self._process:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped since; frozen or not."""
        return self._process is not None

    def freeze(self) -> None:
        """From now on it accepts connections and answers nothing."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It answers again."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def shows(self, expression: str, *values: str) -> None:
        """Return when an expression has exactly these values."""
        wait_until(lambda: self._query(expression) == sorted(values), f"{expression} to be {values}", timeout=60)

    def _query(self, expression: str) -> list[str] | None:
        query = urllib.parse.urlencode({"query": expression})
        with (
            contextlib.suppress(urllib.error.URLError),
            urllib.request.urlopen(f"{self.url}/api/v1/query?{query}") as it,
        ):
            return sorted(one["value"][1] for one in json.load(it)["data"]["result"])
        return None

    def _ready(self) -> bool:
        with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(f"{self.url}/-/ready"):
            return True
        return False
