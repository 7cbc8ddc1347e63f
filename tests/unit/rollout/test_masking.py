# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets in texts that others wrote are hidden, and what only looks alike stays readable."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import masking

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"
S = "hunTer2/x"  # the secret in each of these


@pytest.mark.parametrize(
    "text",
    [
        f"password={S}",
        f"PASSWORD={S}",
        f"Password: {S}",
        f"password : '{S}'",
        f"DB_PASSWORD={S} is set",
        f"MYSQL_PWD={S}",
        f"PGPASSWORD='{S}' psql",
        f"spring.datasource.password={S}",
        f"passwd:{S}",
        f"DB_PASS={S}",
        f'{{"SMTP_PASS":"{S}"}}',
        f"spring.mail.pass: {S}",
        f"user=app pass={S}",
        f"passphrase := {S}",
        f"the password is '{S}'",
        f'the password "{S}" was refused',
        f'{{"user": "app", "password": "{S}", "host": "db"}}',
        f'{{"user":"app","dbPassword":"{S}"}}',
        f'{{\\"password\\":\\"{S}\\",\\"host\\":\\"db\\"}}',
        f"{{'password': '{S}', 'host': 'db'}}",
        f'{{"password": "a\\"{S}", "host": "db"}}',
        f'{{"password": "{S}',
        f"Server=db;Uid=app;Pwd={S};",
        f"host=db user=app password={S} sslmode=disable",
        f"token: {S}",
        f"token={S}",
        f"access_token={S}&x=1",
        f"authToken => '{S}'",
        f"client_secret={S}",
        f"clientSecret: {S}",
        f"secret={S}",
        f"api_key={S}",
        f"apiKey: {S}",
        f"API key: {S}",
        f"x-api-key: {S}",
        f"AccountName=shop;AccountKey={S}==;EndpointSuffix=x",
        f"SharedAccessKey={S}",
        f"aws_secret_access_key = {S}",
        f"https://x.example.com/blob?sv=2024&sig={S}",
        f"X-Amz-Signature={S}",
        f"X-Amz-Credential={S}",
        f"Authorization: Basic {S}",
        f"Authorization: Bearer {S}",
        f"authorization=Digest a={S}, b={S}",
        f'"Authorization": ["Bearer {S}"]',
        f"curl -H 'Authorization: {S}' https://x",
        f"Proxy-Authorization: Basic {S}",
        f"Cookie: a=1; session={S}",
        f"Set-Cookie: session={S}; HttpOnly",
        f"sent Bearer {S} to the server",
        "sent bearer abcdefghijk to the server".replace("abcdefghijk", S),
        f"postgres://app:{S}@db:5432/orders?sslmode=disable",
        f"cannot reach 'amqp://guest:{S}@queue/'",
        f"redis://:{S}@cache:6379/0",
        f"mongodb+srv://app:p@{S}@cluster0.example.com/x",
        f"https://{S.replace('/', '')}@github.com/shop/api".replace(S.replace("/", ""), S.replace("/", "")),
        f"jdbc:oracle:thin:app/{S}@//db:1521/orders",
        f"jdbc:postgresql://db/orders?user=app&password={S}",
        f"root:{S.replace('/', '')}@tcp(10.0.0.1:3306)/orders",
        f"dial default:{S.replace('/', '')}@redis:6379",
        f"serve --db-password {S} --port 80",
        f"serve --db-password={S} --port 80",
        f"serve -token {S}",
        f"serve --api-key '{S}'",
        f"-----BEGIN RSA PRIVATE KEY-----\n{S}\nabc=\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\\n{S}",
    ],
)
def test_what_is_secret_is_hidden(text):
    masked = masking.mask(text)
    assert masking.HIDDEN in masked
    assert S not in masked and S.replace("/", "") not in masked, masked


@pytest.mark.parametrize(
    "secret",
    [
        JWT,
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2" * 9,
        "glpat-" + "a1B2" * 5,
        "xoxb-1234567890-abcdefghij",
        "sk_live_" + "a1B2" * 6,
        "hvs." + "a1B2" * 6,
        "AIza" + "a1B2" * 9,
        "npm_" + "a1B2" * 9,
    ],
)
def test_keys_and_tokens_are_known_by_their_form(secret):
    assert masking.mask(f"refused {secret} here") == f"refused {masking.HIDDEN} here"


@pytest.mark.parametrize(
    "text",
    [
        'configmap "settings" not found',
        'MountVolume.SetUp failed for volume "tls-secret" : secret "tls" not found',
        'MountVolume.SetUp failed for volume "db-credentials" : configmap "settings" not found',
        'MountVolume.SetUp failed for volume "token" : failed to fetch token: serviceaccounts "api" not found',
        "references non-existent secret key: password",
        "couldn't find key password in Secret shop/db",
        'exec: "serve": executable file not found in $PATH',
        'failed to pull and unpack image "registry.example.com:5000/shop/api:1.2": not found',
        "failed to pull shop/api:1.2@sha256:" + "0a1b2c3d" * 8,
        "unexpected status from GET request to https://auth.example.com/token: 401 Unauthorized",
        "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: failed",
        "failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://x/y: 401 Unauthorized",
        'pods "api-" is forbidden: exceeded quota: compute, requested: pods=1,secrets=2, used: pods=4, limited: pods=4',
        'password authentication failed for user "app"',
        "password must not be empty",
        "pass: 12 tests",
        "bypass=true",
        "com.pass_count=3 passed=3",
        "invalid password: must not be empty",
        "basic authentication failed",
        "Bearer token is missing",
        "dial tcp 10.0.0.1:5432: connect: connection refused",
        "Get http://10.0.0.1:8080/ready: dial tcp: lookup db",
        "https://registry.example.com:4873/@scope/package is not there",
        "mail to ops@example.com",
        "at 2026-11-24T22:15:30Z commit 0123456789abcdef0123456789abcdef01234567",
        "tokens left: 17",
        "reading the catalogue",
    ],
)
def test_what_is_no_secret_stays(text):
    assert masking.mask(text) == text


def test_what_surrounds_a_secret_stays():
    text = f"login as app with password={S} failed at postgres://app:{S}@db:5432/orders: no route to host"
    assert masking.mask(text) == (
        "login as app with password=******** failed at postgres://********@db:5432/orders: no route to host"
    )


def test_a_key_of_several_lines_is_hidden_line_by_line():
    body = ["MIIEpAIBAAKCAQEA7+f4" * 3, "abcDEF123+/=" * 5, "tail=="]
    lines = [
        "reading the key",
        "-----BEGIN RSA PRIVATE KEY-----",
        *body,
        "-----END RSA PRIVATE KEY-----",
        "no such host",
    ]
    assert masking.mask_lines(lines) == ["reading the key", *["********"] * 5, "no such host"]
    assert masking.mask_lines([body[0], "refused"]) == ["********", "refused"]  # its beginning is further up


def test_masked_once_is_masked():
    text = f"password={S} token: {S} Authorization: Bearer {S} https://a:{S}@host/"
    once = masking.mask(text)
    assert masking.mask(once) == once


@pytest.mark.parametrize("piece", ["x", "a.", "password", "eyJ", "://a:", "a:b", "-", "\\", "'\"", "token=", "A1g/"])
def test_a_secret_at_the_end_of_a_long_text_is_found(piece):
    """A rule that looks back at each character would take minutes for this."""
    assert not masking.mask(piece * (16384 // len(piece)) + f" password={S}").endswith(S)
