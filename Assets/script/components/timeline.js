/** What happened one after the other. */

import { element, setState, setText } from "../base/dom.js";
import { KeyedList } from "../base/dom.js";
import { visible } from "../text/visible.js";

export class Timeline {
  element;
  #list;

  constructor(label) {
    this.element = element("ol", { class: "timeline", "aria-label": label });
    this.#list = new KeyedList(this.element, (step) => step.key, () => new Step());
  }

  /** @param steps `{ key, state: "done" | "working" | "failed" | "waiting", title, text }` */
  update(steps) {
    this.#list.update(steps);
  }
}

class Step {
  #title = element("strong", { dir: "auto" });
  #text = element("p", { class: "dim", dir: "auto" });
  element = element("li", {}, element("div", {}, this.#title, this.#text));

  update({ state, title, text }) {
    setState(this.element, "data-state", state);
    setText(this.#title, visible(title));
    setText(this.#text, visible(text ?? ""));
  }
}
