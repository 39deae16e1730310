// The page that compares runs: the part that needs its data.

import { unpacked } from "./arrays.js";
import { showComparison } from "./comparison.js";

const compared = await unpacked(document.getElementById("data").textContent.trim());
if (compared.measures.length) {
  const curvesSection = document.getElementById("curves");
  showComparison(curvesSection.querySelector(".content"), compared);
  curvesSection.hidden = false;
}
document.documentElement.dataset.ready = "true";
