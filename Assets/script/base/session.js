/**
 * The session of this browser. Its cookie is the browser's; the token that goes beside it is kept for the
 * tab alone, and handed to other tabs that ask. A cookie reaches every program of this host, whatever its
 * port: therefore it is worth nothing without the token.
 */

import { areOthersOpen, channel, ownName } from "./tabs.js";

const storageKey = "deployex token";
/** How long another tab may take to answer. */
const patience = 1000;

export class Session {
  #api;
  #channel = channel("session");
  #token = null;
  #answer = null;
  role = null;
  /** Whether a terminal can be opened here at all. */
  terminal = false;
  /** Called when the session has ended, or another tab has begun one. */
  onChange = () => {};

  constructor(api) {
    this.#api = api;
    this.#channel.onmessage = (message) => this.#receive(message.data);
    api.onUnauthorized = () => this.#forget(true);
  }

  get isOpen() {
    return this.#token !== null;
  }

  get isAdministrator() {
    return this.role === "administrator";
  }

  /** Takes up the session of this tab or of another one. */
  async resume() {
    const token = sessionStorage.getItem(storageKey) ?? (await this.#ask());
    if (token === null) return false;
    this.#take(token);
    try {
      this.#describe(await this.#api.get("session"));
      return true;
    } catch (error) {
      if (error.status === 0 || error.status >= 500) throw error;
      this.#forget(false);
      return false;
    }
  }

  /** @param secret `{ password }` or `{ link }` */
  async begin(secret) {
    const answer = await this.#api.post("session", secret, { keepsSession: true });
    this.#take(answer.token);
    this.#describe(answer);
    this.#channel.postMessage({ kind: "token", token: answer.token });
  }

  /** Which ways of logging in exist. */
  async methods() {
    try {
      const answer = await this.#api.open("session", { keepsSession: true });
      return (await answer.json()).methods ?? [];
    } catch (error) {
      if (error.content?.methods) return error.content.methods;
      throw error;
    }
  }

  async end() {
    try {
      await this.#api.delete("session");
    } catch (error) {
      // A session that is over already is what was asked for.
      if (error.status !== 401) throw error;
    }
    this.#forget(true);
  }

  #describe({ role, terminal }) {
    this.role = role ?? null;
    this.terminal = terminal ?? false;
  }

  #take(token) {
    this.#token = token;
    this.#api.token = token;
    sessionStorage.setItem(storageKey, token);
  }

  #forget(tells) {
    if (this.#token === null) return;
    if (tells) this.#channel.postMessage({ kind: "end", token: this.#token });
    this.#token = null;
    this.#api.token = null;
    this.role = null;
    sessionStorage.removeItem(storageKey);
    if (tells) this.onChange();
  }

  async #ask() {
    if (!(await areOthersOpen())) return null;
    return await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), patience);
      this.#answer = (token) => {
        clearTimeout(timer);
        resolve(token);
      };
      this.#channel.postMessage({ kind: "ask", tab: ownName });
    });
  }

  #receive(message) {
    switch (message.kind) {
      case "ask":
        if (this.#token !== null) this.#channel.postMessage({ kind: "answer", tab: message.tab, token: this.#token });
        break;
      case "answer":
        if (message.tab === ownName) this.#answer?.(message.token);
        break;
      case "token":
        // Its cookie has replaced the one of all tabs.
        sessionStorage.setItem(storageKey, message.token);
        this.onChange();
        break;
      case "end":
        if (message.token === this.#token) {
          this.#forget(false);
          this.onChange();
        }
        break;
    }
  }
}
