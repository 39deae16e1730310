// The page of a sweep: its drawing and its tables.

import { unpacked } from "./arrays.js";
import { showSweep } from "./sweep.js";
import { table } from "./tables.js";

const swept = await unpacked(document.getElementById("data").textContent.trim());
const drawingSection = document.getElementById("drawing");
drawingSection.hidden = !showSweep(drawingSection.querySelector(".content"), swept);
const shownTables = swept.tables.map(table);
for (const shown of shownTables) shown.open = true;
document.querySelector("#tables .content").append(...shownTables);
document.documentElement.dataset.ready = "true";
