/** The figures of one virtual machine: memory, limits, and the last hour. */

import { element, setState, setText } from "../base/dom.js";
import { bytes, clock, count, duration, percent } from "../base/format.js";
import { Facts } from "./facts.js";
import { Meter } from "./meter.js";
import { Plot } from "./plot.js";

const kinds = [["processes", "processes"], ["system", "other system"], ["atom", "atoms"], ["binary", "binaries"], ["code", "code"], ["ets", "ETS"]];
/** Figures come every two seconds: older ones are greyed. */
const fresh = 10_000;

export class NodeFigures {
  #at = null;
  #total = element("strong", { class: "number" });
  #stack = element("div", { class: "stack", role: "img" });
  #legend = element("ul", { class: "legend" });
  #parts = new Map();
  #facts = new Facts(["Uptime", "Run queue", "Schedulers", "Reductions", "In and out", "This sample cost", "As of"]);
  #limits = { processes: new Meter("Processes"), ports: new Meter("Ports"), atoms: new Meter("Atoms") };
  #schedulers = element("div", { class: "schedulers", role: "img" });
  #plots = {
    memory: new Plot("Memory", bytes),
    processes: new Plot("Processes", count),
    queue: new Plot("Run queue", count),
    use: new Plot("Schedulers in use", (value) => percent(value * 100), 1),
  };
  element;

  constructor() {
    kinds.forEach(([kind, name], index) => {
      const bar = element("div", { class: `series-${index + 1}` });
      const value = element("span");
      this.#parts.set(kind, { bar, value, name });
      this.#stack.append(bar);
      this.#legend.append(element("li", {}, element("i", { class: `series-${index + 1}` }), `${name} `, value));
    });
    this.element = element("div", { class: "node-figures live" },
      element("section", { class: "card" }, element("div", { class: "head" }, element("h2", {}, "Memory"), this.#total), this.#stack, this.#legend),
      element("div", { class: "cards" },
        element("section", { class: "card" }, element("h2", {}, "Now"), this.#facts.element, this.#schedulers),
        element("section", { class: "card" }, element("h2", {}, "Limits"), Object.values(this.#limits).map((meter) => meter.element))),
      element("div", { class: "cards plots" }, Object.values(this.#plots).map((plot) => plot.element)));
  }

  update(node, at) {
    this.#at = at;
    this.#memory(node.memory ?? {});
    const schedulers = node.schedulers ?? {};
    const use = schedulers.utilization;
    this.#facts.set("Uptime", duration(node.uptime_seconds));
    this.#facts.set("Run queue", count(node.run_queue));
    this.#facts.set("Schedulers", Array.isArray(use) && use.length > 0
      ? `${schedulers.online} online, ${percent((use.reduce((sum, value) => sum + value, 0) / use.length) * 100)} in use` : `${schedulers.online ?? "–"} online`);
    this.#facts.set("Reductions", typeof node.reductions_per_second === "number" ? `${count(node.reductions_per_second)} per second` : "–");
    this.#facts.set("In and out", node.io ? `${bytes(node.io.in_per_second)}/s in, ${bytes(node.io.out_per_second)}/s out` : "–");
    this.#facts.set("This sample cost", typeof node.cost_microseconds === "number" ? `${count(node.cost_microseconds)} µs on the node` : null);
    this.#facts.set("As of", clock(node.at));
    for (const [name, meter] of Object.entries(this.#limits)) {
      const limit = node.limits?.[name];
      const used = limit?.limit ? (limit.count / limit.limit) * 100 : null;
      meter.set(used, `${count(limit?.count)} of ${count(limit?.limit)}`);
    }
    this.#bars(Array.isArray(use) ? use : []);
    const history = Array.isArray(node.history) ? node.history : [];
    if (history.length > 0) {
      const column = (index) => history.map((sample) => [sample[0], sample[index]]);
      this.#plots.memory.update(column(1));
      this.#plots.processes.update(column(2));
      this.#plots.queue.update(column(3));
      this.#plots.use.update(column(4));
    }
    this.tick(Date.now());
  }

  tick(now) {
    this.element.classList.toggle("stale", this.#at !== null && now - this.#at > fresh);
  }

  /** What the runtime calls "system" holds the other kinds, except the processes. */
  #memory(memory) {
    const rest = (memory.system ?? 0) - (memory.atom ?? 0) - (memory.binary ?? 0) - (memory.code ?? 0) - (memory.ets ?? 0);
    const values = { ...memory, system: Math.max(0, rest) };
    const total = memory.total ?? 0;
    setText(this.#total, bytes(memory.total));
    const words = [];
    for (const [kind, { bar, value, name }] of this.#parts) {
      bar.style.width = total > 0 ? `${((values[kind] ?? 0) / total) * 100}%` : "0";
      setText(value, bytes(values[kind]));
      words.push(`${name} ${bytes(values[kind])}`);
    }
    setState(this.#stack, "aria-label", `Memory: ${words.join(", ")}`);
  }

  #bars(use) {
    setState(this.#schedulers, "hidden", use.length === 0);
    setState(this.#schedulers, "aria-label", `Use of each scheduler: ${use.map((value) => percent(value * 100)).join(", ")}`);
    while (this.#schedulers.children.length < use.length) this.#schedulers.append(element("div", {}, element("i")));
    while (this.#schedulers.children.length > use.length) this.#schedulers.lastElementChild.remove();
    use.forEach((value, index) => {
      this.#schedulers.children[index].firstElementChild.style.height = `${Math.max(2, Math.min(100, value * 100))}%`;
    });
  }
}
