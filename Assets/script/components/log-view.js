/** Lines of a log as they come: the end stays in sight as long as one looks at it. */

import { element, setState } from "../base/dom.js";
import { clock, dateAndClock, isToday } from "../base/format.js";
import { lineNodes } from "../text/line.js";
import { foreign } from "../text/visible.js";

/** Older lines are taken out of the page; they can be loaded again. */
const limit = 5000;
/** So near to the end counts as the end. */
const nearness = 24;

export class LogView {
  #lines = element("ol", { class: "log-lines" });
  #scroller = element("div", { class: "log-scroller", tabindex: 0, role: "log", "aria-live": "off", "aria-label": "Lines of the log" }, this.#lines);
  #toEnd = element("button", { type: "button", class: "log-to-end", hidden: true, onclick: () => this.showEnd() }, "To the newest line");
  element = element("div", { class: "log-view" }, this.#scroller, this.#toEnd);
  #isAtEnd = true;
  #top = 0;
  #frame = null;
  #permalink;
  #isMerged = false;

  /**
   * @param permalink Makes the address of a line, or null.
   * @param reachedTop Called when the first line comes into sight.
   */
  constructor({ permalink, reachedTop = () => {} }) {
    this.#permalink = permalink;
    this.#scroller.addEventListener("scroll", () => {
      const top = this.#scroller.scrollTop;
      // Lines that came meanwhile make the end farther: only who scrolls back leaves it.
      if (this.#distance() < nearness) this.#isAtEnd = true;
      else if (top < this.#top) this.#isAtEnd = false;
      this.#top = top;
      setState(this.#toEnd, "hidden", this.#isAtEnd);
      if (this.#scroller.scrollTop === 0) reachedTop();
    });
  }

  /** Whether each line says from which instance it is. */
  set isMerged(isMerged) {
    this.#isMerged = isMerged;
    this.element.classList.toggle("merged", isMerged);
  }

  set wraps(wraps) {
    this.element.classList.toggle("wraps", wraps);
  }

  get isEmpty() {
    return this.#lines.childElementCount === 0;
  }

  clear() {
    this.#lines.replaceChildren();
    this.#isAtEnd = true;
    setState(this.#toEnd, "hidden", true);
  }

  append(lines) {
    const fragment = document.createDocumentFragment();
    for (const line of lines.slice(-limit)) fragment.append(this.#row(line));
    this.#lines.append(fragment);
    const surplus = this.#lines.childElementCount - limit;
    if (surplus > 0 && this.#isAtEnd) for (let index = 0; index < surplus; index += 1) this.#lines.firstElementChild.remove();
    if (this.#isAtEnd) this.#scrollToEnd();
  }

  /** What stands before the lines that are shown; these stay where they are. */
  prepend(lines) {
    const before = this.#scroller.scrollHeight - this.#scroller.scrollTop;
    const fragment = document.createDocumentFragment();
    for (const line of lines) fragment.append(this.#row(line));
    this.#lines.prepend(fragment);
    this.#scroller.scrollTop = this.#scroller.scrollHeight - before;
  }

  /** A remark between the lines. */
  remark(text) {
    this.#lines.append(element("li", { class: "log-remark" }, text));
    if (this.#isAtEnd) this.#scrollToEnd();
  }

  showEnd() {
    this.#isAtEnd = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    setState(this.#toEnd, "hidden", true);
    this.#scroller.focus();
  }

  showLine(cursor) {
    const row = [...this.#lines.children].find((entry) => entry.dataset.cursor === cursor);
    if (!row) return;
    row.classList.add("marked");
    this.#isAtEnd = false;
    row.scrollIntoView({ block: "center" });
  }

  #row({ instance, stream, cursor, text, at }) {
    const row = element("li", { class: stream === "stderr" ? "stderr" : null, "data-cursor": cursor });
    if (this.#isMerged && instance !== undefined && instance !== null) {
      row.append(element("span", { class: `log-source source-${Number(instance) % 6}` }, foreign(String(instance))));
    }
    if (at) row.append(element("span", { class: "log-time", title: dateAndClock(at) }, isToday(at) ? clock(at) : dateAndClock(at)));
    const address = cursor ? this.#permalink(cursor, instance, stream) : null;
    if (address) row.append(element("a", { class: "log-link", href: address, "aria-label": "Link to this line" }, "#"));
    row.append(element("span", { class: "log-text", dir: "auto" }, lineNodes(text)));
    return row;
  }

  #distance() {
    return this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight;
  }

  #scrollToEnd() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      if (!this.#isAtEnd) return;
      this.#scroller.scrollTop = this.#scroller.scrollHeight;
      this.#top = this.#scroller.scrollTop;
    });
  }
}
