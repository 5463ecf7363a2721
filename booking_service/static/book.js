// Makes the patient's pages nicer. Every one of them works without it.
"use strict";
(() => {
  const all = (what, within = document) => within.querySelectorAll(what);

  // An error summary is read first.
  document.querySelector("[data-focus]")?.focus();

  // A second tap sends nothing: the first is on its way.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-once]")) return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-disabled", "true");
  });
  // Going back shows the page as it was: it may send again.
  addEventListener("pageshow", () => {
    for (const form of all("form[data-sent]")) delete form.dataset.sent;
    for (const button of all("button[aria-disabled]")) button.removeAttribute("aria-disabled");
  });

  // Minutes left beside the clock; words when they are over.
  const tell = () => {
    for (const note of all("[data-until]")) {
      const minutes = Math.ceil((new Date(note.dataset.until) - Date.now()) / 60000);
      note.dataset.clock ??= note.textContent;
      note.textContent = (minutes > 0 ? note.dataset.left : note.dataset.over)
        .replace("{time}", note.dataset.clock).replace("{minutes}", minutes);
    }
  };
  tell();
  setInterval(tell, 15000);

  // Waiting for Stripe: look again.
  const look = document.querySelector("[data-look]");
  if (look) setTimeout(() => location.replace(look.dataset.look), 2000);

  // Other filters change the list alone.
  const swap = async (form) => {
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    const address = `${form.action}?${query}`;
    const answer = await fetch(address);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const list = page.getElementById(form.dataset.swap);
    if (!list) return form.submit();
    const old = document.getElementById(list.id), at = document.activeElement;
    const isIn = old.contains(at);
    old.replaceWith(list);
    // Whoever went on into it stays there, or goes back to the filters.
    const name = (stop) => [stop.href, stop.value, stop.id].join();
    const same = [...all("a, button, h3", list)].find((stop) => name(stop) === name(at));
    if (isIn) (same ?? form.querySelector(":checked")).focus();
    document.getElementById("said").textContent = list.dataset.said;
    history.replaceState(null, "", address);
  };
  for (const form of all("[data-swap]")) {
    form.addEventListener("change", () => swap(form).catch(() => form.submit()));
  }

  // A phone in another zone: what the clinic's clock says.
  for (const zone of all("[data-zone]")) {
    const clock = { hour: "numeric", minute: "2-digit", hour12: true };
    const at = (timeZone) => new Intl.DateTimeFormat(document.documentElement.lang.slice(0, 2), { ...clock, timeZone }).format();
    const there = at(zone.dataset.zone);
    if (at() !== there) zone.append(zone.dataset.there.replace("{time}", there));
  }
})();
