# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which proxy leads to a server. The answers of the first tables are those of Go's net/http, which kubectl uses."""

from __future__ import annotations

import sys
import types
from http.server import BaseHTTPRequestHandler

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster.auth import resolve
from ansible_collections.restartx.core.plugins.module_utils.cluster.connect import connect
from ansible_collections.restartx.core.plugins.module_utils.cluster.endpoint import find_endpoint
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.cluster.proxy import is_excepted, proxy_of_environment

SERVER = "https://api.shop.example:6443"
HTTPS = {"HTTPS_PROXY": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("host", "environ", "proxy"),
    [
        (SERVER, {}, None),
        (SERVER, {"HTTPS_PROXY": "http://a:1"}, "http://a:1"),
        (SERVER, {"https_proxy": "http://a:1"}, "http://a:1"),
        (SERVER, {"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:1"}, "http://a:1"),
        (SERVER, {"HTTPS_PROXY": "", "https_proxy": "http://b:1"}, "http://b:1"),
        (SERVER, {"HTTP_PROXY": "http://a:1", "ALL_PROXY": "http://b:1"}, None),
        (SERVER, {"HTTPS_PROXY": "a:1"}, "http://a:1"),
        (SERVER, {"HTTPS_PROXY": "https://a:1"}, "https://a:1"),
        (SERVER, {"HTTPS_PROXY": "socks5://a:1"}, "socks5://a:1"),
        (SERVER, {"HTTPS_PROXY": "http://ann:p%40ss@a:1"}, "http://ann:p%40ss@a:1"),
        ("http://api.shop.example", {"HTTP_PROXY": "http://a:1", "HTTPS_PROXY": "http://b:1"}, "http://a:1"),
        ("http://api.shop.example", {"http_proxy": "http://a:1"}, "http://a:1"),
        ("http://api.shop.example", {"HTTPS_PROXY": "http://b:1"}, None),
        ("https://localhost:6443", HTTPS, None),
        ("https://127.0.0.1:6443", HTTPS, None),
        ("https://127.8.9.10:6443", HTTPS, None),
        ("https://[::1]:6443", HTTPS, None),
        ("https://10.0.0.1:6443", HTTPS, "http://proxy:3128"),
        (SERVER, {**HTTPS, "NO_PROXY": "shop.example"}, None),
        (SERVER, {**HTTPS, "no_proxy": "shop.example"}, None),
        (SERVER, {**HTTPS, "NO_PROXY": "other.example", "no_proxy": "shop.example"}, "http://proxy:3128"),
        (SERVER, {**HTTPS, "NO_PROXY": "", "no_proxy": "shop.example"}, None),
    ],
)
def test_variables_are_read_as_kubectl_reads_them(host, environ, proxy):
    found = proxy_of_environment(host, environ)
    assert (found and found[1]) == proxy


@pytest.mark.parametrize(
    ("host", "no_proxy", "excepted"),
    [
        (SERVER, "", False),
        (SERVER, " , ,", False),
        (SERVER, "*", True),
        (SERVER, "other, *", True),
        (SERVER, "api.shop.example", True),
        (SERVER, "API.Shop.Example", True),
        ("https://API.shop.EXAMPLE:6443", "api.shop.example", True),
        (SERVER, "shop.example", True),
        (SERVER, ".shop.example", True),
        (SERVER, "*.shop.example", True),
        (SERVER, "example", True),
        (SERVER, "op.example", False),
        (SERVER, ".api.shop.example", False),
        (SERVER, "*.api.shop.example", False),
        (SERVER, "*api.shop.example", False),
        (SERVER, "*shop.example", False),
        (SERVER, "a*.shop.example", False),
        (SERVER, "other.example, shop.example ", True),
        (SERVER, "other.example shop.example", False),
        (SERVER, "shop.example:6443", True),
        (SERVER, "shop.example:443", False),
        (SERVER, "shop.example:", True),
        (SERVER, "*.shop.example:6443", True),
        (SERVER, ":6443", False),
        ("https://api.shop.example", "shop.example:443", True),
        ("http://api.shop.example", "shop.example:80", True),
        ("http://api.shop.example", "shop.example:443", False),
        (SERVER, "10.0.0.0/8", False),
        ("https://10.1.2.3:6443", "10.0.0.0/8", True),
        ("https://10.1.2.3:6443", "10.1.2.3/8", True),
        ("https://10.1.2.3:6443", "11.0.0.0/8", False),
        ("https://10.1.2.3:6443", "10.0.0.0/99", False),
        ("https://10.1.2.3:6443", "10.0.0.0/8:6443", False),
        ("https://10.1.2.3:6443", "10.1.2.3", True),
        ("https://10.1.2.3:6443", "10.1.2.3:6443", True),
        ("https://10.1.2.3:6443", "10.1.2.3:443", False),
        ("https://10.1.2.3:6443", "10.1.2", False),
        ("https://10.1.2.3:6443", ".2.3", False),
        ("https://10.1.2.3:6443", "2.3", False),
        ("https://10.1.2.3:6443", "*", True),
        ("https://[fd00::3]:6443", "fd00::/8", True),
        ("https://[fd00::3]:6443", "fd00::3", True),
        ("https://[fd00::3]:6443", "fd00:0:0::3", True),
        ("https://[fd00::3]:6443", "[fd00::3]:6443", True),
        ("https://[fd00::3]:6443", "[fd00::3]:443", False),
        ("https://[fd00::3]:6443", "[fd00::3]", False),
        ("https://[fd00::3]:6443", "10.0.0.0/8", False),
        ("https://[::ffff:10.1.2.3]:6443", "10.0.0.0/8", True),
        ("https://10.1.2.3:6443", "::ffff:10.1.2.3", True),
    ],
)
def test_exceptions_are_those_of_kubectl(host, no_proxy, excepted):
    assert is_excepted(host, no_proxy) is excepted
    assert (proxy_of_environment(host, {**HTTPS, "HTTP_PROXY": "http://p:1", "NO_PROXY": no_proxy}) is None) is excepted


def config(**cluster):
    return {
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": SERVER, **cluster}}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": ""}}],
    }


OF_CONFIG = {"kubeconfig": config(**{"proxy-url": "http://config:1"})}
PLAIN = {"kubeconfig": config()}
OPTION = {"proxy": "http://option:1"}
VARIABLE = {"K8S_AUTH_PROXY": "http://variable:1"}
ENVIRONMENT = {"HTTPS_PROXY": "http://environment:1"}
ALL = VARIABLE | ENVIRONMENT
WITH_HOST = {"host": SERVER, "api_key": "t"}


@pytest.mark.parametrize(
    ("options", "environ", "proxy"),
    [
        (OF_CONFIG | OPTION, ALL, "http://option:1"),
        (OF_CONFIG, ALL, "http://variable:1"),
        (OF_CONFIG | {"context": "one"}, ALL, "http://variable:1"),
        (OF_CONFIG | {"context": "one"}, ENVIRONMENT, "http://config:1"),
        (PLAIN | {"context": "one"}, ALL, "http://variable:1"),
        (PLAIN | {"context": "one"}, ENVIRONMENT, "http://environment:1"),
        ({"kubeconfig": config(**{"proxy-url": ""})}, ENVIRONMENT, "http://environment:1"),
        (PLAIN, {}, None),
        (WITH_HOST | OPTION, ALL, "http://option:1"),
        (WITH_HOST, ALL, "http://variable:1"),
        (WITH_HOST, ENVIRONMENT, "http://environment:1"),
        ({}, {"K8S_AUTH_HOST": SERVER, **ENVIRONMENT}, "http://environment:1"),
        # NO_PROXY is about the proxies of the environment alone, as for kubectl.
        (OF_CONFIG, {"NO_PROXY": "*"}, "http://config:1"),
        (PLAIN | OPTION, {"NO_PROXY": "*"}, "http://option:1"),
        (PLAIN, VARIABLE | {"NO_PROXY": "*"}, "http://variable:1"),
        (PLAIN, ENVIRONMENT | {"NO_PROXY": "*"}, None),
        # The option and its variable are about all.
        *[(PLAIN | given | {"no_proxy": "shop.example"}, ENVIRONMENT, None) for given in ({}, OPTION, OF_CONFIG)],
        (PLAIN | OPTION | {"context": "one"}, {"K8S_AUTH_NO_PROXY": "shop.example"}, None),
        (PLAIN | {"no_proxy": "other.example"}, ENVIRONMENT | {"NO_PROXY": "*"}, "http://environment:1"),
        (PLAIN | OPTION | {"no_proxy": "other.example"}, {}, "http://option:1"),
    ],
)
def test_the_option_beats_its_variable_then_the_kubeconfig_then_the_environment(options, environ, proxy):
    assert find_endpoint(resolve(options, environ), environ, 10).proxy == proxy


def test_the_cluster_of_a_pod_is_reached_as_kubectl_reaches_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("token", "ca.crt"):
        (tmp_path / name).write_text("x")
    environ = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443", **ENVIRONMENT}
    assert find_endpoint({}, environ, 10, str(tmp_path)).proxy == "http://environment:1"
    assert find_endpoint({}, environ | {"NO_PROXY": "10.96.0.0/12"}, 10, str(tmp_path)).proxy is None


@pytest.mark.parametrize(
    ("options", "environ", "sentence"),
    [
        (PLAIN, {"HTTPS_PROXY": "ftp://ann:hush@p:1"}, 'HTTPS_PROXY "ftp://p:1" of the environment is not a URL'),
        (PLAIN, {"https_proxy": "http://p:port"}, 'https_proxy "http://p:port" of the environment is not a URL'),
        (PLAIN | {"proxy": "p:1"}, {}, 'proxy "p:1" of context "one" of the kubeconfig option is not a URL'),
        (
            {"kubeconfig": config(**{"proxy-url": "p:1"})},
            {},
            'proxy-url "p:1" of context "one" of the kubeconfig option',
        ),
    ],
)
def test_a_proxy_that_cannot_be_meant_is_named_without_its_password(options, environ, sentence):
    with pytest.raises(ConfigError) as caught:
        connect(options, environ)
    assert str(caught.value).startswith(sentence)
    assert "hush" not in str(caught.value)


class Refusing(BaseHTTPRequestHandler):
    """A proxy that notes what it is asked, and refuses."""

    def do_CONNECT(self):
        self.server.seen.append((self.path, self.headers.get("Proxy-Authorization")))
        self.send_error(403)

    def log_message(self, *_arguments):
        """Nothing on the test's output."""


@pytest.mark.parametrize("way", ["option", "variable", "kubeconfig", "environment"])
@pytest.mark.parametrize(
    ("user", "headers", "sent"),
    [
        ("", {}, None),
        ("ann:p%40ss@", {}, "Basic YW5uOnBAc3M="),
        ("ann@", {}, "Basic YW5uOg=="),
        ("", {"proxy_basic_auth": "eve:x"}, "Basic ZXZlOng="),
        ("ann:p%40ss@", {"proxy_basic_auth": "eve:x"}, "Basic ZXZlOng="),
    ],
)
def test_a_proxy_is_asked_with_the_user_in_its_url(serve, time, way, user, headers, sent):
    proxy = serve(handler=Refusing)
    url = proxy.url.replace("//", f"//{user}")
    options, environ = dict(PLAIN), {}
    if way == "option":
        options |= {"proxy": url}
    elif way == "kubeconfig":
        options = {"kubeconfig": config(**{"proxy-url": url})}
    else:
        environ = {"K8S_AUTH_PROXY" if way == "variable" else "HTTPS_PROXY": url}
    cluster = connect(options | {"proxy_headers": headers}, environ, retry=time.retry(attempts=1))
    with pytest.raises(Unreachable) as caught:
        cluster.get("/version")
    assert proxy.seen == [("api.shop.example:6443", sent)]
    assert f"through the proxy {proxy.url}: Tunnel connection failed: 403" in str(caught.value)
    assert not user.partition(":")[2] or {"p%40ss", "p@ss"} <= cluster.secrets


@pytest.mark.parametrize(
    ("url", "made"),
    [
        ("socks5://p:1080", ("socks5h://p:1080", None, None)),
        ("socks5h://ann:p%40ss@p:1080", ("socks5h://p:1080", "ann", "p@ss")),
        ("socks4://p:1080", ("socks4://p:1080", None, None)),
    ],
)
def test_a_socks_proxy_looks_the_name_up_itself(monkeypatch, url, made):
    seen = []
    module = types.ModuleType("urllib3.contrib.socks")
    module.SOCKSProxyManager = lambda url, username, password, **options: seen.append((url, username, password))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    connect(PLAIN | {"proxy": url}, {})
    assert seen == [made]
