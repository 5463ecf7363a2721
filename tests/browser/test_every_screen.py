"""Every screen, in each size and theme: what a machine can judge, and a picture for who can judge.

`./run shots` keeps the pictures. The screens are in `patient_screens` and `staff_screens`.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from booking_service.languages import Language
from tests.browser.follow_up_screens import FOLLOW_UP_SCREENS
from tests.browser.patient_screens import PATIENT_SCREENS
from tests.browser.staff_screens import DESK_SCREENS, FINANCE_SCREENS, OPEN_SCREENS
from tests.browser.stage import Shown, Stage
from tests.browser.work_screens import WORK_SCREENS

pytestmark = pytest.mark.browser

AXE: Final = Axe()
KEPT: Final = os.environ.get("SHOTS")  # the folder for pictures; without it none are made
AT_THE_DESK: Final = (*DESK_SCREENS, *WORK_SCREENS, *FOLLOW_UP_SCREENS)
NOT_WHOLE_PAGES: Final = ("embedded",)  # it stands inside a page that has a headline


class Look(NamedTuple):
    """How big the window is, and which colours its owner likes."""

    width: int
    height: int
    theme: str

    @property
    def name(self) -> str:
        return f"{self.width}x{self.height}-{self.theme}"


class Budget(NamedTuple):
    """How much a page may bring over the network, styles and font included."""

    kilobytes: float
    requests: int


PATIENTS, STAFFS = Budget(75, 6), Budget(120, 10)
PHONE, PHONE_AT_NIGHT = Look(390, 844, "light"), Look(390, 844, "dark")
WIDE, WIDE_AT_NIGHT = Look(1440, 900, "light"), Look(1440, 900, "dark")
NARROW, LAPTOP = Look(320, 640, "light"), Look(1366, 768, "light")
LOOKS: Final = {
    "patient": (PHONE, PHONE_AT_NIGHT, WIDE, WIDE_AT_NIGHT, NARROW),
    "spanish": (PHONE, PHONE_AT_NIGHT, WIDE, NARROW),
    "staff": (WIDE, WIDE_AT_NIGHT, LAPTOP, PHONE, PHONE_AT_NIGHT),
}


@pytest.fixture
def stage_in(
    app, live, stripe, gateway, work, mail, travel, noon, seeded
) -> Callable[[Language], Stage]:
    return lambda language: Stage(stripe, gateway, work, travel, noon, seeded, language)


@pytest.fixture
def opened(browser: Browser, live: str, noon) -> Iterator[Callable[..., Page]]:
    """Open a window that complains of what its console complains of, and of any other site."""
    complaints: list[str] = []
    contexts = []

    def open_(look: Look, locale: str) -> Page:
        size = {"width": look.width, "height": look.height}
        context = browser.new_context(
            viewport=size, locale=locale, base_url=live, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.clock.set_fixed_time(noon)
        page.on("console", lambda told: complaints.append(told.text) if is_grave(told) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if is_far(asked) else None)
        return page

    def is_far(asked: Any) -> bool:
        return not asked.url.startswith(live)

    def is_grave(told: Any) -> bool:
        # A refusal has its status, and the console says so.
        return told.type == "error" and "the server responded with a status of" not in told.text

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def look_at(page: Page, name: str, looks: tuple[Look, ...]) -> None:
    """See the screen that is open in each look, and collect everything that is wrong."""
    wrong = []
    for look in looks:
        page.emulate_media(color_scheme=look.theme)
        page.set_viewport_size({"width": look.width, "height": look.height})
        found = AXE.run(page).response["violations"]
        wrong += [
            (look.name, rule["id"], node["target"]) for rule in found for node in rule["nodes"]
        ]
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wrong.append((look.name, "scrolls sideways", ""))
        if KEPT:
            page.screenshot(path=Path(KEPT) / f"{name}-{look.name}.png", full_page=True)
    if name.rpartition(".")[2] not in NOT_WHOLE_PAGES and page.locator("h1").count() != 1:
        wrong.append(("any", "needs one headline", ""))
    assert wrong == []


def show(page: Page, shown: Shown | str, name: str, most: Budget) -> None:
    """Open a screen with nothing in the cache, weigh it, and press what has to be pressed."""
    where = shown if isinstance(shown, Shown) else Shown(shown)
    network = page.context.new_cdp_session(page)
    arrived: list[int] = []
    network.on("Network.loadingFinished", lambda it: arrived.append(it["encodedDataLength"]))
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto(where.path, wait_until="networkidle")
    kilobytes = sum(arrived) / 1024
    if KEPT:
        with (Path(KEPT) / "weights.csv").open("a", encoding="utf-8") as weights:
            weights.write(f"{name},{kilobytes:.1f},{len(arrived)}\n")
    assert kilobytes <= most.kilobytes
    assert len(arrived) <= most.requests
    if where.press:
        where.press(page)
        page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("screen", PATIENT_SCREENS, ids=lambda screen: screen.__name__)
@pytest.mark.parametrize("language", sorted(Language))
def test_a_patients_screen(stage_in, opened, screen, language):
    name = f"patient-{language}.{screen.__name__}"
    page = opened(PHONE, {"en": "en-US", "es": "es-US"}[language])
    show(page, screen(stage_in(language)), name, PATIENTS)

    look_at(page, name, LOOKS["patient" if language is Language.EN else "spanish"])
    assert page.locator("html").get_attribute("lang") == language.tag


@pytest.mark.parametrize("screen", OPEN_SCREENS, ids=lambda screen: screen.__name__)
def test_a_screen_at_the_staffs_door(stage_in, opened, screen):
    page = opened(WIDE, "en-US")
    show(page, screen(stage_in(Language.EN)), f"staff.{screen.__name__}", STAFFS)

    look_at(page, f"staff.{screen.__name__}", LOOKS["staff"])


@pytest.mark.parametrize("screen", AT_THE_DESK, ids=lambda screen: screen.__name__)
def test_a_screen_of_the_front_desk(stage_in, opened, seeded, screen):
    page = opened(WIDE, "en-US")
    sign_in(page, seeded, "front_desk")
    show(page, screen(stage_in(Language.EN)), f"desk.{screen.__name__}", STAFFS)

    look_at(page, f"desk.{screen.__name__}", LOOKS["staff"])


@pytest.mark.parametrize("screen", FINANCE_SCREENS, ids=lambda screen: screen.__name__)
def test_a_screen_of_finance(stage_in, opened, seeded, screen):
    page = opened(WIDE, "en-US")
    sign_in(page, seeded, "finance")
    show(page, screen(stage_in(Language.EN)), f"finance.{screen.__name__}", STAFFS)

    look_at(page, f"finance.{screen.__name__}", LOOKS["staff"])


def sign_in(page: Page, seeded: Any, role: str) -> None:
    member = next(one for one in seeded.staff if one["role"] == role)
    page.goto("/sign-in")
    page.get_by_label("Work e-mail").fill(member["email"])
    page.get_by_label("Password").fill(member["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)
