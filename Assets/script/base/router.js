/**
 * Which page an address shows. All pages lie in one folder ("logs", "versions" …), what they show is in the
 * query: so the shell's relative addresses hold for each of them.
 */

import { root } from "./api.js";

export class Router {
  #pages;
  #show;

  /**
   * @param pages The pages' names.
   * @param show Called with a page's name, or null for an unknown one, and its query.
   */
  constructor(pages, show) {
    this.#pages = pages;
    this.#show = show;
    window.addEventListener("popstate", () => this.refresh());
    document.addEventListener("click", (event) => this.#follow(event));
  }

  /** Shows what the address says. */
  refresh() {
    const { name, parameters } = place(new URL(location.href));
    this.#show(this.#pages.includes(name) ? name : null, parameters);
  }

  /** @param address Relative to the dashboard's folder. */
  go(address) {
    history.pushState(null, "", new URL(address, root));
    this.refresh();
  }

  /** The same page, with another query; the browser's way back does not stop here. */
  replace(address) {
    history.replaceState(null, "", new URL(address, root));
  }

  #follow(event) {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    if (!link || link.target || link.hasAttribute("download") || link.getAttribute("href").startsWith("#")) return;
    const url = new URL(link.href);
    if (url.origin !== root.origin || !url.pathname.startsWith(root.pathname)) return;
    event.preventDefault();
    history.pushState(null, "", url);
    this.refresh();
  }
}

/** "https://host/sub/logs?app=a" → { name: "logs", parameters } */
export function place(url) {
  return { name: decodeURI(url.pathname.slice(root.pathname.length)), parameters: url.searchParams };
}
