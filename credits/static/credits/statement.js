// The page is made to be printed.
document.querySelector("[data-print]").addEventListener("click", () => window.print());
