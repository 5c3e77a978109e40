/** A table whose rows are changed in place. On a phone each row becomes a block. */

import { element, KeyedList, setState, setText } from "../base/dom.js";
import { visible } from "../text/visible.js";

export class Table {
  element;
  #list;

  /**
   * @param columns `{ title, text(row) | nodes(row), className, key(row) }`: nodes are made anew only when
   *   the key differs.
   */
  constructor({ label, columns, keyOf }) {
    const body = element("tbody");
    this.element = element("table", { class: "folds", "aria-label": label },
      element("thead", {}, element("tr", {}, columns.map((column) =>
        element("th", { scope: "col", class: column.className }, column.isUnnamed ? element("span", { class: "unseen" }, column.title) : column.title)))),
      body);
    this.#list = new KeyedList(body, keyOf, () => new Row(columns));
  }

  update(rows) {
    this.#list.update(rows);
  }
}

class Row {
  #columns;
  #cells;
  #keys = [];

  constructor(columns) {
    this.#columns = columns;
    this.#cells = columns.map((column) => element("td", {
      class: column.className, "data-label": column.isUnnamed ? "" : column.title, dir: column.text ? "auto" : null,
    }));
    this.element = element("tr", {}, this.#cells);
  }

  update(row) {
    this.#columns.forEach((column, index) => {
      const cell = this.#cells[index];
      if (column.text) {
        setText(cell, visible(column.text(row) ?? ""));
      } else {
        const key = column.key ? column.key(row) : JSON.stringify(row);
        if (this.#keys[index] === key) return;
        this.#keys[index] = key;
        cell.replaceChildren(...[column.nodes(row)].flat().filter((node) => node !== null));
      }
      if (column.state) setState(this.element, "data-state", column.state(row));
    });
  }
}
