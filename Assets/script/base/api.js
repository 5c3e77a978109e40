/** Requests to deployex: the session's token goes along, and what is refused becomes an error. */

/** Where the dashboard lies: the folder above the scripts, at whatever path. */
export const root = new URL("../../", import.meta.url);

export class RequestError extends Error {
  /** @param status The answer's status; 0 when there was none. */
  constructor(status, message, content = null) {
    super(message);
    this.status = status;
    this.content = content;
  }

  /** Whether this deployex has no such thing to ask for. */
  get isMissing() {
    return this.status === 404;
  }
}

/** "apps", "a/b" → "apps/a%2Fb" */
export function path(...segments) {
  return segments.map((segment) => encodeURIComponent(segment)).join("/");
}

/** A query without the parameters that are null. */
export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}

export class API {
  #token = null;
  /** Called when the session is over. */
  onUnauthorized = () => {};

  set token(token) {
    this.#token = token;
  }

  get(address) {
    return this.#json("GET", address);
  }

  /** @param options `{ keepsSession: true }`: a 401 says nothing about the session. */
  post(address, content, options) {
    return this.#json("POST", address, content === undefined ? undefined : JSON.stringify(content), options);
  }

  put(address, content) {
    return this.#json("PUT", address, JSON.stringify(content));
  }

  delete(address) {
    return this.#json("DELETE", address);
  }

  postBytes(address, bytes) {
    return this.#json("POST", address, bytes, { type: "application/octet-stream" });
  }

  /** A request whose answer is read by the caller. */
  async open(address, { method = "GET", body, type, signal, keepsSession = false } = {}) {
    const headers = {};
    if (this.#token !== null) headers["X-Deployex-Token"] = this.#token;
    if (body !== undefined) headers["Content-Type"] = type ?? "application/json";
    let response;
    try {
      response = await fetch(new URL(`api/v1/${address}`, root), {
        method, headers, body, signal, cache: "no-store", credentials: "same-origin", redirect: "error",
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new RequestError(0, "deployex does not answer");
    }
    if (response.ok) return response;
    const content = await response.json().catch(() => null);
    if (response.status === 401 && !keepsSession) this.onUnauthorized();
    throw new RequestError(response.status, content?.error ?? wordOf(response), content);
  }

  async #json(method, address, body, options = {}) {
    const response = await this.open(address, { method, body, ...options });
    if (response.status === 204) return null;
    return await response.json().catch(() => null);
  }
}

function wordOf(response) {
  if (response.status === 429) return `too many attempts: wait ${response.headers.get("Retry-After") ?? "60"} seconds`;
  return `deployex answers ${response.status}`;
}
