/** The remote shell of an instance. */

import { element, setState, setText } from "../base/dom.js";
import { InstanceChooser } from "../components/instance-chooser.js";
import { TerminalConnection } from "../terminal/connection.js";
import { Screen } from "../terminal/screen.js";
import { TerminalView } from "../terminal/view.js";
import { visible } from "../text/visible.js";

export class Page {
  title = "Terminal";
  #context;
  #chooser;
  #place = element("div", { class: "terminal-place" });
  #note = element("p", { class: "note", role: "status", hidden: true });
  #open = element("button", { type: "button", class: "primary", onclick: () => this.#begin(null) }, "Open a terminal");
  #close = element("button", { type: "button", hidden: true, onclick: () => this.#finish("The terminal was closed.") }, "Close the terminal");
  #ask = element("div");
  #connection = null;
  #view = null;
  #screen = null;
  #of = null;
  #isOpening = false;
  #observer = new ResizeObserver(() => this.#fit());
  element;

  constructor(context, parameters) {
    this.#context = context;
    this.#chooser = new InstanceChooser(context, "terminal", parameters, () => this.#instanceChanged());
    this.element = element("div", { class: "terminal-page" },
      element("div", { class: "head" }, element("h1", {}, "Terminal"), this.#chooser.element, this.#open, this.#close),
      element("p", { class: "dim" }, "The remote shell of the instance. Whatever you do here happens in the running application. Shift and Tab leave the terminal."),
      this.#note, this.#ask, this.#place);
    if (!context.session.isAdministrator) this.#refuse("Only an administrator can open a terminal.");
    else if (!context.session.terminal) this.#refuse("Terminals are switched off at this address.");
    this.#observer.observe(this.#place);
  }

  change(parameters) {
    this.#chooser.take(parameters);
    this.#instanceChanged();
  }

  close() {
    this.#observer.disconnect();
    this.#chooser.close();
    this.#connection?.close();
  }

  #instanceChanged() {
    const of = `${this.#chooser.app}/${this.#chooser.instance}`;
    if (of === this.#of) return;
    if (this.#of !== null) {
      this.#finish(null);
      this.#place.replaceChildren();
    }
    this.#of = of;
  }

  #refuse(text) {
    setState(this.#open, "hidden", true);
    this.#say(text);
  }

  async #begin(password) {
    if (this.#isOpening || !this.#chooser.app) return;
    this.#isOpening = true;
    this.#say("Opening …");
    this.#ask.replaceChildren();
    const screen = new Screen(80, 24);
    const view = new TerminalView(screen, (text) => this.#connection?.send(text));
    this.#place.replaceChildren(view.element);
    const { columns, rows } = view.size();
    screen.resize(columns, rows);
    try {
      this.#connection = await TerminalConnection.open(this.#context.api, this.#context.live, {
        app: this.#chooser.app, instance: this.#chooser.instance, columns, rows, password,
      }, {
        output: (text) => {
          screen.write(text);
          view.draw();
        },
        ended: (status) => this.#finish(status === null ? "The terminal has ended." : `The terminal has ended: ${status}.`),
        trouble: (text) => this.#say(visible(text)),
      });
    } catch (error) {
      this.#isOpening = false;
      this.#place.replaceChildren();
      this.#refused(error, password);
      return;
    }
    this.#isOpening = false;
    screen.onAnswer = (text) => this.#connection?.send(text);
    this.#screen = screen;
    this.#view = view;
    setState(this.#open, "hidden", true);
    setState(this.#close, "hidden", null);
    this.#say(null);
    view.draw();
    view.focus();
  }

  #refused(error, password) {
    if (error.isMissing && !error.content) {
      this.#say("This deployex has no terminals.");
      return;
    }
    if (error.status !== 403 || !error.message.includes("password")) {
      this.#say(visible(error.message));
      return;
    }
    this.#say(password === null ? "The password is asked again before a terminal is opened." : visible(error.message));
    this.#askPassword();
  }

  #askPassword() {
    const input = element("input", { id: "terminal-password", type: "password", autocomplete: "current-password", required: true, maxlength: 1024 });
    this.#ask.replaceChildren(element("form", {
      class: "toolbar", onsubmit: (event) => {
        event.preventDefault();
        this.#begin(input.value);
      },
    }, element("input", { type: "text", name: "username", autocomplete: "username", value: "deployex", hidden: true }),
    element("label", { for: "terminal-password" }, "Password"), input, element("button", { type: "submit", class: "primary" }, "Open")));
    input.focus();
  }

  #finish(text) {
    const hadFocus = this.#place.contains(document.activeElement) || document.activeElement === this.#close;
    this.#connection?.close();
    this.#connection = null;
    this.#view = null;
    setState(this.#open, "hidden", null);
    setState(this.#close, "hidden", true);
    if (hadFocus) this.#open.focus();
    this.#say(text);
  }

  #fit() {
    if (!this.#view || !this.#connection) return;
    const { columns, rows } = this.#view.size();
    if (columns === this.#screen.columns && rows === this.#screen.rows) return;
    this.#screen.resize(columns, rows);
    this.#view.draw();
    this.#connection.resize(columns, rows);
  }

  #say(text) {
    this.#note.hidden = text === null;
    setText(this.#note, text ?? "");
  }
}
