/** Several views of which one is shown. Arrow keys go from one to the next. */

import { element, setState } from "../base/dom.js";

let count = 0;

export class Tabs {
  element;
  #buttons = new Map();
  #panel;
  #selected = null;
  #choose;

  /** @param views `[name, title]`; `choose(name, panel)` fills the panel. */
  constructor(label, views, choose) {
    count += 1;
    this.#choose = choose;
    this.#panel = element("div", { role: "tabpanel", id: `panel-${count}`, tabindex: 0 });
    const list = element("div", { class: "tabs", role: "tablist", "aria-label": label, onkeydown: (event) => this.#key(event) });
    for (const [name, title] of views) {
      const button = element("button", {
        type: "button", role: "tab", id: `tab-${count}-${name}`, "aria-controls": this.#panel.id, "aria-selected": "false", tabindex: -1,
        onclick: () => this.select(name),
      }, title);
      this.#buttons.set(name, button);
      list.append(button);
    }
    this.element = element("div", {}, list, this.#panel);
  }

  select(name) {
    this.#selected = name;
    for (const [entry, button] of this.#buttons) {
      setState(button, "aria-selected", String(entry === name));
      setState(button, "tabindex", entry === name ? "0" : "-1");
    }
    setState(this.#panel, "aria-labelledby", this.#buttons.get(name).id);
    this.#choose(name, this.#panel);
  }

  get selected() {
    return this.#selected;
  }

  #key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const names = [...this.#buttons.keys()];
    const next = names[(names.indexOf(this.#selected) + step + names.length) % names.length];
    this.select(next);
    this.#buttons.get(next).focus();
  }
}
