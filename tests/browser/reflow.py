"""What a person with large letters or a small window would trip over on a page."""

from typing import Final, NamedTuple

from playwright.sync_api import Page

from tests.browser.patient import plain


class View(NamedTuple):
    """A way to look at a page. `letters` is the browser's own size of text, in CSS pixels."""

    words: str
    width: int
    height: int
    letters: int = 16


VIEWS: Final = (
    # WCAG 1.4.10: a window of 1280 pixels at 400 %, and the narrowest phone.
    View("320 wide", 320, 640),
    # WCAG 1.4.4 by the browser's zoom: a window of 1280 x 800 at 200 % has half the pixels.
    View("200 % zoom", 640, 400),
    # WCAG 1.4.4 by the browser's size of text, in half of that window.
    View("200 % text", 640, 800, 32),
)

_FAULTS: Final = """() => {
  const faults = [];
  const say = (what, it) => faults.push(`${what}: ${it.tagName} ${it.className} "${
    it.textContent.trim().replace(/\\s+/g, " ").slice(0, 50)}"`);
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth) faults.push(`scrolls sideways to ${page.scrollWidth}`);

  const seen = { visibilityProperty: true };
  const shown = (it) => it.checkVisibility(seen) && !it.closest(".vh, .skip");
  const words = [];
  for (const it of document.querySelectorAll("body *")) {
    const own = [...it.childNodes].filter((node) => node.nodeType === 3 && node.data.trim());
    if (!own.length || !shown(it) || it.matches("option, script, noscript")) continue;
    const scroller = it.closest(".strip");
    for (const node of own) {
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const box of range.getClientRects()) {
        words.push([it, box]);
        if (!scroller && (box.left < -1 || box.right > innerWidth + 1)) say("off the page", it);
        for (let at = it; at !== document.body; at = at.parentElement) {
          const style = getComputedStyle(at);
          const frame = at.getBoundingClientRect();
          const holds = style.display !== "inline" && style.display !== "contents";
          if (holds && at !== scroller && at.parentElement !== scroller
              && (box.right > frame.right + 1 || box.left < frame.left - 1)) say("sticks out", it);
          if (style.overflowY === "hidden" && box.bottom > frame.bottom + 1) say("cut off", it);
          if (at === scroller) break;
        }
      }
    }
  }
  words.forEach(([it, box], n) => words.slice(n + 1).forEach(([other, next]) => {
    const wide = Math.min(box.right, next.right) - Math.max(box.left, next.left);
    const high = Math.min(box.bottom, next.bottom) - Math.max(box.top, next.top);
    if (wide > 2 && high > Math.min(box.height, next.height) / 2) say("is written over", it);
  }));
  for (const chosen of document.querySelectorAll("select")) {
    const style = getComputedStyle(chosen);
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = style.font;
    const sides = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
    const room = chosen.clientWidth - sides;
    for (const option of chosen.options) {
      if (pen.measureText(option.text).width > room) say("is shortened", option);
    }
  }
  const targets = "button, .btn, summary, a.dd, select, label.box, .back, .field input,"
    + " .errors a, header a:not(.skip), footer li a";
  for (const it of document.querySelectorAll(targets)) {
    if (shown(it) && it.getBoundingClientRect().height < 48) say("too low to tap", it);
  }
  return [...new Set(faults)];
}"""


def faults(page: Page) -> list[str]:
    """Return what is wrong with a page in each of the views; it stays as wide as it was."""
    page.wait_for_load_state()  # with its styles
    before = page.viewport_size
    window = page.context.new_cdp_session(page)
    found = []
    for view in VIEWS:
        page.set_viewport_size({"width": view.width, "height": view.height})
        window.send("Page.setFontSizes", {"fontSizes": {"standard": view.letters}})
        assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == (
            f"{view.letters}px"
        )
        found += [f"{view.words}: {plain(fault)}" for fault in page.evaluate(_FAULTS)]
    window.send("Page.setFontSizes", {"fontSizes": {"standard": 16}})
    window.detach()
    page.set_viewport_size(before)
    return found
