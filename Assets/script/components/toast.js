/** Short messages at the edge of the page: what was done, and what was refused. */

import { element } from "../base/dom.js";
import { visible } from "../text/visible.js";

/** How long a message stays that only confirms something. */
const time = 6000;
const limit = 4;

export class Toasts {
  #polite;
  #urgent;

  constructor(container) {
    container.className = "toasts";
    this.#polite = element("div", { role: "status", "aria-live": "polite" });
    this.#urgent = element("div", { role: "alert" });
    container.append(this.#polite, this.#urgent);
  }

  done(text) {
    const toast = this.#add(this.#polite, "toast", text);
    setTimeout(() => toast.remove(), time);
  }

  /** Stays until it is closed. */
  failed(text) {
    this.#add(this.#urgent, "toast error", text);
  }

  #add(region, className, text) {
    const toast = element("div", { class: className }, element("p", { dir: "auto" }, visible(text)));
    toast.append(element("button", { type: "button", class: "quiet", "aria-label": "Close this message", onclick: () => toast.remove() }, "✕"));
    region.append(toast);
    while (region.children.length > limit) region.firstElementChild.remove();
    return toast;
  }
}
