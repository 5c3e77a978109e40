/** How much of something is used. */

import { element, setState, setText } from "../base/dom.js";

export class Meter {
  #value = element("span");
  #fill = element("div", { class: "meter-fill" });
  #track;

  constructor(label) {
    this.#track = element("div", { class: "meter-track", role: "meter", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 }, this.#fill);
    this.element = element("div", { class: "meter" },
      element("div", { class: "meter-text" }, element("span", { class: "dim" }, label), this.#value), this.#track);
  }

  /**
   * @param percent null: unknown.
   * @param level "ok", "warn" or "bad".
   */
  set(percent, text, level = levelOf(percent)) {
    setText(this.#value, text);
    const shown = Math.max(0, Math.min(100, percent ?? 0));
    this.#fill.style.width = `${shown}%`;
    setState(this.#track, "aria-valuenow", Math.round(shown));
    setState(this.#track, "aria-valuetext", text);
    setState(this.element, "data-level", level);
  }
}

export function levelOf(percent) {
  return percent >= 90 ? "bad" : percent >= 75 ? "warn" : "ok";
}
