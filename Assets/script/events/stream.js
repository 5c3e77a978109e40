/** The one connection on which deployex tells what happens. It is made anew whenever it breaks. */

import { EventParser } from "./parser.js";
import { path } from "../base/api.js";

/** deployex says something every 15 seconds: after this the connection is dead. */
const silence = 40_000;

/** How long to wait before the next attempt: longer each time, and never for all browsers at once. */
export class Backoff {
  #failures = 0;

  constructor(first = 500, maximum = 15_000) {
    this.first = first;
    this.maximum = maximum;
  }

  reset() {
    this.#failures = 0;
  }

  next(random = Math.random()) {
    const full = Math.min(this.maximum, this.first * 2 ** this.#failures);
    this.#failures += 1;
    return full * (0.5 + random / 2);
  }
}

export class EventStream {
  #api;
  #listener;
  #backoff = new Backoff();
  #stop = new AbortController();
  #wake = () => {};
  /** The stream's name while it is open. */
  #stream = null;
  #wanted = new Map();
  #accepted = new Set();
  #isTelling = false;
  #isChanged = false;

  /**
   * @param listener `opened()`, `event(name, data)`, `lost()`,
   *   `refused(topic, status, message)`: it is not to be had, or not any more,
   *   `cursor(topic)`: from where it goes on, or null.
   */
  constructor(api, listener) {
    this.#api = api;
    this.#listener = listener;
  }

  start() {
    this.#run();
  }

  stop() {
    this.#stop.abort();
    this.#wake();
  }

  /** Tries again at once. */
  hurry() {
    this.#wake();
  }

  /** @param topics A set of names. */
  setTopics(topics) {
    this.#wanted = topics;
    this.#tell();
  }

  async #run() {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#readOnce();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        // The session is over: whoever holds it stops this.
        if (error.status === 401) return;
      }
      this.#stream = null;
      if (this.#stop.signal.aborted) return;
      this.#listener.lost();
      await this.#pause(this.#backoff.next());
    }
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #readOnce() {
    const abort = new AbortController();
    const end = () => abort.abort();
    this.#stop.signal.addEventListener("abort", end);
    let timer = setTimeout(end, silence);
    try {
      const response = await this.#api.open("events?topics=status", { signal: abort.signal });
      const reader = response.body.getReader();
      const decoder = new TextDecoder();
      const parser = new EventParser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(end, silence);
        for (const event of parser.push(decoder.decode(value, { stream: true }))) this.#receive(event);
      }
    } finally {
      clearTimeout(timer);
      end();
      this.#stop.signal.removeEventListener("abort", end);
    }
  }

  #receive(event) {
    let data;
    try {
      data = JSON.parse(event.data);
    } catch {
      return;
    }
    if (event.name === "stream") {
      this.#stream = data.stream;
      this.#accepted = new Set(["status"]);
      this.#backoff.reset();
      this.#listener.opened();
      this.#tell();
    } else if (event.name === "ended") {
      this.#refuse(data.topic, data.status, data.error);
    } else {
      this.#listener.event(event.name, data);
    }
  }

  #refuse(topic, status, message) {
    this.#accepted.delete(topic);
    this.#wanted.delete(topic);
    this.#listener.refused(topic, status, message);
  }

  /** Tells deployex which topics are wanted, one request at a time. */
  async #tell() {
    if (this.#isTelling) {
      this.#isChanged = true;
      return;
    }
    this.#isTelling = true;
    do {
      this.#isChanged = false;
      const wanted = new Set(["status", ...this.#wanted]);
      if (this.#stream === null || isSame(wanted, this.#accepted)) break;
      await this.#replace(wanted);
    } while (this.#isChanged);
    this.#isTelling = false;
  }

  async #replace(wanted) {
    const stream = this.#stream;
    const trouble = await this.#put(stream, wanted);
    if (trouble === null || stream !== this.#stream || trouble.status === 0 || trouble.status === 401) return;
    // One that is not to be had spoils them all: so each is asked for alone.
    for (const topic of [...wanted].filter((entry) => !this.#accepted.has(entry))) {
      const error = await this.#put(stream, new Set([...this.#accepted, topic]));
      if (stream !== this.#stream) return;
      if (error !== null) this.#refuse(topic, error.status, error.message);
    }
  }

  /** @returns What went wrong, or null. */
  async #put(stream, wanted) {
    const topics = Object.fromEntries([...wanted].map((topic) => [topic, this.#listener.cursor(topic)]));
    try {
      await this.#api.put(path("events", stream, "topics"), { topics });
      if (stream === this.#stream) this.#accepted = wanted;
      return null;
    } catch (error) {
      return error;
    }
  }
}

function isSame(left, right) {
  return left.size === right.size && [...left].every((entry) => right.has(entry));
}
