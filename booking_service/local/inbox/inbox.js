// The list follows the box: reload when the number of messages has changed.
const bar = document.querySelector("[data-count]");
if (bar) {
  setInterval(async () => {
    try {
      const { count } = await (await fetch("/api/count")).json();
      if (String(count) !== bar.dataset.count) location.reload();
    } catch {
      // The demo has stopped; the page stays readable.
    }
  }, 2000);
  document.getElementById("empty")?.addEventListener("click", async () => {
    await fetch("/api/messages", { method: "DELETE" });
    location.reload();
  });
}
