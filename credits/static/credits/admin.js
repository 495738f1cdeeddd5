// The one box is a key away, and moments are told in the reader's own zone with UTC on hover.
(() => {
  const typing = (target) => target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName);
  document.addEventListener("keydown", (event) => {
    const command = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k";
    const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !typing(event.target);
    if (!command && !slash) return;
    event.preventDefault();
    event.stopPropagation();
    const box = document.querySelector(".f-search");
    if (box) box.focus();
    else window.location.assign("/admin/find/");
  }, true);

  const two = (number) => String(number).padStart(2, "0");
  const tell = () => {
    for (const element of document.querySelectorAll("time[datetime]")) {
      const at = new Date(element.getAttribute("datetime"));
      if (Number.isNaN(at.getTime())) continue;
      element.textContent = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
    }
    for (const zone of document.querySelectorAll("[data-drop]")) {
      const input = zone.querySelector("input[type=file]");
      zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("f-over-drop"); });
      zone.addEventListener("dragleave", () => zone.classList.remove("f-over-drop"));
      zone.addEventListener("drop", (event) => {
        event.preventDefault();
        zone.classList.remove("f-over-drop");
        if (input && event.dataTransfer.files.length) input.files = event.dataTransfer.files;
      });
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", tell);
  else tell();
})();
