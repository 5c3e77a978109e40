/** Logs: live, searched, downloaded, and linked to by line. */

import { query } from "../base/api.js";
import { element, setState, setText } from "../base/dom.js";
import { bytes, count } from "../base/format.js";
import { Chooser } from "../components/chooser.js";
import { LogView } from "../components/log-view.js";
import { LogFeed } from "../events/log-feed.js";
import { visible } from "../text/visible.js";

/** While paused, so many lines are kept. */
const keptLines = 5000;
const linesAround = 200;

export class Page {
  title = "Logs";
  #context;
  #source = { app: null, instance: null, stream: "both" };
  #line = null;
  #search = null;
  #apps = [];
  #sourcesWithLogs = [];
  #found = 0;
  #searched = 0;
  #feed = null;
  #key = null;
  #turn = 0;
  #isPaused = false;
  #kept = [];
  #endStatus;
  #sources = new Chooser("Log", (value) => this.#chose(value));
  #streams = new Chooser("Stream", (stream) => this.#go({ stream, line: null, q: null }));
  #pause = element("button", { type: "button", "aria-pressed": "false", onclick: () => this.#togglePause() }, "Pause");
  #wrap = element("button", { type: "button", "aria-pressed": "true", onclick: () => this.#toggleWrap() }, "Wrap");
  #earlier = element("button", { type: "button", onclick: () => this.#feed?.earlier() }, "Earlier lines");
  #download = element("button", { type: "button", onclick: () => this.#save() }, "Download");
  #text = element("input", { type: "search", id: "search", maxlength: 1000, autocomplete: "off", spellcheck: "false" });
  #regex = element("input", { type: "checkbox", id: "regex" });
  #case = element("input", { type: "checkbox", id: "case" });
  #from = element("input", { type: "datetime-local", id: "from", step: 1 });
  #to = element("input", { type: "datetime-local", id: "to", step: 1 });
  #note = element("p", { class: "note", role: "status", hidden: true });
  #view = new LogView({ permalink: (cursor, instance, stream) => this.#address({ instance: instance ?? this.#source.instance, stream: stream ?? this.#source.stream, line: cursor, q: null }), reachedTop: () => this.#feed?.hasEarlier && this.#feed.earlier() });
  element;

  constructor(context, parameters) {
    this.#context = context;
    this.#streams.update([["both", "stdout and stderr"], ["stdout", "stdout"], ["stderr", "stderr"]], "both");
    const form = element("form", { class: "toolbar flat", role: "search", onsubmit: (event) => this.#submit(event) },
      element("label", { for: "search" }, element("span", { class: "dim" }, "Search")), this.#text,
      element("label", {}, this.#regex, "regular expression"), element("label", {}, this.#case, "match case"),
      element("details", { class: "range" }, element("summary", {}, "Time range"),
        element("label", {}, element("span", { class: "dim" }, "from"), this.#from), element("label", {}, element("span", { class: "dim" }, "to"), this.#to)),
      element("button", { type: "submit" }, "Search"));
    this.element = element("div", { class: "logs" },
      element("div", { class: "head" }, element("h1", {}, "Logs"), this.#sources.element, this.#streams.element),
      element("div", { class: "toolbar" }, form, element("div", { class: "actions" }, this.#pause, this.#wrap, this.#earlier, this.#download)),
      this.#note, this.#view.element);
    this.#view.wraps = true;
    this.change(parameters);
    this.#loadSources();
    this.#endStatus = context.live.subscribe("status", { event: (status) => this.#status(status) });
  }

  change(parameters) {
    this.#source = {
      app: parameters.get("app"),
      instance: parameters.get("app") === "deployex" ? null : parameters.get("instance") ?? "all",
      stream: parameters.get("stream") ?? "both",
    };
    this.#line = parameters.get("line");
    this.#search = parameters.get("q") ? {
      q: parameters.get("q"), regex: parameters.get("regex"), case: parameters.get("case"), from: parameters.get("from"), to: parameters.get("to"),
    } : null;
    this.#text.value = this.#search?.q ?? "";
    this.#regex.checked = this.#search?.regex === "1";
    this.#case.checked = this.#search?.case === "1";
    this.#choose();
    this.#open();
  }

  close() {
    this.#turn += 1;
    this.#feed?.close();
    this.#endStatus();
  }

  #status(status) {
    const apps = (status.apps ?? []).map((app) => ({ name: app.name, instances: (app.instances ?? []).map((instance) => instance.instance) }));
    const key = JSON.stringify(apps);
    if (key === this.#key) return;
    this.#key = key;
    this.#apps = apps;
    if (!this.#source.app) {
      this.#source = apps.length > 0 ? { app: apps[0].name, instance: "all", stream: "both" } : { app: "deployex", instance: null, stream: "both" };
      this.#open();
    }
    this.#choose();
  }

  /** Applications and instances that are not configured any more have logs, too. */
  async #loadSources() {
    try {
      const { sources } = await this.#context.api.get("logs/sources");
      this.#sourcesWithLogs = sources.filter((source) => source.app !== "deployex").map((source) => ({ name: source.app, instances: source.instances }));
      this.#choose();
    } catch {
      // Those of the status remain.
    }
  }

  #choose() {
    const options = [];
    const others = this.#sourcesWithLogs.filter((source) => !this.#apps.some((app) => app.name === source.name));
    const apps = this.#apps.map((app) => ({
      name: app.name,
      instances: [...new Set([...app.instances, ...(this.#sourcesWithLogs.find((source) => source.name === app.name)?.instances ?? [])])].sort((left, right) => left - right),
    }));
    for (const app of [...apps, ...others]) {
      if (app.instances.length > 1) options.push([`${app.name}/all`, `${app.name}, all instances`]);
      for (const number of app.instances) options.push([`${app.name}/${number}`, `${app.name} ${number}`]);
    }
    options.push(["deployex", "deployex itself"]);
    const { app, instance } = this.#source;
    const value = instance === null ? app ?? "" : `${app}/${instance}`;
    // An application that is not configured any more may still have logs.
    if (app && !options.some(([entry]) => entry === value)) options.push([value, value]);
    this.#sources.update(options, value);
    this.#streams.update([["both", "stdout and stderr"], ["stdout", "stdout"], ["stderr", "stderr"]], this.#source.stream);
    setState(this.#streams.element, "hidden", instance === null);
  }

  #chose(value) {
    const slash = value.lastIndexOf("/");
    const [app, instance] = slash < 0 ? [value, null] : [value.slice(0, slash), value.slice(slash + 1)];
    this.#go({ app, instance, line: null, q: null });
  }

  #address(changes) {
    const { app, instance, stream } = { ...this.#source, ...changes };
    const search = "q" in changes ? changes : { ...this.#search, ...changes };
    return `logs${query({
      app, instance, stream: instance === null || stream === "both" ? null : stream, line: changes.line,
      q: search.q, regex: search.q ? search.regex : null, case: search.q ? search.case : null, from: search.q ? search.from : null, to: search.q ? search.to : null,
    })}`;
  }

  #go(changes) {
    this.#context.router.go(this.#address(changes));
  }

  #submit(event) {
    event.preventDefault();
    const seconds = (input) => input.value ? String(Math.floor(new Date(input.value).getTime() / 1000)) : null;
    this.#go({
      line: null, q: this.#text.value === "" ? null : this.#text.value, regex: this.#regex.checked ? "1" : null,
      case: this.#case.checked ? "1" : null, from: seconds(this.#from), to: seconds(this.#to),
    });
  }

  async #open() {
    this.#turn += 1;
    this.#feed?.close();
    this.#feed = null;
    this.#view.clear();
    this.#view.isMerged = this.#source.instance === "all";
    this.#say(null);
    this.#setPaused(false);
    setState(this.#pause, "hidden", this.#search !== null || this.#line !== null);
    setState(this.#earlier, "hidden", this.#search !== null || this.#line !== null);
    if (!this.#source.app) return;
    if (this.#search) await this.#showMatches();
    else if (this.#line) await this.#showAround();
    else this.#follow();
  }

  #follow() {
    this.#feed = new LogFeed(this.#context.api, this.#context.live, this.#source, {
      reset: (lines) => {
        this.#view.clear();
        this.#view.append(lines);
        this.#say(lines.length === 0 ? "Nothing was printed yet." : null);
      },
      append: (lines, skipped) => this.#append(lines, skipped),
      prepend: (lines) => lines.length > 0 ? this.#view.prepend(lines) : this.#say("There are no earlier lines."),
      trouble: (text) => this.#say(text),
    });
    this.#feed.start();
  }

  #append(lines, skipped) {
    if (this.#isPaused) {
      this.#kept.push(...(skipped > 0 ? [{ skipped }] : []), ...lines);
      if (this.#kept.length > keptLines) this.#kept.splice(0, this.#kept.length - keptLines);
      setText(this.#pause, `Go on (${count(this.#kept.length)} new)`);
      return;
    }
    this.#say(null);
    if (skipped > 0) this.#view.remark(`${bytes(skipped)} were skipped: they came faster than they could be shown`);
    this.#view.append(lines);
  }

  #togglePause() {
    const kept = this.#kept.splice(0);
    this.#setPaused(!this.#isPaused);
    let lines = [];
    for (const entry of kept) {
      if (entry.skipped === undefined) {
        lines.push(entry);
        continue;
      }
      this.#append(lines, 0);
      this.#append([], entry.skipped);
      lines = [];
    }
    if (lines.length > 0) this.#append(lines, 0);
  }

  #setPaused(isPaused) {
    this.#isPaused = isPaused;
    this.#kept = [];
    setState(this.#pause, "aria-pressed", String(isPaused));
    setText(this.#pause, isPaused ? "Go on" : "Pause");
  }

  #toggleWrap() {
    const wraps = this.#wrap.getAttribute("aria-pressed") !== "true";
    setState(this.#wrap, "aria-pressed", String(wraps));
    this.#view.wraps = wraps;
  }

  /** @param before Where an earlier search has ended. */
  async #showMatches(before = null) {
    const own = this.#turn;
    if (before === null) this.#found = this.#searched = 0;
    this.#say("Searching …");
    try {
      const { app, instance, stream } = this.#source;
      const answer = await this.#context.api.get(`logs/search${query({ app, instance, stream, ...this.#search, limit: 1000, before })}`);
      if (own !== this.#turn) return;
      // The latest first are searched; what is found on top is earlier.
      if (before === null) this.#view.append(answer.matches);
      else this.#view.prepend(answer.matches);
      const why = { limit: "there may be more matches", bytes: "64 MiB were read", work: "the pattern costs too much" };
      const rest = answer.complete ? "" : ` The search goes no farther: ${why[answer.reason] ?? "not everything was searched"}.`;
      this.#found += answer.matches.length;
      this.#searched += answer.searched_bytes ?? 0;
      this.#say(`${count(this.#found)} ${this.#found === 1 ? "line matches" : "lines match"}, ${bytes(this.#searched)} searched.${rest}`);
      if (answer.before) this.#note.append(" ", element("button", { type: "button", class: "quiet", onclick: () => this.#showMatches(answer.before) }, "Search on"));
    } catch (error) {
      if (own === this.#turn) this.#say(error.isMissing && !error.content ? "This deployex does not search logs." : error.message);
    }
  }

  /** A line and what stands around it. */
  async #showAround() {
    const own = this.#turn;
    const { app, instance, stream } = this.#source;
    const part = (range) => this.#context.api.get(`logs${query({ app, instance, stream, lines: linesAround, ...range })}`);
    try {
      const [before, after] = await Promise.all([part({ before: this.#line }), part({ after: this.#line })]);
      if (own !== this.#turn) return;
      const seen = new Set(before.lines.map((line) => line.cursor));
      this.#view.append([...before.lines, ...after.lines.filter((line) => !line.cursor || !seen.has(line.cursor))]);
      this.#view.showLine(this.#line);
      this.#note.replaceChildren("The marked line, and what stands around it. ", element("a", { href: this.#address({ line: null, q: null }) }, "To the live log"));
      this.#note.hidden = false;
    } catch (error) {
      if (own === this.#turn) this.#say(error.status === 410 ? "This line is not kept any more." : error.message);
    }
  }

  async #save() {
    const { app, instance, stream } = this.#source;
    try {
      const response = await this.#context.api.open(`logs/download${query({ app, instance, stream })}`);
      const url = URL.createObjectURL(await response.blob());
      const name = [app, instance, stream].filter(Boolean).join("-");
      const link = element("a", { href: url, download: `${name.replace(/[^A-Za-z0-9_.-]/g, "_")}.log` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch (error) {
      this.#context.toasts.failed(error.isMissing && !error.content ? "this deployex does not offer logs for download" : error.message);
    }
  }

  #say(text) {
    this.#note.hidden = text === null;
    setText(this.#note, text ?? "");
  }
}
