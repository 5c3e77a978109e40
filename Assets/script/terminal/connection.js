/** One terminal on the server: what is typed goes there in order, what is printed comes as a topic. */

import { path } from "../base/api.js";

/** The server takes so much at once. */
const pieceLimit = 32 * 1024;

export class TerminalConnection {
  #api;
  #live;
  #id;
  #listener;
  #end;
  #queue = "";
  #isSending = false;
  #isClosed = false;
  #size = null;
  #decoder = new TextDecoder();

  /** @param listener `output(text)`, `ended(status)`, `trouble(text)` */
  static async open(api, live, { app, instance, columns, rows, password }, listener) {
    const content = { columns, rows, ...(password ? { password } : {}) };
    const answer = await api.post(`${path("apps", app, "instances", instance)}/terminals`, content, { keepsSession: true });
    return new TerminalConnection(api, live, answer.terminal, { columns, rows }, listener);
  }

  constructor(api, live, id, size, listener) {
    this.#api = api;
    this.#live = live;
    this.#id = id;
    this.#size = size;
    this.#listener = listener;
    this.#end = live.subscribe(`terminal/${id}`, {
      event: (event) => this.#event(event),
      refused: (status, message) => this.#finish(() => listener.trouble(message)),
    });
  }

  send(text) {
    this.#queue += text;
    this.#flush();
  }

  async resize(columns, rows) {
    if (this.#isClosed || (this.#size.columns === columns && this.#size.rows === rows)) return;
    this.#size = { columns, rows };
    try {
      await this.#api.post(`${path("terminals", this.#id)}/size`, { columns, rows });
    } catch (error) {
      this.#listener.trouble(error.message);
    }
  }

  /** Ends the program, too. */
  close() {
    if (this.#isClosed) return;
    this.#finish(() => {});
    // Nobody is there to hear that it had ended by itself.
    this.#api.delete(path("terminals", this.#id)).catch(() => {});
  }

  /** One request at a time: what is typed stays in order. */
  async #flush() {
    if (this.#isSending) return;
    this.#isSending = true;
    const encoder = new TextEncoder();
    while (this.#queue !== "" && !this.#isClosed) {
      let piece = this.#queue.slice(0, pieceLimit / 4);
      if (/[\ud800-\udbff]$/.test(piece) && piece.length < this.#queue.length) piece = piece.slice(0, -1);
      try {
        await this.#api.postBytes(`${path("terminals", this.#id)}/input`, encoder.encode(piece));
        this.#queue = this.#queue.slice(piece.length);
      } catch (error) {
        this.#queue = "";
        this.#listener.trouble(error.message);
        if (error.status === 404 || error.status === 410) this.#finish(() => this.#listener.ended(null));
      }
    }
    this.#isSending = false;
  }

  #event({ data, ended }) {
    if (data) {
      const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
      this.#listener.output(this.#decoder.decode(bytes, { stream: true }));
    }
    if (ended !== null && ended !== undefined) this.#finish(() => this.#listener.ended(ended));
  }

  #finish(tell) {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#end();
    tell();
  }
}
