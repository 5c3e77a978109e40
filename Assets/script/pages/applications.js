/** All that deployex supervises, live. */

import { element, KeyedList, setState } from "../base/dom.js";
import { ApplicationSection } from "../components/application-section.js";
import { HostCard } from "../components/host-card.js";
import { VersionsFeed } from "../events/versions-feed.js";

export class Page {
  title = "Applications";
  #context;
  #host = new HostCard();
  #none = element("p", { class: "dim", hidden: true }, "No application is configured.");
  #waiting = element("p", { class: "dim" }, "Waiting for the status …");
  #sections = element("div", { class: "applications" });
  #parts = new Map();
  #list;
  #ends;
  #versions;
  #timer;
  element = element("div", {}, element("h1", {}, "Applications"), this.#host.element, this.#waiting, this.#none, this.#sections);

  constructor(context) {
    this.#context = context;
    this.#list = new KeyedList(this.#sections, (entry) => entry.app.name, (entry) => this.#section(entry.app.name));
    this.#versions = new VersionsFeed(context, (versions) => {
      for (const [name, section] of this.#parts) section.updateVersions(versions.apps?.find((app) => app.name === name) ?? null);
    });
    this.#ends = [
      context.live.subscribe("status", { event: (status, at) => this.#status(status, at) }),
      context.live.subscribe("host", {
        event: (host, at) => this.#host.updateHost(host, at),
        refused: (status, message) => this.#host.hostIsUnknown(status === 404 ? "This deployex does not tell about its host." : message),
      }),
    ];
    this.#timer = setInterval(() => this.#tick(), 1000);
  }

  close() {
    clearInterval(this.#timer);
    for (const end of this.#ends) end();
    this.#versions.close();
  }

  #status(status, at) {
    this.#waiting.hidden = true;
    this.#host.updateStatus(status, at);
    const apps = status.apps ?? [];
    setState(this.#none, "hidden", apps.length > 0);
    this.#list.update(apps.map((app) => ({ app, at, usesTLS: status.tls })));
    this.#versions.statusChanged(status);
  }

  #tick() {
    const now = Date.now();
    const isLive = this.#context.live.state.connected;
    this.#host.tick(now, isLive);
    for (const section of this.#parts.values()) section.tick(now, isLive);
  }

  #section(name) {
    const section = new ApplicationSection(this.#context, name);
    section.updateVersions(this.#versions.current?.apps?.find((app) => app.name === name) ?? null);
    this.#parts.set(name, section);
    return { element: section.element, update: (entry) => section.update(entry), close: () => this.#parts.delete(name) };
  }
}
