"""The process: where it listens, how it ends, what it does with what it does not know."""

import http.client
import json
import signal
import socket
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from conftest import started
from world import Aws


def test_it_ends_with_its_stdin(tmp_path) -> None:
    process, _ = started(tmp_path)
    process.stdin.close()
    assert process.wait(10) == 0


def test_it_ends_on_sigterm(tmp_path) -> None:
    process, _ = started(tmp_path)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_it_listens_on_loopback_only(aws: Aws) -> None:
    port = int(aws.url.rsplit(":", 1)[-1])
    hostname = socket.gethostname()
    addresses = {info[4][0] for info in socket.getaddrinfo(hostname, None, socket.AF_INET)} - {"127.0.0.1"}
    for address in addresses:
        if address.startswith("127."):
            continue
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((address, port), timeout=2).close()


def test_a_connection_serves_many_calls(aws: Aws) -> None:
    connection = http.client.HTTPConnection(aws.url.removeprefix("http://"))
    for _ in range(3):
        connection.request("GET", "/_strict/health")
        response = connection.getresponse()
        assert (response.version, response.status, response.read()) == (11, 200, b"{}")
    connection.close()


def post(aws: Aws, path: str, body: bytes, **headers: str) -> tuple[int, dict]:
    try:
        with urlopen(Request(f"{aws.url}{path}", body, headers), timeout=10) as response:
            return response.status, json.load(response)
    except HTTPError as error:
        return error.code, json.loads(error.read())


def test_a_request_that_cannot_be_read_is_answered(aws: Aws) -> None:
    status, answer = post(aws, "/", b"{", **{"X-Amz-Target": "TrentService.ListKeys"})
    assert (status, answer["__type"]) == (400, "SerializationException")


def test_an_unsigned_call_is_nobodys(aws: Aws) -> None:
    status, answer = post(aws, "/", b"{}", **{"X-Amz-Target": "TrentService.ListKeys"})
    assert (status, answer["__type"]) == (400, "MissingAuthenticationTokenException")


def test_the_admin_api_names_mistakes(aws: Aws) -> None:
    assert post(aws, "/_strict/nonsense", b"{}")[0] == 404
    for body in ({}, {"id": "1"}, {"id": "111122223333", "partition": "aws-mars"}):
        status, answer = post(aws, "/_strict/accounts", json.dumps(body).encode())
        assert status == 400
        assert answer["error"]


def test_a_service_that_is_not_served_says_so(aws: Aws) -> None:
    account = aws.account()
    client = aws.client("sqs", account.region, account.credentials)
    with pytest.raises(client.exceptions.ClientError, match="does not serve"):
        client.list_queues()
