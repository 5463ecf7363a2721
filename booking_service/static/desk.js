// desk.js - keys, and what polling needs beyond htmx. Every page works without it.
"use strict";

// Single keys never fire while somebody types or together with Ctrl, Alt or Cmd, and each person can
// switch them off at a station.
const frame = document.querySelector("[data-me]");
const keysOff = `keys-off-${frame?.dataset.me}`;
const list = document.getElementById("keys");
const click = (what) => document.querySelector(what)?.click();

function isTyping(event) {
  return event.target.closest("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]");
}

// To the nearest card in that direction; from elsewhere to the one that is shown, or the first.
function toCard(x, y) {
  const middle = (card) => {
    const box = card.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  };
  const from = document.activeElement;
  const cards = [...document.querySelectorAll(".ap a")].filter((card) => card.offsetParent);
  if (!from.matches(".ap a")) return (cards.find((card) => card.matches(".sel a")) ?? cards[0])?.focus();
  const [left, top] = middle(from);
  const near = (card) => {
    const [cx, cy] = middle(card);
    const ahead = (cx - left) * x + (cy - top) * y;
    return ahead > 1 ? ahead + 3 * Math.abs((cx - left) * y + (cy - top) * x) : Infinity;
  };
  const [best] = cards.sort((a, b) => near(a) - near(b));
  if (near(best) < Infinity) best.focus();
}
const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

addEventListener("keydown", (event) => {
  const { key } = event;
  if (key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const form = document.querySelector("form[data-submit='ctrl-enter']");
    if (form) {
      event.preventDefault();
      form.requestSubmit();
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event)) return;
  if (list?.open || (key.length === 1 && localStorage[keysOff])) return;
  if (ARROWS[key] && event.target.matches("body, .ap a") && document.querySelector(".ap a")) {
    event.preventDefault();
    toCard(...ARROWS[key]);
  } else if (key === "?") list?.showModal();
  else if (key === "n") click(".ap.expected:not(.sel) a");
  const button = document.querySelector(`[data-key="${CSS.escape(key.toLowerCase())}"]`);
  const plan = /^[1-3]$/.test(key) && document.getElementById(`plan-${key}`);
  if (button?.matches("input")) {
    event.preventDefault();
    button.focus();
  } else if (button) button.click();
  if (plan) {
    plan.checked = true;
    plan.focus();
  }
});

if (list) {
  const on = document.getElementById("keys-on");
  const opener = document.querySelector("[data-opens=keys]");
  opener.hidden = false;
  opener.addEventListener("click", () => list.showModal());
  on.checked = !localStorage[keysOff];
  on.addEventListener("change", () => {
    if (on.checked) delete localStorage[keysOff];
    else localStorage[keysOff] = "yes";
  });
}

// Whoever presses Enter has seen who comes first.
addEventListener("submit", (event) => {
  const first = event.target.matches("[data-opens-first]") && document.querySelector("#found a");
  if (!first) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  first.click();
});

// A form is sent once, however often its button is pressed.
addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// Copy an address. Where the browser does not let us, it is selected for Ctrl+C.
addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    button.querySelector("span").textContent = "Copied";
  } catch {
    field.focus();
  }
});

// Nobody looks at a hidden tab, so it asks nothing.
addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});

// Signed out meanwhile: the answer is the sign-in page. Load it as a page.
addEventListener("htmx:beforeSwap", (event) => {
  if (/\/(sign-in|locked)/.test(event.detail.xhr.responseURL)) {
    event.detail.shouldSwap = false;
    location.reload();
  }
});

// No answer: say how old the copy is that is shown.
function tellStale() {
  const stale = document.getElementById("stale");
  if (!stale) return;
  stale.textContent = `Not updated since ${stale.dataset.at}. Showing the last copy.`;
  stale.classList.add("on");
}
addEventListener("htmx:sendError", tellStale);
addEventListener("htmx:responseError", tellStale);
addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) document.getElementById("stale")?.classList.remove("on");
});

// A day opens at the visit that is shown, or where the clock stands. Once styles have placed them.
addEventListener("load", () => {
  const place = document.querySelector(".sel") ?? document.querySelector(".nowt");
  if (place?.offsetParent) place.scrollIntoView({ block: "center" });
  if (location.hash.startsWith("#card-")) document.getElementById(location.hash.slice(1))?.focus();
});

// The board that comes every 15 s replaces the one that was scrolled: it stays where it was.
let scrolled;
addEventListener("htmx:beforeSwap", () => {
  const grid = document.querySelector(".gridwrap");
  scrolled = grid && { left: grid.scrollLeft, top: grid.scrollTop };
});
addEventListener("htmx:afterSwap", () => {
  if (scrolled) document.querySelector(".gridwrap")?.scrollTo(scrolled);
});
