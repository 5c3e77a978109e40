/** What was deployed, what is to be, and what never again. */

import { path, query } from "../base/api.js";
import { element, setState, setText } from "../base/dom.js";
import { dateAndClock, shortDuration } from "../base/format.js";
import { actionButton } from "../components/action.js";
import { Chooser } from "../components/chooser.js";
import { deploymentName } from "../components/instance-card.js";
import { lastLines } from "../components/last-lines.js";
import { phases } from "../components/rollout.js";
import { Table } from "../components/table.js";
import { Timeline } from "../components/timeline.js";
import { VersionsFeed } from "../events/versions-feed.js";
import { foreign, visible } from "../text/visible.js";

export class Page {
  title = "Versions";
  #context;
  #app;
  #version;
  #feed;
  #endStatus;
  #chooser = new Chooser("Application", (app) => this.#context.router.go(`versions${query({ app })}`));
  #trouble = element("p", { class: "note", hidden: true });
  #target = element("span", { class: "badge mono" });
  #mode = element("span", { class: "badge" });
  #known = element("datalist", { id: "known-versions" });
  #actions = element("div", { class: "toolbar" });
  #one = element("section", { class: "card one-version", hidden: true });
  #oneTitle = element("h2");
  #oneSteps = new Timeline("What happened with this version");
  #oneLog = element("div");
  #oneLogKey = null;
  #ghosts;
  #ghostNote = element("p", { class: "dim" }, "None: every version may be deployed.");
  #unghostAll = null;
  #history;
  #historyNote = element("p", { class: "dim" }, "Nothing was deployed yet.");
  element;

  constructor(context, parameters) {
    this.#context = context;
    this.#ghosts = this.#ghostTable();
    this.#history = this.#historyTable();
    this.#one.append(element("div", { class: "head" }, this.#oneTitle, element("div", { class: "actions" },
      element("button", { type: "button", onclick: () => context.router.go(`versions${query({ app: this.#app })}`) }, "Close"))),
    this.#oneSteps.element, this.#oneLog);
    const ghostHead = element("div", { class: "head" }, element("h2", {}, "Ghosted versions"));
    if (context.session.isAdministrator) {
      this.#unghostAll = actionButton(context, {
        label: "Un-ghost all", name: "Un-ghost all versions",
        question: () => ({ title: "Un-ghost all versions?", text: "Each of them may then be deployed again.", action: "Un-ghost all" }),
        run: () => this.#post("unghost", { all: true }),
      });
      ghostHead.append(element("div", { class: "actions" }, this.#unghostAll));
    }
    this.element = element("div", { class: "versions" },
      element("div", { class: "head" }, element("h1", {}, "Versions"), this.#chooser.element, this.#target, this.#mode),
      this.#trouble, this.#actions, this.#one,
      element("section", { class: "card live" }, ghostHead, this.#ghosts.element, this.#ghostNote),
      element("section", { class: "card live" }, element("h2", {}, "History"), this.#history.element, this.#historyNote));
    this.#makeActions();
    this.change(parameters);
    this.#feed = new VersionsFeed(context, () => this.#show());
    this.#endStatus = context.live.subscribe("status", { event: (status) => this.#feed.statusChanged(status) });
  }

  change(parameters) {
    this.#app = parameters.get("app");
    this.#version = parameters.get("version");
    if (this.#feed) this.#show();
  }

  close() {
    this.#feed.close();
    this.#endStatus();
  }

  #post(command, content) {
    return this.#context.api.post(path("apps", this.#app, command), content);
  }

  #makeActions() {
    if (!this.#context.session.isAdministrator) return;
    const input = element("input", { id: "pin", list: "known-versions", maxlength: 255, autocomplete: "off", spellcheck: "false", size: 14 });
    const pin = actionButton(this.#context, {
      label: "Pin", name: "Pin the version",
      run: () => {
        if (input.value.trim() === "") throw new Error("name a version");
        return this.#post("deploy", { version: input.value.trim() });
      },
    });
    pin.type = "submit";
    this.#actions.append(
      element("form", { class: "toolbar flat", onsubmit: (event) => event.preventDefault() },
        element("label", { for: "pin" }, "Version"), input, this.#known, pin),
      actionButton(this.#context, { label: "Follow new versions", name: "Follow new versions automatically", run: () => this.#post("deploy", { version: "auto" }) }),
      actionButton(this.#context, {
        label: "Roll back", name: "Roll back to the version before", className: "danger",
        question: () => ({ title: "Roll back?", text: [foreign(this.#app), " goes back to the last version that worked before."], action: "Roll back", isDangerous: true }),
        run: () => this.#post("rollback"),
      }));
  }

  #ghostTable() {
    const columns = [
      { title: "Version", className: "mono", key: (ghost) => ghost.version, nodes: (ghost) => this.#versionLink(ghost.version) },
      { title: "Since", className: "number start", text: (ghost) => dateAndClock(ghost.at) },
      { title: "Reason", text: (ghost) => ghost.reason },
      { title: "Last lines", key: (ghost) => JSON.stringify(ghost.log_lines), nodes: (ghost) => lastLines(ghost.log_lines) },
    ];
    if (this.#context.session.isAdministrator) {
      columns.push({
        title: "Actions", isUnnamed: true, key: (ghost) => ghost.version,
        nodes: (ghost) => actionButton(this.#context, {
          label: "Un-ghost", name: `Un-ghost ${visible(ghost.version)}`, run: () => this.#post("unghost", { version: ghost.version }),
        }),
      });
    }
    return new Table({ label: "Ghosted versions", columns, keyOf: (ghost) => `${ghost.version} ${ghost.hash}` });
  }

  #historyTable() {
    return new Table({
      label: "History of deployments",
      keyOf: (entry) => entry.key,
      columns: [
        { title: "When", className: "number start", text: (entry) => dateAndClock(entry.at) },
        { title: "Version", className: "mono", key: (entry) => entry.version, nodes: (entry) => this.#versionLink(entry.version) },
        { title: "Instance", text: (entry) => String(entry.instance ?? "–") },
        { title: "Kind", text: (entry) => deploymentName(entry.kind) },
        {
          title: "Outcome", key: (entry) => entry.outcome,
          nodes: (entry) => element("span", { class: `badge ${entry.outcome === "succeeded" ? "good" : "bad"}` }, visible(entry.outcome ?? "")),
        },
        { title: "Took", className: "number start", text: (entry) => shortDuration(entry.duration_seconds) },
        { title: "Steps", text: (entry) => phases(entry.steps) },
        { title: "Asked by", text: (entry) => entry.by ?? entry.asked_by ?? "" },
        { title: "Reason", text: (entry) => entry.reason ?? "" },
      ],
    });
  }

  #versionLink(version) {
    return element("a", { href: `versions${query({ app: this.#app, version })}` }, foreign(version));
  }

  #show() {
    const apps = this.#feed.current?.apps ?? null;
    if (apps === null) return;
    if (!this.#app && apps.length > 0) this.#app = apps[0].name;
    this.#chooser.update(apps.map((app) => [app.name, app.name]), this.#app ?? "");
    const app = apps.find((entry) => entry.name === this.#app);
    this.#trouble.hidden = Boolean(app);
    if (!app) {
      setText(this.#trouble, apps.length === 0 ? "No application is configured." : "There is no application of this name.");
      return;
    }
    setText(this.#target, app.target_version ? `target ${visible(app.target_version)}` : "no target version");
    setText(this.#mode, app.pinned_version ? `pinned to ${visible(app.pinned_version)}` : "follows new versions");
    setState(this.#mode, "class", app.pinned_version ? "badge info" : "badge");
    const history = (app.history ?? []).map((entry, index) => ({ ...entry, key: `${entry.at} ${entry.instance} ${index}` }));
    const ghosts = app.ghosted ?? [];
    const known = [...new Set([...history].reverse().map((entry) => entry.version))];
    const knownKey = JSON.stringify(known);
    if (this.#known.dataset.key !== knownKey) {
      this.#known.dataset.key = knownKey;
      this.#known.replaceChildren(...known.map((version) => element("option", { value: version })));
    }
    this.#ghosts.update(ghosts);
    setState(this.#ghosts.element, "hidden", ghosts.length === 0);
    setState(this.#ghostNote, "hidden", ghosts.length > 0);
    if (this.#unghostAll) setState(this.#unghostAll, "hidden", ghosts.length === 0);
    this.#history.update(history.reverse());
    setState(this.#history.element, "hidden", history.length === 0);
    setState(this.#historyNote, "hidden", history.length > 0);
    this.#showOne(ghosts, history);
  }

  /** One version: what happened with it, on each instance. */
  #showOne(ghosts, history) {
    setState(this.#one, "hidden", !this.#version);
    if (!this.#version) return;
    setText(this.#oneTitle, `Version ${visible(this.#version)}`);
    const entries = history.filter((entry) => entry.version === this.#version).reverse();
    const ghost = ghosts.find((entry) => entry.version === this.#version);
    const steps = entries.map((entry) => ({
      key: entry.key, state: entry.outcome === "succeeded" ? "done" : "failed",
      title: `Instance ${entry.instance}: ${deploymentName(entry.kind)} ${entry.outcome}`,
      text: [dateAndClock(entry.at), `took ${shortDuration(entry.duration_seconds)}`, entry.reason].filter(Boolean).join(" · "),
    }));
    if (ghost) steps.push({ key: "ghost", state: "failed", title: "Ghosted: it is not deployed again", text: [dateAndClock(ghost.at), ghost.reason].filter(Boolean).join(" · ") });
    if (steps.length === 0) steps.push({ key: "none", state: "waiting", title: "Nothing has happened with this version yet", text: "" });
    this.#oneSteps.update(steps);
    const key = JSON.stringify(ghost?.log_lines ?? []);
    if (key === this.#oneLogKey) return;
    this.#oneLogKey = key;
    this.#oneLog.replaceChildren(...[lastLines(ghost?.log_lines, true)].filter(Boolean));
  }
}
