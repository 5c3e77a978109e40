/**
 * The tab that holds the browser's one event stream, for all tabs: a browser opens six connections to
 * one server, and no more.
 */

import { EventStream } from "./stream.js";
import { whenGone } from "../base/tabs.js";

/** Topics that go on where they were; the others tell their whole state each time. */
export function goesOn(topic) {
  return topic.startsWith("log/") || topic.startsWith("terminal/");
}

export class Leader {
  #stream;
  #send;
  /** Each tab's topics. */
  #tabs = new Map();
  /** Each topic's last event, and where it goes on. */
  #last = new Map();
  #cursors = new Map();
  #state = { connected: false, at: null };
  #isStopped = false;
  #isEverConnected = false;

  /** @param send Takes a message for all tabs, this one included. */
  constructor(api, send) {
    this.#send = send;
    this.#stream = new EventStream(api, {
      opened: () => this.#opened(),
      event: (name, data) => this.#event(name, data),
      lost: () => this.#connected(false),
      refused: (topic, status, message) => this.#send({ kind: "refused", topic, status, message }),
      cursor: (topic) => this.#cursors.get(topic) ?? null,
    });
  }

  start() {
    this.#stream.start();
    this.#send({ kind: "who" });
  }

  stop() {
    this.#isStopped = true;
    this.#stream.stop();
  }

  hurry() {
    this.#stream.hurry();
  }

  /** A tab says what it wants: an object from topics to where it goes on, or null. */
  want(tab, topics) {
    const known = this.#tabs.get(tab);
    if (!known) this.#watch(tab);
    this.#tabs.set(tab, new Set(Object.keys(topics)));
    const all = this.#all();
    for (const topic of this.#last.keys()) if (!all.has(topic) && topic !== "status") this.#drop(topic);
    for (const topic of this.#cursors.keys()) if (!all.has(topic) && topic !== "status") this.#drop(topic);
    for (const [topic, cursor] of Object.entries(topics)) {
      if (goesOn(topic) && !this.#cursors.has(topic)) this.#cursors.set(topic, cursor);
      if (known?.has(topic)) continue;
      this.#send({
        kind: "joined", tab, topic, cursor: this.#cursors.get(topic) ?? null,
        event: goesOn(topic) ? null : this.#last.get(topic) ?? null,
      });
    }
    this.#send({ kind: "state", tab, state: this.#state });
    this.#stream.setTopics(all);
  }

  #all() {
    return new Set([...this.#tabs.values()].flatMap((topics) => [...topics]));
  }

  #drop(topic) {
    this.#last.delete(topic);
    this.#cursors.delete(topic);
  }

  async #watch(tab) {
    await whenGone(tab);
    if (this.#isStopped || !this.#tabs.has(tab)) return;
    this.want(tab, {});
    this.#tabs.delete(tab);
  }

  #event(name, data) {
    const event = { topic: data.topic ?? name, name, data, at: Date.now() };
    this.#cursors.set(event.topic, data.cursor ?? null);
    if (!goesOn(event.topic)) this.#last.set(event.topic, event);
    this.#state.at = event.at;
    this.#send({ kind: "event", event });
  }

  /** A new stream tells the whole state of each topic that has one. */
  #opened() {
    for (const topic of this.#cursors.keys()) if (!goesOn(topic)) this.#cursors.delete(topic);
    this.#connected(true);
  }

  #connected(connected) {
    if (connected === this.#state.connected && (connected || this.#isEverConnected)) return;
    this.#isEverConnected ||= connected;
    this.#state = { connected, at: this.#state.at };
    this.#send({ kind: "state", state: this.#state });
  }
}
