"""What travels compressed, and that it is the same as what does not."""

import gzip

import pytest

PAGES = ["/", "/book", "/static/book.css", "/static/icons.svg", "/api/v1/slots?from=2026-11-23"]


@pytest.mark.parametrize("path", PAGES)
def test_what_a_client_can_unpack_travels_small(client, seeded, path):
    plain = client.get(path, buffered=True)
    packed = client.get(path, headers={"Accept-Encoding": "br, gzip"}, buffered=True)

    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "br"
    assert len(packed.data) < len(plain.data) / 2
    assert "Accept-Encoding" in packed.headers["Vary"]


def test_a_packed_answer_says_the_same(client, seeded):
    plain = client.get("/api/v1/slots?from=2026-11-23")
    packed = client.get("/api/v1/slots?from=2026-11-23", headers={"Accept-Encoding": "gzip"})

    assert gzip.decompress(packed.data) == plain.data


@pytest.mark.parametrize("path", ["/static/book.css", "/api/v1/slots?from=2026-11-23"])
def test_what_a_client_has_is_not_sent_again(client, seeded, path):
    packed = {"Accept-Encoding": "br"}
    known = client.get(path, headers=packed, buffered=True).headers["ETag"]

    again = client.get(path, headers=packed | {"If-None-Match": known}, buffered=True)

    assert (again.status_code, again.data) == (304, b"")
