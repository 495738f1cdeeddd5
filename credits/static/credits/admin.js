// The one box is a key away, and moments are told in the reader's own zone with UTC on hover.
(() => {
  const typing = (target) => target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName);
  document.addEventListener("keydown", (event) => {
    const command = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k";
    const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !typing(event.target);
    if (!command && !slash) return;
    event.preventDefault();
    event.stopPropagation();
    const boxes = [...document.querySelectorAll("#main .f-search, .f-search")].filter((each) => each.offsetParent);
    if (boxes.length) boxes[0].select();
    else window.location.assign("/admin/find/");
  }, true);

  // Go to the first line of the menu that is opening, as soon as there is one.
  const enter = (frames) => {
    const open = [...document.querySelectorAll("body > nav")].find((menu) => menu.getClientRects().length);
    const first = open && open.querySelector("a");
    if (first) first.focus();
    if (frames && document.activeElement !== first) window.requestAnimationFrame(() => enter(frames - 1));
  };

  const two = (number) => String(number).padStart(2, "0");
  const dayOf = (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const minuteOf = (at) => `${dayOf(at)} ${two(at.getHours())}:${two(at.getMinutes())}`;
  const WRITTEN = /(\d{4}-\d\d-\d\d) (\d\d:\d\d) UTC/g;
  const tell = () => {
    // Icons are words of a font: what reads a page aloud is to leave them out.
    for (const icon of document.querySelectorAll(".material-symbols-outlined")) icon.setAttribute("aria-hidden", "true");
    // On a phone each figure of a list stands beside its column's name, which may be that of a bare field.
    for (const cell of document.querySelectorAll("#result_list [data-label]")) {
      const label = cell.dataset.label.trim().replace(/^is /, "");
      cell.dataset.label = label.charAt(0).toUpperCase() + label.slice(1);
    }
    for (const element of document.querySelectorAll("time[datetime]")) {
      const at = new Date(element.getAttribute("datetime"));
      if (Number.isNaN(at.getTime())) continue;
      const exactly = `${minuteOf(at)}:${two(at.getSeconds())}`;
      element.textContent = "day" in element.dataset ? dayOf(at) : "exactly" in element.dataset ? exactly : minuteOf(at);
    }
    // What is chosen from a list has no room for an element.
    for (const option of document.querySelectorAll("#main option")) {
      if (!option.text.match(WRITTEN)) continue;
      option.title = option.text;
      option.text = option.text.replace(WRITTEN, (_, day, minute) => minuteOf(new Date(`${day}T${minute}:00Z`)));
    }
    // Heads of menus are links that lead nowhere: let a keyboard reach and open them.
    for (const head of document.querySelectorAll("#main li > a:not([href])")) {
      head.tabIndex = 0;
      head.setAttribute("role", "button");
      head.setAttribute("aria-haspopup", "menu");
      head.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        head.click();
        enter(60);
      });
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
