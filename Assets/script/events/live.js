/**
 * What is live in this tab. The tabs of a browser elect one that holds the event stream; it tells the
 * others. Where the browser has no locks (HTTP on another host's address), each tab has a stream
 * of its own while it is visible.
 */

import { Leader, goesOn } from "./leader.js";
import { channel, lockName, locks, ownName } from "../base/tabs.js";

export class Live {
  #api;
  #channel = null;
  #leader = null;
  #release = null;
  #topics = new Map();
  #stopElection = null;
  state = { connected: false, at: null, isKnown: false };
  /** Called when the connection comes or goes. */
  onState = () => {};

  constructor(api) {
    this.#api = api;
    document.addEventListener("visibilitychange", () => this.#visibility());
    window.addEventListener("online", () => this.#leader?.hurry());
    window.addEventListener("pagehide", () => this.#tell({ kind: "topics", tab: ownName, topics: {} }));
    window.addEventListener("pageshow", (event) => event.persisted && this.#announce());
  }

  start() {
    if (locks) {
      this.#channel = channel("events");
      this.#channel.onmessage = (message) => this.#receive(message.data);
      this.#stopElection = new AbortController();
      this.#announce();
      locks.request(lockName("stream"), { signal: this.#stopElection.signal }, () => this.#lead()).catch(() => {});
    } else {
      this.#visibility();
    }
  }

  stop() {
    this.#stopElection?.abort();
    this.#stopElection = null;
    this.#leader?.stop();
    this.#leader = null;
    this.#release?.();
    this.#channel?.close();
    this.#channel = null;
    this.state = { connected: false, at: null, isKnown: false };
  }

  /** Tries at once to connect again. */
  hurry() {
    if (this.#leader) this.#leader.hurry();
    else this.#tell({ kind: "hurry" });
  }

  /**
   * @param listener `event(data, at)`; for topics that go on also `joined(cursor)`, from where; and
   *   `refused(status, message)`.
   * @param cursor From where the topic is to go on.
   * @returns A function that ends it.
   */
  subscribe(topic, listener, cursor = null) {
    let entry = this.#topics.get(topic);
    if (!entry) {
      entry = { cursor, listeners: new Set(), last: null };
      this.#topics.set(topic, entry);
      entry.listeners.add(listener);
      this.#announce();
    } else {
      entry.listeners.add(listener);
      queueMicrotask(() => {
        if (!entry.listeners.has(listener)) return;
        if (goesOn(topic)) listener.joined?.(entry.cursor);
        if (entry.last) listener.event(entry.last.data, entry.last.at);
      });
    }
    return () => {
      entry.listeners.delete(listener);
      if (entry.listeners.size > 0 || this.#topics.get(topic) !== entry) return;
      this.#topics.delete(topic);
      this.#announce();
    };
  }

  #lead() {
    this.#leader = new Leader(this.#api, (message) => {
      this.#channel?.postMessage(message);
      this.#receive(message);
    });
    this.#leader.start();
    return new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  #announce() {
    const topics = Object.fromEntries([...this.#topics].map(([topic, entry]) => [topic, entry.cursor]));
    this.#tell({ kind: "topics", tab: ownName, topics });
  }

  #tell(message) {
    if (!this.#leader) this.#channel?.postMessage(message);
    // Nobody is called back while still subscribing, whichever tab leads.
    else queueMicrotask(() => this.#leader?.want(message.tab, message.topics));
  }

  #receive(message) {
    if (message.tab !== undefined && message.tab !== ownName && message.kind !== "topics") return;
    switch (message.kind) {
      case "topics":
        this.#leader?.want(message.tab, message.topics);
        break;
      case "hurry":
        this.#leader?.hurry();
        break;
      case "who":
        this.#announce();
        break;
      case "joined":
        this.#joined(message);
        break;
      case "event":
        this.#event(message.event);
        break;
      case "state":
        this.state = { ...message.state, isKnown: message.state.connected || message.state.at !== null };
        this.onState(this.state);
        break;
      case "refused":
        for (const listener of this.#topics.get(message.topic)?.listeners ?? []) listener.refused?.(message.status, message.message);
        break;
    }
  }

  #joined({ topic, cursor, event }) {
    const entry = this.#topics.get(topic);
    if (!entry) return;
    if (goesOn(topic)) {
      entry.cursor = cursor;
      for (const listener of entry.listeners) listener.joined?.(cursor);
    }
    if (event) this.#event(event);
  }

  #event({ topic, data, at }) {
    const entry = this.#topics.get(topic);
    if (!entry) return;
    if (goesOn(topic)) entry.cursor = data.cursor ?? null;
    else entry.last = { data, at };
    for (const listener of [...entry.listeners]) listener.event(data, at);
  }

  #visibility() {
    if (locks) {
      if (!document.hidden && !this.state.connected) this.hurry();
      return;
    }
    if (document.hidden) {
      this.#leader?.stop();
      this.#leader = null;
    } else if (!this.#leader) {
      this.#lead();
    }
  }
}
