/** A select element whose options change in place. */

import { element } from "../base/dom.js";
import { visible } from "../text/visible.js";

export class Chooser {
  element;
  #select;
  #known = "";

  /** @param changed Called with the new value. */
  constructor(label, changed) {
    this.#select = element("select", { onchange: () => changed(this.#select.value) });
    this.element = element("label", {}, element("span", { class: "dim" }, label), this.#select);
  }

  /** @param options `[value, text]` */
  update(options, value) {
    const known = JSON.stringify(options);
    if (known !== this.#known) {
      this.#known = known;
      this.#select.replaceChildren(...options.map(([entry, text]) => element("option", { value: entry }, visible(text))));
    }
    if (this.#select.value !== value) this.#select.value = value;
  }

  get value() {
    return this.#select.value;
  }
}
