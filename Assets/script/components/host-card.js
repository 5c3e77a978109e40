/** deployex itself, and the host that it runs on. */

import { element, setState, setText } from "../base/dom.js";
import { bytes, clock, duration, percent } from "../base/format.js";
import { visible } from "../text/visible.js";
import { Facts } from "./facts.js";
import { Meter, levelOf } from "./meter.js";

/** Figures of the host come every two seconds: older ones are greyed. */
const fresh = 10_000;

export class HostCard {
  #title = element("h2", { class: "mono-name" }, "deployex");
  #version = element("span", { class: "badge info" });
  #node = element("p", { class: "dim mono", dir: "auto" });
  #facts = new Facts(["Distribution", "Uptime", "Process", "Host", "Host is up"]);
  #processor = new Meter("Processor");
  #memory = new Meter("Memory");
  #disk = new Meter("Disk");
  #note = element("p", { class: "dim" });
  #figures = element("div", { class: "host-figures" },
    element("div", { class: "meters" }, this.#processor.element, this.#memory.element, this.#disk.element), this.#note);
  element = element("section", { class: "card live host", "aria-label": "deployex and its host" },
    element("div", { class: "head" }, this.#title, this.#version,
      element("div", { class: "actions" }, element("a", { class: "button", href: "logs?app=deployex" }, "Logs of deployex"))),
    this.#node,
    element("div", { class: "host-parts" }, this.#facts.element, this.#figures));
  #status = null;
  #host = null;

  updateStatus(status, at) {
    this.#status = { status, at };
    setText(this.#version, visible(status.version ?? ""));
    setText(this.#node, visible(status.node ?? ""));
    this.#facts.set("Distribution", status.tls ? "mutual TLS" : "without TLS");
    this.tick(Date.now(), true);
  }

  updateHost(host, at) {
    this.#host = { at };
    const { memory, disk, load, deployex } = host;
    const used = memory ? memory.total_bytes - memory.available_bytes : null;
    const usedPercent = memory?.total_bytes ? (used / memory.total_bytes) * 100 : null;
    const onDisk = disk ? disk.total_bytes - disk.available_bytes : null;
    const diskPercent = disk?.total_bytes ? (onDisk / disk.total_bytes) * 100 : null;
    const averages = Array.isArray(load) ? load.map((value) => value.toFixed(2)).join(" ") : "–";
    this.#processor.set(host.cpu_percent, `${percent(host.cpu_percent)} of ${host.cpus ?? "–"}`, levelOf(host.cpu_percent));
    this.#memory.set(usedPercent, `${bytes(used)} of ${bytes(memory?.total_bytes)}`);
    this.#disk.set(diskPercent, `${bytes(onDisk)} of ${bytes(disk?.total_bytes)}`);
    setState(this.#disk.element, "title", disk?.path ? visible(disk.path) : null);
    this.#facts.set("Process", `${deployex?.pid ?? "–"}, ${bytes(deployex?.memory_bytes)}`);
    this.#facts.set("Host", visible(`${host.name ?? ""} (${host.os ?? ""})`));
    this.#facts.set("Host is up", duration(host.uptime_seconds));
    setText(this.#note, `load ${averages} · ${clock(host.at ?? at / 1000)}`);
    setState(this.#figures, "class", "host-figures");
  }

  hostIsUnknown(message) {
    setText(this.#note, message);
    for (const word of ["Process", "Host", "Host is up"]) this.#facts.set(word, null);
  }

  tick(now, isLive) {
    if (this.#status && isLive) {
      this.#facts.set("Uptime", duration(this.#status.status.uptime_seconds + (now - this.#status.at) / 1000));
    }
    if (this.#host) setState(this.#figures, "class", now - this.#host.at > fresh ? "host-figures stale" : "host-figures");
  }
}
