// desk.js - keys, and what polling needs beyond htmx. Every page works without it.
"use strict";

// Single keys never fire while somebody types or together with Ctrl, Alt or Cmd.
function isTyping(event) {
  return event.target.closest("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]");
}

addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const form = document.querySelector("form[data-submit='ctrl-enter']");
    if (form) {
      event.preventDefault();
      form.requestSubmit();
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event)) return;
  const button = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  const plan = /^[1-3]$/.test(event.key) && document.getElementById(`plan-${event.key}`);
  if (button?.matches("input")) {
    event.preventDefault();
    button.focus();
  } else if (button) button.click();
  if (plan) {
    plan.checked = true;
    plan.focus();
  }
});

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
  if (event.detail.xhr.responseURL.includes("/sign-in")) {
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
