/**
 * A log from some place on, without a gap and without a line twice: first what is there, then what comes.
 * Another tab may follow the same log already; then the stream goes on at its place, and what is there is
 * loaded up to that place.
 */

import { query } from "../base/api.js";

const backlog = 500;

export class LogFeed {
  #api;
  #live;
  #source;
  #listener;
  #end = null;
  #isClosed = false;
  #from = null;
  #waiting = [];
  #isLoading = true;
  #before = null;
  #isLoadingEarlier = false;

  /**
   * @param source `{ app, instance, stream }`
   * @param listener `reset(lines)`, `append(lines, skipped)`, `prepend(lines)`, `trouble(text)`.
   */
  constructor(api, live, source, listener) {
    this.#api = api;
    this.#live = live;
    this.#source = source;
    this.#listener = listener;
  }

  async start() {
    let log;
    try {
      log = await this.#load({});
    } catch (error) {
      if (!this.#isClosed) this.#listener.trouble(error.isMissing && !error.content ? "This deployex does not show logs." : error.message);
      return;
    }
    if (this.#isClosed) return;
    this.#show(log);
    this.#from = log.after ?? null;
    this.#end = this.#live.subscribe(topicOf(this.#source), {
      event: (event) => this.#event(event),
      joined: (cursor) => this.#joined(cursor),
      refused: (status, message) => this.#refused(status, message),
    }, this.#from);
  }

  close() {
    this.#isClosed = true;
    this.#end?.();
  }

  /** The lines before those that are shown. @returns {Promise<boolean>} Whether there were any. */
  async earlier() {
    if (this.#isLoadingEarlier || this.#before === null) return false;
    this.#isLoadingEarlier = true;
    try {
      const log = await this.#load({ before: this.#before });
      if (this.#isClosed) return false;
      this.#before = log.before ?? null;
      this.#listener.prepend(log.lines);
      return log.lines.length > 0;
    } catch (error) {
      this.#listener.trouble(error.message);
      return false;
    } finally {
      this.#isLoadingEarlier = false;
    }
  }

  get hasEarlier() {
    return this.#before !== null;
  }

  #refused(status, message) {
    if (status !== 410) {
      this.#listener.trouble(message);
      return;
    }
    // The place where it went on was rotated away: what there is now is shown anew.
    this.#end();
    this.start();
  }

  #load(range) {
    const { app, instance, stream } = this.#source;
    return this.#api.get(`logs${query({ app, instance, stream, lines: backlog, ...range })}`);
  }

  #show(log) {
    this.#before = log.lines.length > 0 ? log.before ?? null : null;
    this.#listener.reset(log.lines);
    this.#isLoading = false;
  }

  async #joined(cursor) {
    if (cursor === this.#from || cursor === null) return;
    this.#from = cursor;
    this.#isLoading = true;
    try {
      const log = await this.#load({ before: cursor });
      if (this.#isClosed || this.#from !== cursor) return;
      this.#show(log);
    } catch {
      this.#isLoading = false;
    }
    for (const event of this.#waiting.splice(0)) this.#append(event);
  }

  #event(event) {
    this.#from = event.cursor ?? this.#from;
    if (this.#isLoading) this.#waiting.push(event);
    else this.#append(event);
  }

  #append({ lines, skipped }) {
    this.#listener.append(lines.map((line) => typeof line === "string" ? { text: line } : line), skipped ?? 0);
  }
}

export function topicOf({ app, instance, stream }) {
  return app === "deployex" && !instance ? "log/deployex" : `log/${app}/${instance}/${stream}`;
}
