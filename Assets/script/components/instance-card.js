/** One instance of an application: what it is, what it does, and what can be done with it. */

import { path, query } from "../base/api.js";
import { element, KeyedList, setState, setText } from "../base/dom.js";
import { bytes, dateAndClock, duration, moment, percent } from "../base/format.js";
import { foreign, foreignLink, shortened, visible } from "../text/visible.js";
import { actionButton } from "./action.js";
import { Facts } from "./facts.js";
import { Meter } from "./meter.js";

const looks = {
  running: "good", starting: "warn", stopping: "warn", backoff: "warn", unresponsive: "bad", failed: "bad", idle: "",
};
const deployments = { full_deployment: "full deployment", hot_upgrade: "hot upgrade", rollback: "rollback" };
const connections = { connected: "connected", not_connected: "not connected", off: "not used" };
const levels = { ok: "ok", warn: "warn", restart: "bad" };
/** More of them are not shown on a card. */
const shownURLs = 5;

export function deploymentName(kind) {
  return deployments[kind] ?? visible(kind ?? "–");
}

export function statusLook(status) {
  return looks[status] ?? "";
}

export class InstanceCard {
  #context;
  #app;
  #number;
  #status = element("span", { class: "badge" });
  #stopped = element("span", { class: "badge", hidden: true }, "stopped by an operator");
  #version = element("strong", { class: "version mono", dir: "auto" });
  #previous = element("span", { class: "dim", dir: "auto" });
  #reason = element("p", { class: "note", dir: "auto", hidden: true });
  #facts = new Facts([
    "Node", "Distribution", "Deployed by", "Uptime", "Restarts", "Port", "Process", "Uses", "Runs on", "Serves", "Certificate", "Pre-commands", "Details",
  ]);
  #thresholds = element("div", { class: "meters thresholds" });
  #thresholdList;
  #stop = null;
  #start = null;
  #received = null;
  #detailsKey = null;

  constructor(context, app, number) {
    this.#context = context;
    this.#app = app;
    this.#number = number;
    const title = element("h3", {}, foreign(app), ` ${number}`);
    this.element = element("article", { class: "card instance", "aria-label": `Instance ${number} of ${visible(app)}` },
      element("div", { class: "head" }, title, this.#status, this.#stopped),
      element("p", { class: "version-line" }, this.#version, this.#previous),
      this.#reason, this.#facts.element, this.#thresholds, this.#buttons());
    this.#thresholdList = new KeyedList(this.#thresholds, (entry) => entry.name, (entry) => new Threshold(entry.name));
  }

  update(instance, { at, usesTLS }) {
    this.#received = { instance, at };
    setText(this.#status, instance.status ?? "–");
    setState(this.#status, "class", `badge ${statusLook(instance.status)}`);
    setState(this.#stopped, "hidden", !instance.stopped_by_operator);
    setText(this.#version, instance.version ? visible(instance.version) : "no version");
    setState(this.#version, "class", `version mono ${instance.version ? statusLook(instance.status) : ""}`);
    setText(this.#previous, instance.previous_version ? `before: ${visible(instance.previous_version)}` : "");
    setState(this.#reason, "hidden", !instance.reason);
    setState(this.#reason, "class", `note ${["running", "idle"].includes(instance.status) && !instance.restart_pending ? "" : statusLook(instance.status) || "warn"}`);
    setText(this.#reason, visible(instance.reason ?? ""));
    this.#facts.set("Node", visible(instance.node ?? "–"));
    this.#facts.set("Distribution", connections[instance.otp] === "connected"
      ? `connected, ${usesTLS ? "mutual TLS" : "without TLS"}` : connections[instance.otp] ?? "–");
    this.#facts.set("Deployed by", instance.last_deployment ? deploymentName(instance.last_deployment) : "–");
    this.#facts.set("Restarts", `${instance.crash_restarts ?? 0} after a crash, ${instance.forced_restarts ?? 0} forced`);
    this.#facts.set("Port", instance.port ?? "–");
    this.#facts.set("Process", instance.os_pid ?? "–");
    const uses = [];
    if (typeof instance.cpu_percent === "number") uses.push(`${percent(instance.cpu_percent)} of a processor`);
    if (typeof instance.memory_bytes === "number") uses.push(bytes(instance.memory_bytes));
    this.#facts.set("Uses", uses.length > 0 ? uses.join(", ") : null);
    this.#thresholdList.update(Array.isArray(instance.thresholds) ? instance.thresholds : []);
    this.#switchButtons(instance.stopped_by_operator === true);
    this.tick(Date.now(), true);
    this.#loadDetails(instance);
  }

  tick(now, isLive) {
    if (!this.#received || !isLive) return;
    const { instance, at } = this.#received;
    this.#facts.set("Uptime", typeof instance.uptime_seconds === "number"
      ? duration(instance.uptime_seconds + (now - at) / 1000) : "–");
  }

  #buttons() {
    const { api, session } = this.#context;
    const address = path("apps", this.#app, "instances", String(this.#number));
    const whose = `instance ${this.#number} of ${visible(this.#app)}`;
    const page = (name) => `${name}${query({ app: this.#app, instance: this.#number })}`;
    const link = (name, text) => element("a", { class: "button", href: page(name), "aria-label": `${text} of ${whose}` }, text);
    const buttons = element("div", { class: "actions", role: "group", "aria-label": `Actions of ${whose}` });
    if (session.isAdministrator) {
      this.#stop = actionButton(this.#context, {
        label: "Stop", name: `Stop ${whose}`,
        question: { title: "Stop this instance?", text: `${whose} stays stopped until somebody starts it.`, action: "Stop", isDangerous: true },
        run: () => api.post(`${address}/stop`),
      });
      this.#start = actionButton(this.#context, { label: "Start", name: `Start ${whose}`, run: () => api.post(`${address}/start`) });
      buttons.append(
        actionButton(this.#context, { label: "Restart", name: `Restart ${whose}`, run: () => api.post(`${address}/restart`) }),
        this.#stop, this.#start);
    }
    buttons.append(link("logs", "Logs"));
    if (session.isAdministrator && session.terminal) buttons.append(link("terminal", "Terminal"));
    buttons.append(link("versions", "Versions"), link("node", "Node"));
    return buttons;
  }

  #switchButtons(isStopped) {
    if (!this.#stop) return;
    const hadFocus = document.activeElement === this.#stop || document.activeElement === this.#start;
    setState(this.#stop, "hidden", isStopped);
    setState(this.#start, "hidden", !isStopped);
    if (hadFocus) (isStopped ? this.#start : this.#stop).focus();
  }

  /** What the node itself knows is asked once for each process and version. */
  async #loadDetails(instance) {
    const key = `${instance.os_pid}|${instance.version}|${instance.otp}`;
    if (key === this.#detailsKey) return;
    this.#detailsKey = key;
    if (instance.otp !== "connected") {
      this.#showDetails(null, null);
      return;
    }
    try {
      const details = await this.#context.api.get(`${path("apps", this.#app, "instances", String(this.#number))}/details`);
      if (key === this.#detailsKey) this.#showDetails(details, null);
    } catch (error) {
      if (key !== this.#detailsKey) return;
      this.#showDetails(null, error.isMissing ? "not available here" : error.message);
      // The next status asks again.
      if (!error.isMissing) this.#detailsKey = null;
    }
  }

  #showDetails(details, trouble) {
    const versions = details ? [
      details.otp_release ? `OTP ${details.otp_release}` : null,
      details.elixir ? `Elixir ${details.elixir}` : null,
      details.phoenix ? `Phoenix ${details.phoenix}` : null,
    ].filter(Boolean) : [];
    this.#facts.set("Runs on", versions.length > 0 ? visible(versions.join(", ")) : null);
    const urls = (details?.urls ?? []).slice(0, shownURLs);
    this.#facts.setNodes("Serves", urls.length > 0 ? JSON.stringify(urls) : null,
      () => urls.map((url) => element("div", {}, foreignLink(url))));
    const certificate = details?.certificate;
    this.#facts.set("Certificate", certificate ? certificateText(certificate) : null);
    const commands = details?.pre_commands ?? [];
    this.#facts.set("Pre-commands", commands.length > 0 ? shortened(commands.join(" · "), 300) : null);
    this.#facts.set("Details", trouble ? visible(trouble) : null);
  }
}

function certificateText({ subject, not_after: end }) {
  const date = moment(end);
  const days = date ? Math.floor((date.getTime() - Date.now()) / 86_400_000) : null;
  const rest = days === null ? "" : days < 0 ? ", expired" : `, ${days} days left`;
  return `${shortened(subject ?? "", 120)} until ${dateAndClock(end)}${rest}`;
}

class Threshold {
  #meter;
  element;

  constructor(name) {
    this.#meter = new Meter(visible(name));
    this.element = this.#meter.element;
  }

  update({ percent: value, level }) {
    const text = level === "ok" ? percent(value) : `${percent(value)}, ${level === "restart" ? "restarts" : "warning"}`;
    this.#meter.set(value, text, levels[level] ?? "ok");
  }
}
