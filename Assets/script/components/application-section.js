/** One application: its target, what holds it up, its rollout, and a card for each instance. */

import { path, query } from "../base/api.js";
import { element, KeyedList, setState, setText } from "../base/dom.js";
import { foreign, visible } from "../text/visible.js";
import { actionButton } from "./action.js";
import { InstanceCard } from "./instance-card.js";
import { rollout } from "./rollout.js";
import { Timeline } from "./timeline.js";

export class ApplicationSection {
  #context;
  #name;
  #target = element("span", { class: "badge mono", dir: "auto" });
  #mode = element("span", { class: "badge" });
  #running = element("span", { class: "badge" });
  #ghosted = element("a", { class: "badge warn", hidden: true });
  #problem = element("p", { class: "note warn", dir: "auto", hidden: true });
  #rollout = element("section", { class: "card rollout", hidden: true });
  #rolloutTitle = element("a", {});
  #timeline;
  #cards = element("div", { class: "cards" });
  #list;
  #parts = new Map();
  #app = null;
  #versions = null;

  constructor(context, name) {
    this.#context = context;
    this.#name = name;
    this.#timeline = new Timeline(`Rollout of ${visible(name)}`);
    this.#rollout.append(element("h3", {}, this.#rolloutTitle), this.#timeline.element);
    const page = (address) => `${address}${query({ app: name })}`;
    this.#ghosted.href = `${page("versions")}`;
    this.element = element("section", { class: "application live", "aria-label": `Application ${visible(name)}` },
      element("div", { class: "head" }, element("h2", {}, foreign(name)), this.#target, this.#mode, this.#running, this.#ghosted, this.#buttons(page)),
      this.#problem, this.#rollout, this.#cards);
    this.#list = new KeyedList(this.#cards, (entry) => entry.instance.instance, (entry) => this.#card(entry.instance.instance));
  }

  update({ app, at, usesTLS }) {
    this.#app = app;
    setText(this.#target, app.target_version ? `target ${visible(app.target_version)}` : "no target version");
    const isPinned = Boolean(app.pinned_version);
    setText(this.#mode, isPinned ? `pinned to ${visible(app.pinned_version)}` : "follows new versions");
    setState(this.#mode, "class", isPinned ? "badge info" : "badge");
    const instances = app.instances ?? [];
    const running = instances.filter((instance) => instance.status === "running").length;
    setText(this.#running, `${running} of ${instances.length} running`);
    setState(this.#running, "class", running === instances.length ? "badge good" : "badge warn");
    const ghosts = app.ghosted?.length ?? 0;
    setState(this.#ghosted, "hidden", ghosts === 0);
    setText(this.#ghosted, `${ghosts} ghosted`);
    setState(this.#problem, "hidden", !app.problem);
    setText(this.#problem, visible(app.problem ?? ""));
    this.#list.update(instances.map((instance) => ({ instance, at, usesTLS })));
    this.#showRollout();
  }

  updateVersions(versions) {
    this.#versions = versions;
    if (this.#app) this.#showRollout();
  }

  tick(now, isLive) {
    for (const card of this.#parts.values()) card.tick(now, isLive);
  }

  #card(number) {
    const card = new InstanceCard(this.#context, this.#name, number);
    this.#parts.set(number, card);
    return {
      element: card.element,
      update: ({ instance, at, usesTLS }) => card.update(instance, { at, usesTLS }),
      close: () => this.#parts.delete(number),
    };
  }

  #showRollout() {
    const { isGoing, isFailed, steps } = rollout(this.#app, this.#versions);
    setState(this.#rollout, "hidden", !isGoing && !isFailed);
    setText(this.#rolloutTitle, isFailed && !isGoing ? "The last change failed" : `Rollout of ${visible(this.#app.target_version ?? "")}`);
    this.#rolloutTitle.href = `versions${query({ app: this.#name, version: isFailed && !isGoing ? this.#versions.history.at(-1).version : this.#app.target_version })}`;
    this.#timeline.update(isGoing ? steps : isFailed ? [failureStep(this.#versions.history.at(-1))] : []);
  }

  #buttons(page) {
    const { api, session } = this.#context;
    const name = visible(this.#name);
    const buttons = element("div", { class: "actions", role: "group", "aria-label": `Actions of ${name}` });
    if (session.isAdministrator) {
      buttons.append(
        actionButton(this.#context, {
          label: "Restart all", name: `Restart all instances of ${name}`,
          question: { title: "Restart all instances?", text: `All instances of ${name} are restarted, one after the other.`, action: "Restart all" },
          run: () => api.post(path("apps", this.#name, "restart")),
        }),
        actionButton(this.#context, {
          label: "Roll back", name: `Roll back ${name}`,
          question: () => ({ title: "Roll back?", text: `${name} goes back to the last version that worked before ${visible(this.#app?.target_version ?? "this one")}.`, action: "Roll back", isDangerous: true }),
          run: () => api.post(path("apps", this.#name, "rollback")),
        }));
    }
    buttons.append(
      element("a", { class: "button", href: page("versions"), "aria-label": `Versions of ${name}` }, "Versions"),
      element("a", { class: "button", href: `logs${query({ app: this.#name, instance: "all" })}`, "aria-label": `Logs of all instances of ${name}` }, "Logs"));
    return buttons;
  }
}

function failureStep(outcome) {
  return {
    key: "failure", state: "failed", title: `Instance ${outcome.instance}: ${outcome.version} failed`, text: outcome.reason ?? "",
  };
}
