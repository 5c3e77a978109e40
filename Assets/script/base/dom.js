/** Elements without markup: whatever is put into the page becomes text, never HTML. */

const svgNamespace = "http://www.w3.org/2000/svg";

/**
 * @param attributes A value that is null, undefined or false leaves the attribute out; `true` gives
 *   an empty one. A name that begins with "on" takes a listener.
 * @param children Nodes and strings; null and undefined are left out.
 */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function drawing(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(svgNamespace, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else node.setAttribute(name, value === true ? "" : value);
}

/** Changes a node's text only if it differs, so that a selection in it stays. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets an attribute only if it differs; null removes it. */
export function setState(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

/**
 * The children of a container, one for each item, kept by key: what stays is changed in place, and so
 * keeps focus and selection.
 */
export class KeyedList {
  #container;
  #keyOf;
  #create;
  #parts = new Map();

  /** @param create Makes a part of an item: `{ element, update(item), close?() }`. */
  constructor(container, keyOf, create) {
    this.#container = container;
    this.#keyOf = keyOf;
    this.#create = create;
  }

  update(items) {
    const keys = new Set(items.map(this.#keyOf));
    for (const [key, part] of this.#parts) {
      if (keys.has(key)) continue;
      part.close?.();
      part.element.remove();
      this.#parts.delete(key);
    }
    let place = this.#container.firstElementChild;
    for (const item of items) {
      const key = this.#keyOf(item);
      let part = this.#parts.get(key);
      if (!part) {
        part = this.#create(item);
        this.#parts.set(key, part);
      }
      part.update(item);
      if (part.element === place) place = place.nextElementSibling;
      else this.#container.insertBefore(part.element, place);
    }
  }

  close() {
    for (const part of this.#parts.values()) part.close?.();
    this.#parts.clear();
  }
}
