// Shows the three soonest times where this script stands: see docs/embedding.md.
"use strict";
(() => {
  const script = document.currentScript;
  const address = new URL("/embed", script.src);
  for (const [name, value] of [["src", script.dataset.source], ["lang", script.dataset.lang]]) {
    if (value) address.searchParams.set(name, value);
  }
  const frame = document.createElement("iframe");
  frame.src = address;
  frame.title = script.dataset.title || "Next times for a first visit";
  frame.loading = "lazy";
  frame.referrerPolicy = "no-referrer";
  // It may lead the page to ours when somebody taps a time, and nothing else.
  frame.sandbox = "allow-top-navigation-by-user-activation";
  frame.width = "100%";
  frame.height = script.dataset.height || "350";
  frame.style.border = "0";
  script.after(frame);
})();
