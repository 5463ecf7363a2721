"""What others show of us: a frame with the next times, and what search engines read."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from booking_service.queries import availability
from tests.factories import hold

EMBED = "/embed?src=home-page"


@pytest.fixture(autouse=True)
def _practice(seeded):
    pass


def links(page: str) -> list[str]:
    return [link.replace("&amp;", "&") for link in re.findall(r'href="(/book[^"]*)"', page)]


def test_a_frame_shows_the_next_three_times_and_leads_to_their_day(client):
    *times, everything = links(client.get(EMBED).text)

    assert len(times) == 3
    assert [parse_qs(urlsplit(link).query)["src"] for link in (*times, everything)] == (
        [["home-page"]] * 4
    )
    day = urlsplit(times[0])
    assert f'id="{day.fragment}"' in client.get(f"{day.path}?{day.query}").text


def test_a_frame_offers_a_held_time_no_more(client):
    before = client.get(EMBED).text
    for practitioner in availability.practitioners():
        hold(availability.soonest(1, practitioner.id)[0])

    assert client.get(EMBED).text != before


def test_a_frame_may_stand_anywhere_and_sets_no_cookie(client):
    answer = client.get("/embed?lang=es")

    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors *" in policy
    assert "form-action 'none'" in policy
    assert "script-src" not in policy
    assert "Set-Cookie" not in answer.headers
    assert "<script" not in answer.text
    assert "Ver todas las horas" in answer.text
    assert "lang=es" in links(answer.text)[0]


def test_only_the_frame_may_stand_in_other_sites(client):
    for path in ("/", "/book", "/terms"):
        assert "frame-ancestors 'none'" in client.get(path).headers["Content-Security-Policy"]


def test_search_engines_read_the_offer(client):
    page = client.get("/first-visit?src=article").text

    data = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', page)[1])
    assert (data["price"], data["priceCurrency"]) == ("39.00", "USD")
    assert data["url"] == "http://127.0.0.1:8000/first-visit"
    assert f'<link rel="canonical" href="{data["url"]}">' in page
    assert '<meta property="og:title" content="Your first visit for $39">' in page
