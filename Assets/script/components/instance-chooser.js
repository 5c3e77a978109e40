/** Which instance a page is about. */

import { query } from "../base/api.js";
import { Chooser } from "./chooser.js";

export class InstanceChooser {
  app;
  instance;
  #context;
  #page;
  #changed;
  #chooser;
  #end;
  #apps = [];

  /** @param changed Called when another instance is chosen, and with the first status. */
  constructor(context, page, parameters, changed) {
    this.#context = context;
    this.#page = page;
    this.#changed = changed;
    this.#chooser = new Chooser("Instance", (value) => {
      const slash = value.lastIndexOf("/");
      context.router.go(`${page}${query({ app: value.slice(0, slash), instance: value.slice(slash + 1) })}`);
    });
    this.element = this.#chooser.element;
    this.take(parameters);
    this.#end = context.live.subscribe("status", { event: (status) => this.#status(status) });
  }

  take(parameters) {
    this.app = parameters.get("app");
    this.instance = parameters.get("instance");
    this.#show();
  }

  /** What the status says about the instance. */
  status = null;

  close() {
    this.#end();
  }

  #status(status) {
    this.#apps = status.apps ?? [];
    if (!this.app) {
      const first = this.#apps.find((app) => (app.instances ?? []).length > 0);
      if (first) {
        this.app = first.name;
        this.instance = String(first.instances[0].instance);
        this.#context.router.replace(`${this.#page}${query({ app: this.app, instance: this.instance })}`);
      }
    }
    this.status = this.#apps.find((app) => app.name === this.app)?.instances?.find((entry) => String(entry.instance) === this.instance) ?? null;
    this.#show();
    this.#changed();
  }

  #show() {
    const options = this.#apps.flatMap((app) => (app.instances ?? []).map((entry) => [`${app.name}/${entry.instance}`, `${app.name} ${entry.instance}`]));
    const value = this.app ? `${this.app}/${this.instance}` : "";
    if (value && !options.some(([entry]) => entry === value)) options.push([value, `${this.app} ${this.instance}`]);
    this.#chooser.update(options, value);
  }
}
