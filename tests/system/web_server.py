# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A web server with TLS, as a gate asks it."""

from __future__ import annotations

import contextlib
import http.server
import ssl
import threading
import time


class WebServer:
    """Answers while it is entered; what it answers can be set. Its certificate is of the cluster's CA."""

    def __init__(self, cluster):
        self.status, self.body, self.headers, self.delay = 200, b'{"status": "ok", "lag": 3}', {}, 0.0
        self.asked = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                site.asked.append((self.path, self.headers.get("Authorization")))
                time.sleep(site.delay)
                self.send_response(site.status)
                for name, value in site.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(site.body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(site.body)

            def log_message(self, format, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pki = cluster.authority.directory
        context.load_cert_chain(pki / "kube-apiserver.crt", pki / "kube-apiserver.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.auth = {"ca_cert": str(cluster.authority.certificate_path)}
        self.url = f"https://127.0.0.1:{self.server.server_port}/health"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception):
        self.server.shutdown()
        self.server.server_close()
