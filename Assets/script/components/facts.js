/** Pairs of a word and a value. The values change in place. */

import { element, setText } from "../base/dom.js";

export class Facts {
  element = element("dl", { class: "facts" });
  #values = new Map();

  /** @param words The pairs' words, in order. */
  constructor(words) {
    for (const word of words) {
      const name = element("dt", {}, word);
      const value = element("dd");
      this.#values.set(word, { name, value });
      this.element.append(name, value);
    }
  }

  /** @param text null hides the pair. */
  set(word, text) {
    const pair = this.#pair(word, text !== null && text !== undefined);
    if (!pair.name.hidden) setText(pair.value, String(text));
  }

  /** @param key Says whether the nodes would be others. */
  setNodes(word, key, nodes) {
    const pair = this.#pair(word, key !== null && key !== "");
    if (pair.key === key) return;
    pair.key = key;
    pair.value.replaceChildren(...nodes());
  }

  #pair(word, isShown) {
    const pair = this.#values.get(word);
    pair.name.hidden = pair.value.hidden = !isShown;
    return pair;
  }
}
