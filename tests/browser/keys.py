"""Somebody with a keyboard and nothing else, who must see at each key where they are."""

from typing import Any, Final

from playwright.sync_api import Page

from tests.browser.patient import plain

_MOST_STOPS: Final = 80
# What somebody sees of the focus. `drawn` is what carries the ring: a radio's is on its words.
_LOOK: Final = """() => {
  const it = document.activeElement;
  if (!it || it === document.body) return null;
  const drawn = it.matches(".seg input") ? it.nextElementSibling : it;
  const style = getComputedStyle(drawn);
  const box = drawn.getClientRects()[0];
  const whole = drawn.getBoundingClientRect();
  const x = box.left + box.width / 2, y = box.top + box.height / 2;
  const on_top = document.elementFromPoint(x, y);
  const reach = parseFloat(style.outlineWidth) + parseFloat(style.outlineOffset);

  const rgb = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (let at = element.parentElement; at; at = at.parentElement) {
      const [r, g, b, alpha = 1] = rgb(getComputedStyle(at).backgroundColor);
      if (alpha === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((part) => {
      const s = part / 255;
      return s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const pair = [light(rgb(style.outlineColor)), light(behind(drawn))];

  // Whatever cuts off what hangs over it must leave room for the ring.
  let cut = 0;
  for (let at = drawn.parentElement; at; at = at.parentElement) {
    if (getComputedStyle(at).overflowX === "visible") continue;
    const frame = at.getBoundingClientRect();
    cut = Math.max(cut, frame.left - whole.left + reach, whole.right + reach - frame.right,
      frame.top - whole.top + reach, whole.bottom + reach - frame.bottom);
  }
  const left = window.leftBehind;
  window.leftBehind = drawn;
  const part = it.closest("header, .aside, .list, footer, main, body");
  window.parts ??= [];
  if (!window.parts.includes(part)) window.parts.push(part);
  return {
    words: it.labels?.length ? it.labels[0].textContent : it.textContent,
    id: it.id, kind: it.tagName, part: window.parts.indexOf(part),
    top: whole.top + scrollY, left: whole.left, height: whole.height,
    is_inside: box.width > 0 && whole.left >= 0 && whole.right <= innerWidth
      && whole.top >= 0 && whole.bottom <= innerHeight,
    is_on_top: on_top !== null && (it.contains(on_top) || drawn.contains(on_top)),
    ring: [style.outlineStyle, style.outlineWidth, parseFloat(style.outlineOffset) > 0],
    contrast: Math.max(...pair) / Math.min(...pair),
    cut,
    old_ring: left && left !== drawn && left.isConnected
      ? getComputedStyle(left).outlineStyle : "none",
  };
}"""


class Keys:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._before: dict[str, Any] | None = None

    def press(self, key: str) -> None:
        self._page.keyboard.press(key)

    def type(self, text: str) -> None:
        self._page.keyboard.type(text)

    def open(self, key: str = "Enter") -> None:
        """Press a key that leads to another page, and wait for the page."""
        with self._page.expect_navigation(wait_until="load"):
            self._page.keyboard.press(key)
        self._before = None

    def tab(self, key: str = "Tab") -> dict[str, Any]:
        """Go one stop on, and look: return what has the focus."""
        self._page.keyboard.press(key)
        stop = self.look()
        if key == "Tab" and self._before is not None:
            _is_in_reading_order(self._before, stop)
        self._before = stop
        return stop

    def look(self) -> dict[str, Any]:
        """Return what has the focus; fail when that cannot be seen."""
        stop = self._page.evaluate(_LOOK)
        assert stop is not None, "the focus is nowhere, or behind the last stop"
        stop["words"] = plain(stop["words"])
        assert stop["is_inside"], stop
        assert stop["is_on_top"], stop
        assert stop["ring"] == ["solid", "3px", True], stop
        assert stop["old_ring"] == "none", stop
        assert stop["contrast"] >= 3, stop
        assert stop["cut"] <= 0, stop
        return stop

    def tab_to(self, words: str = "", *, id_: str = "", key: str = "Tab") -> None:
        """Go on to the stop with these words, or this id."""
        passed = []
        for _ in range(_MOST_STOPS):
            stop = self.tab(key)
            if (id_ and stop["id"] == id_) or (words and words in stop["words"]):
                return
            passed.append(stop["words"] or stop["id"])
        raise AssertionError(f"no {words or id_} among {passed}")


def _is_in_reading_order(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Down the page, and to the right within a line, in each of its columns."""
    if before["part"] != after["part"]:
        return
    middle = after["top"] + after["height"] / 2
    same_line = before["top"] <= middle <= before["top"] + before["height"]
    ahead = after["left"] >= before["left"] if same_line else middle > before["top"]
    assert ahead, (before, after)
