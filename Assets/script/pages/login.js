/** Who is it? A password, or the link that deployex prints. */

import { element, setText } from "../base/dom.js";

export class Login {
  title = "Log in – deployex";
  element;
  #context;
  #done;
  #message = element("p", { role: "alert", class: "note bad", hidden: true });
  #ways = element("div");

  /** @param done Called when the session is open. */
  constructor(context, message, done) {
    this.#context = context;
    this.#done = done;
    this.element = element("section", { class: "login card" }, element("h1", {}, "Log in to deployex"), this.#message, this.#ways);
    if (message) this.#say(message);
  }

  async begin() {
    let methods;
    try {
      methods = await this.#context.session.methods();
    } catch (error) {
      this.#say(error.isMissing ? "This deployex has no login for the dashboard." : error.message);
      return;
    }
    this.#ways.replaceChildren();
    if (methods.includes("password")) this.#ways.append(this.#form());
    if (methods.includes("link")) {
      this.#ways.append(element("p", { class: "dim" }, "For a link, run ",
        element("code", {}, "deployex login-link"), " on its host."));
    }
    this.element.querySelector("#password")?.focus();
  }

  #form() {
    const password = element("input", { id: "password", type: "password", name: "password", autocomplete: "current-password", required: true, maxlength: 1024 });
    const button = element("button", { type: "submit", class: "primary" }, "Log in");
    return element("form", {
      onsubmit: async (event) => {
        event.preventDefault();
        if (button.getAttribute("aria-busy") === "true") return;
        button.setAttribute("aria-busy", "true");
        this.#message.hidden = true;
        try {
          await this.#context.session.begin({ password: password.value });
          this.#done();
        } catch (error) {
          this.#say(error.status === 401 ? "The password is wrong." : error.message);
          password.select();
        } finally {
          button.removeAttribute("aria-busy");
        }
      },
    },
    // For the browser's store of passwords.
    element("input", { type: "text", name: "username", autocomplete: "username", value: "deployex", hidden: true }),
    element("label", { for: "password" }, "Password"), password, button);
  }

  #say(text) {
    this.#message.hidden = false;
    setText(this.#message, text);
  }
}
