/** There is no such page. */

import { element } from "../base/dom.js";

export class Page {
  title = "Not found";
  element = element("section", {}, element("h1", {}, "There is nothing here"),
    element("p", {}, "The dashboard has no page of this name. ", element("a", { href: "./" }, "To the applications")));

  close() {}
}
