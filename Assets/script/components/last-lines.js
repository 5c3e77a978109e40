/** The last lines that an instance printed before it failed. */

import { element } from "../base/dom.js";
import { lineNodes } from "../text/line.js";

/** @returns {Node | null} null: there are none. */
export function lastLines(lines, isOpen = false) {
  if (!lines || lines.length === 0) return null;
  return element("details", { open: isOpen }, element("summary", {}, `last ${lines.length} lines`),
    element("pre", { tabindex: 0, "aria-label": "Last lines of the log" },
      lines.flatMap((line) => [element("span", { class: "log-text", dir: "auto" }, lineNodes(line)), "\n"])));
}
