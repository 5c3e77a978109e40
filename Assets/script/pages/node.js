/** One virtual machine: its figures live, and its processes, trees and tables when asked for. */

import { path, query } from "../base/api.js";
import { element, setText } from "../base/dom.js";
import { bytes, count, dateAndClock } from "../base/format.js";
import { Chooser } from "../components/chooser.js";
import { show } from "../components/dialog.js";
import { InstanceChooser } from "../components/instance-chooser.js";
import { NodeFigures } from "../components/node-figures.js";
import { Table } from "../components/table.js";
import { Tabs } from "../components/tabs.js";
import { foreign, visible } from "../text/visible.js";

const views = [
  ["processes", "Processes"], ["tree", "Supervision tree"], ["ets", "ETS tables"], ["applications", "Applications"], ["crash-dump", "Crash dump"],
];
/** Deeper trees, and more children, are cut. */
const treeLimits = { depth: 20, children: 500 };

export class Page {
  title = "Node";
  #context;
  #chooser;
  #figures = null;
  #place = element("div");
  #note = element("p", { class: "note", role: "status", hidden: true });
  #tabs;
  #endNode = null;
  #of = null;
  #refusedIn = null;
  #turn = 0;
  #timer;
  #sort = "memory";
  element;

  constructor(context, parameters) {
    this.#context = context;
    this.#tabs = new Tabs("What the node holds", views, (name, panel) => this.#load(name, panel));
    this.#chooser = new InstanceChooser(context, "node", parameters, () => this.#open());
    this.element = element("div", { class: "node" },
      element("div", { class: "head" }, element("h1", {}, "Node"), this.#chooser.element),
      this.#note, this.#place, element("section", { class: "card" }, this.#tabs.element));
    this.#open();
    this.#timer = setInterval(() => this.#figures?.tick(Date.now()), 1000);
  }

  change(parameters) {
    this.#chooser.take(parameters);
    this.#open();
  }

  close() {
    this.#turn += 1;
    clearInterval(this.#timer);
    this.#chooser.close();
    this.#endNode?.();
  }

  #address(...rest) {
    return path("apps", this.#chooser.app, "instances", this.#chooser.instance, ...rest);
  }

  #open() {
    const { app, instance } = this.#chooser;
    const of = `${app}/${instance}`;
    // A node that was not there is asked again when its instance has changed.
    const isBack = this.#refusedIn !== null && this.#refusedIn !== this.#condition();
    if (!app || (of === this.#of && !isBack)) return;
    this.#of = of;
    this.#refusedIn = null;
    this.#endNode?.();
    this.#figures = null;
    this.#place.replaceChildren();
    this.#say("Waiting for the first figures …");
    this.#endNode = this.#context.live.subscribe(`node/${app}/${instance}`, {
      event: (node, at) => this.#update(node, at),
      refused: (status, message) => {
        this.#say(message);
        this.#refusedIn = this.#condition();
      },
    });
    this.#tabs.select(this.#tabs.selected ?? "processes");
  }

  #condition() {
    const { status } = this.#chooser;
    return `${status?.os_pid} ${status?.otp} ${status?.status}`;
  }

  #update(node, at) {
    if (node.error) {
      this.#say(visible(node.error));
      return;
    }
    this.#say(null);
    if (!this.#figures) {
      this.#figures = new NodeFigures();
      this.#place.replaceChildren(this.#figures.element);
    }
    this.#figures.update(node, at);
  }

  async #load(name, panel) {
    this.#turn += 1;
    const own = this.#turn;
    if (!this.#chooser.app) return;
    panel.setAttribute("aria-busy", "true");
    const loaders = {
      processes: () => this.#processes(), tree: () => this.#tree(), ets: () => this.#tables(),
      applications: () => this.#applications(), "crash-dump": () => this.#crashDump(),
    };
    let content;
    try {
      content = await loaders[name]();
    } catch (error) {
      content = element("p", { class: "dim" }, this.#missing(name, error));
    }
    if (own !== this.#turn) return;
    panel.removeAttribute("aria-busy");
    const again = element("button", { type: "button", class: "quiet", onclick: () => this.#load(name, panel) }, "Load again");
    panel.replaceChildren(element("div", { class: "toolbar" }, name === "processes" ? this.#sortChooser(panel) : null, again), content);
  }

  #missing(name, error) {
    if (!error.isMissing) return visible(error.message);
    if (name === "crash-dump" && error.content) return "There is no crash dump of this instance.";
    return error.content ? visible(error.message) : "This deployex does not show that.";
  }

  #sortChooser(panel) {
    const chooser = new Chooser("By", (sort) => {
      this.#sort = sort;
      this.#load("processes", panel);
    });
    chooser.update([["memory", "memory"], ["queue", "message queue"], ["reductions", "reductions"]], this.#sort);
    return chooser.element;
  }

  async #processes() {
    const answer = await this.#context.api.get(`${this.#address("processes")}${query({ sort: this.#sort, limit: 50 })}`);
    const table = this.#processTable(true);
    table.update(answer.processes ?? []);
    return element("div", {}, element("p", { class: "dim" }, `${count(answer.processes?.length)} of ${count(answer.count)} processes`), table.element);
  }

  #processTable(hasDetails) {
    return new Table({
      label: "Processes", keyOf: (process) => process.pid,
      columns: [
        {
          title: "Process", className: "mono", key: (process) => process.pid,
          nodes: (process) => hasDetails ? element("button", { type: "button", class: "quiet mono", onclick: () => this.#showProcess(process.pid) }, visible(process.pid)) : foreign(process.pid),
        },
        { title: "Name", text: (process) => process.name ?? "" },
        { title: "Started by", className: "mono", text: (process) => process.initial_call },
        { title: "Is in", className: "mono", text: (process) => process.current_function },
        { title: "Memory", className: "number", text: (process) => bytes(process.memory) },
        { title: "Queue", className: "number", text: (process) => count(process.queue) },
        { title: "Reductions", className: "number", text: (process) => count(process.reductions) },
      ],
    });
  }

  async #showProcess(pid) {
    const body = element("div", {}, "Loading …");
    show(["Process ", foreign(pid)], body);
    try {
      const process = await this.#context.api.get(this.#address("processes", pid));
      body.replaceChildren(...description(process));
    } catch (error) {
      setText(body, visible(error.message));
    }
  }

  async #tree() {
    const { app } = this.#chooser;
    const root = await this.#context.api.get(`${this.#address("tree")}${query({ application: app })}`);
    return element("ul", { class: "tree" }, branch(root, 0));
  }

  async #tables() {
    const answer = await this.#context.api.get(this.#address("ets"));
    const table = new Table({
      label: "ETS tables", keyOf: (entry) => String(entry.id ?? entry.name),
      columns: [
        { title: "Name", className: "mono", text: (entry) => entry.name },
        { title: "Owner", className: "mono", text: (entry) => entry.owner },
        { title: "Type", text: (entry) => entry.type },
        { title: "Protection", text: (entry) => entry.protection },
        { title: "Entries", className: "number", text: (entry) => count(entry.size) },
        { title: "Memory", className: "number", text: (entry) => bytes(entry.memory_bytes) },
      ],
    });
    table.update(answer.tables ?? []);
    return table.element;
  }

  async #applications() {
    let answer;
    try {
      answer = await this.#context.api.get(this.#address("applications"));
    } catch (error) {
      if (!error.isMissing) throw error;
      answer = await this.#context.api.get(this.#address("details"));
    }
    const table = new Table({
      label: "Applications", keyOf: (entry) => entry.name,
      columns: [
        { title: "Name", className: "mono", text: (entry) => entry.name },
        { title: "Version", className: "mono", text: (entry) => entry.version },
        { title: "Description", text: (entry) => entry.description },
      ],
    });
    table.update(answer.applications ?? []);
    return table.element;
  }

  async #crashDump() {
    const dump = await this.#context.api.get(this.#address("crash-dump"));
    const memory = Object.entries(dump.memory ?? {}).map(([kind, value]) => `${visible(kind)} ${bytes(value)}`).join(", ");
    const table = this.#processTable(false);
    table.update(dump.processes ?? []);
    return element("div", {},
      element("p", { class: "note bad" }, foreign(dump.slogan ?? "")),
      element("p", { class: "dim" }, typeof dump.at === "string" ? visible(dump.at) : dateAndClock(dump.at), " · ", foreign(dump.system_version ?? "")),
      memory === "" ? null : element("p", { class: "number" }, `Memory: ${memory}`), table.element);
  }

  #say(text) {
    this.#note.hidden = text === null;
    setText(this.#note, text ?? "");
  }
}

/** Whatever is told about a process, in the order in which it is told. */
function description(process) {
  const list = element("dl", { class: "facts" });
  const blocks = [];
  for (const [name, value] of Object.entries(process)) {
    if (value === null) continue;
    const title = visible(name.replaceAll("_", " "));
    if (["state", "stacktrace", "stack", "messages", "dictionary"].includes(name)) {
      const text = Array.isArray(value) ? value.map(textOf).join("\n") : textOf(value);
      blocks.push(element("h3", {}, title), element("pre", { tabindex: 0, "aria-label": title, dir: "auto" }, text.split("\n").map(visible).join("\n")));
    } else {
      const text = Array.isArray(value) ? value.map(textOf).join(", ") : name === "memory" ? bytes(value) : textOf(value);
      list.append(element("dt", {}, title), element("dd", { class: "mono", dir: "auto" }, visible(text)));
    }
  }
  return [list, ...blocks];
}

function textOf(value) {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

function branch(node, depth) {
  const modules = Array.isArray(node.modules) ? node.modules.join(", ") : node.modules ?? "";
  const label = [foreign(node.id ?? ""), " ", element("span", { class: "mono dim" }, foreign(node.pid ?? "")), modules ? element("span", { class: "dim" }, " ", foreign(modules)) : null];
  const children = node.children ?? [];
  if (children.length === 0 || depth >= treeLimits.depth) {
    return element("li", {}, element("span", { class: `badge ${node.type === "supervisor" ? "info" : ""}` }, node.type === "supervisor" ? "supervisor" : "worker"), " ", label);
  }
  const rows = children.slice(0, treeLimits.children).map((child) => branch(child, depth + 1));
  if (children.length > treeLimits.children) rows.push(element("li", { class: "dim" }, `and ${count(children.length - treeLimits.children)} more`));
  return element("li", {}, element("details", { open: depth < 3 },
    element("summary", {}, element("span", { class: "badge info" }, "supervisor"), " ", label), element("ul", {}, rows)));
}
