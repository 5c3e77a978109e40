/** What surrounds the pages: where one can go, who one is, and whether what is shown is live. */

import { element, setState, setText } from "../base/dom.js";
import { clock } from "../base/format.js";

const places = [
  ["applications", "./", "Applications"],
  ["logs", "logs", "Logs"],
  ["versions", "versions", "Versions"],
  ["node", "node", "Node"],
  ["terminal", "terminal", "Terminal"],
];

export class Frame {
  #links = new Map();
  #state = element("span", { class: "link-state", role: "status", "data-state": "connecting" }, "connecting");
  #banner;
  #session;

  constructor(bar, banner, session, logOut) {
    this.#banner = banner;
    this.#session = session;
    const nav = element("nav", { "aria-label": "Pages" });
    for (const [name, address, text] of places) {
      if (name === "terminal" && !(session.isAdministrator && session.terminal)) continue;
      const link = element("a", { href: address }, text);
      this.#links.set(name, link);
      nav.append(link);
    }
    bar.replaceChildren(nav, element("div", { class: "bar-end" }, this.#state,
      element("span", { class: "role" }, session.isAdministrator ? "administrator" : "viewer"),
      element("button", { type: "button", onclick: logOut }, "Log out")));
  }

  /** Marks the page that is shown. */
  mark(name) {
    for (const [place, link] of this.#links) setState(link, "aria-current", place === name ? "page" : null);
  }

  connection({ connected, at }, hurry) {
    const state = connected ? "live" : at === null ? "connecting" : "lost";
    setState(document.body, "data-link", state);
    setState(this.#state, "data-state", state);
    setText(this.#state, connected ? "live" : at === null ? "connecting" : "not live");
    if (state !== "lost") {
      this.#banner.replaceChildren();
      return;
    }
    const text = `Connection lost, showing the state of ${clock(at / 1000)}. `;
    if (this.#banner.firstElementChild?.dataset.text === text) return;
    this.#banner.replaceChildren(element("div", { class: "banner", role: "alert", "data-text": text }, text,
      element("button", { type: "button", class: "quiet", onclick: hurry }, "Try now")));
  }
}
