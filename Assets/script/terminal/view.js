/** Draws a screen as lines of text, which the browser can select and copy, and takes what is typed. */

import { element, setState } from "../base/dom.js";
import { applyStyle, plain } from "../text/sgr.js";
import { bytesOf, pasted } from "./keys.js";
import { scrollbackLimit } from "./screen.js";

export class TerminalView {
  #screen;
  #onInput;
  #scrollback = element("div");
  #lines = element("div");
  #input = element("textarea", {
    class: "terminal-input", "aria-label": "Terminal input. Shift and Tab leave it.", autocapitalize: "off", autocomplete: "off", autocorrect: "off", spellcheck: "false", rows: 1,
  });
  #scroller;
  element;
  #frame = null;
  #kept = 0;
  #isComposing = false;
  #ruler = element("span", { class: "terminal-ruler", "aria-hidden": "true" }, "0".repeat(20));

  /** @param onInput Called with what is to be sent. */
  constructor(screen, onInput) {
    this.#screen = screen;
    this.#onInput = onInput;
    this.#scroller = element("div", { class: "terminal-scroller" }, this.#scrollback, this.#lines, this.#input, this.#ruler);
    this.element = element("div", { class: "terminal", role: "group", "aria-label": "Terminal" }, this.#scroller);
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#input.addEventListener("input", () => this.#typed());
    this.#input.addEventListener("compositionstart", () => { this.#isComposing = true; });
    this.#input.addEventListener("compositionend", () => {
      this.#isComposing = false;
      this.#typed();
    });
    this.#input.addEventListener("paste", (event) => {
      event.preventDefault();
      this.#send(pasted(event.clipboardData.getData("text/plain"), this.#screen.modes));
    });
    this.#input.addEventListener("focus", () => this.element.classList.add("focused"));
    this.#input.addEventListener("blur", () => this.element.classList.remove("focused"));
    // A click that selects nothing goes to the input.
    this.#scroller.addEventListener("mouseup", () => {
      if (document.getSelection().isCollapsed) this.focus();
    });
  }

  focus() {
    this.#input.focus({ preventScroll: true });
  }

  /** How many columns and rows have room. */
  size() {
    const ruler = this.#ruler.getBoundingClientRect();
    const style = getComputedStyle(this.#scroller);
    const width = this.#scroller.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const height = this.element.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    const cell = ruler.width / 20;
    if (cell === 0) return { columns: 80, rows: 24 };
    return {
      columns: Math.max(20, Math.min(500, Math.floor(width / cell))),
      rows: Math.max(5, Math.min(200, Math.floor(height / ruler.height))),
    };
  }

  /** Draws what has changed, once for each picture that the browser shows. */
  draw() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#draw();
    });
  }

  #draw() {
    const screen = this.#screen;
    const wasAtEnd = this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight < 30;
    this.#drawScrollback();
    while (this.#lines.children.length < screen.rows) this.#lines.append(element("div", { class: "terminal-line" }));
    while (this.#lines.children.length > screen.rows) this.#lines.lastElementChild.remove();
    for (const row of screen.dirty) {
      if (row >= screen.rows) continue;
      const cursor = row === screen.cursor.row && screen.cursor.isVisible ? screen.cursor.column : -1;
      drawLine(this.#lines.children[row], screen.lines[row], cursor);
    }
    screen.dirty.clear();
    setState(this.#scrollback, "hidden", screen.isAlternate);
    if (wasAtEnd) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    const line = this.#lines.children[screen.cursor.row];
    if (line) this.#input.style.top = `${line.offsetTop}px`;
  }

  #drawScrollback() {
    const { scrollback, scrolledCount } = this.#screen;
    if (scrollback.length === 0 && this.#scrollback.childElementCount > 0 && scrolledCount === this.#kept) this.#scrollback.replaceChildren();
    const fresh = Math.min(scrolledCount - this.#kept, scrollback.length);
    this.#kept = scrolledCount;
    if (fresh <= 0) return;
    const fragment = document.createDocumentFragment();
    for (const line of scrollback.slice(-fresh)) {
      const node = element("div", { class: "terminal-line" });
      drawLine(node, line, -1);
      fragment.append(node);
    }
    this.#scrollback.append(fragment);
    while (this.#scrollback.childElementCount > scrollbackLimit) this.#scrollback.firstElementChild.remove();
  }

  #key(event) {
    if (event.isComposing || this.#isComposing) return;
    const bytes = bytesOf(event, this.#screen.modes);
    if (bytes === null) return;
    // What is marked is copied, as everywhere; without a mark the program gets the key.
    if (event.ctrlKey && event.key === "c" && !document.getSelection().isCollapsed) return;
    event.preventDefault();
    this.#send(bytes);
  }

  #typed() {
    if (this.#isComposing) return;
    const text = this.#input.value;
    this.#input.value = "";
    if (text !== "") this.#send(text.replaceAll("\n", "\r"));
  }

  #send(text) {
    if (text === "") return;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#onInput(text);
  }
}

/** Stretches of the same style become one element; a wide character has one of its own, two columns wide. */
function drawLine(node, line, cursor) {
  const nodes = [];
  let text = "";
  let style = null;
  const flush = () => {
    if (text === "") return;
    if (style === plain) {
      nodes.push(document.createTextNode(text));
    } else {
      nodes.push(cellNode(text, style));
    }
    text = "";
  };
  const last = Math.max(lastUsed(line.cells), cursor);
  for (let column = 0; column <= last; column += 1) {
    const cell = line.cells[column];
    if (cell.width === 0) continue;
    if (column === cursor || cell.width === 2) {
      flush();
      const own = cellNode(cell.text, cell.style);
      if (cell.width === 2) own.classList.add("terminal-wide");
      if (column === cursor) own.classList.add("terminal-cursor");
      nodes.push(own);
      continue;
    }
    if (cell.style !== style) flush();
    style = cell.style;
    text += cell.text;
  }
  flush();
  node.replaceChildren(...nodes);
}

function lastUsed(cells) {
  let last = cells.length - 1;
  while (last >= 0 && cells[last].text === " " && cells[last].style === plain) last -= 1;
  return last;
}

function cellNode(text, style) {
  const node = document.createElement("span");
  node.textContent = text;
  applyStyle(node, style);
  return node;
}
