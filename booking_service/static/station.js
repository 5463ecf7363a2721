// station.js - a station that several people share locks itself, and shows nobody's page to others.
"use strict";

// Nobody there for a while: the screen locks, and shows no name. Work in one tab keeps all open.
const { idle: seconds } = document.querySelector("[data-idle]").dataset;
const idle = seconds * 1000;
let told = Date.now();

function here() {
  localStorage.here = Date.now();
  if (Date.now() - told < idle / 4) return;
  told = Date.now();
  fetch("/locked", { method: "HEAD", redirect: "manual" }); // somebody types, and sends nothing yet
}

here();
addEventListener("keydown", here);
addEventListener("pointerdown", here);
setInterval(() => {
  if (Date.now() - localStorage.here > idle) document.getElementById("lock").submit();
}, 1000);

// A page that comes back from the browser's memory may be locked, or another person's, by now.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
