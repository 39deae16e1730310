// Controls and drawings that a screen reader could not name.

return [...document.querySelectorAll("button, input, select, canvas, [role=img], [tabindex]")]
  .filter((node) => node.checkVisibility() && !node.closest("[aria-hidden=true], [role=presentation]"))
  .filter((node) => !(node.getAttribute("aria-label") || node.textContent.trim() || node.labels?.length || node.title))
  .map((node) => node.outerHTML.slice(0, 120));
