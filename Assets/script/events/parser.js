/** An event stream as it comes in. Source: HTML standard, "Server-sent events", parsing. */

/** An event may be so long before the stream counts as broken. */
const limit = 16 * 1024 * 1024;

export class EventParser {
  #rest = "";
  #endedWithReturn = false;
  #isFirst = true;
  #name = "";
  #data = [];
  #length = 0;
  /** The last event's id. */
  lastID = "";

  /** @returns {{name: string, data: string, id: string}[]} The events that are whole now. */
  push(text) {
    const events = [];
    let input = text;
    if (this.#isFirst && input !== "") {
      this.#isFirst = false;
      if (input.startsWith("\ufeff")) input = input.slice(1);
    }
    // A line feed after a carriage return that ended the last piece belongs to it.
    if (this.#endedWithReturn && input.startsWith("\n")) input = input.slice(1);
    if (input !== "") this.#endedWithReturn = input.endsWith("\r");
    const lines = (this.#rest + input).split(/\r\n|\n|\r/);
    this.#rest = lines.pop();
    if (this.#rest.length + this.#length > limit) throw new Error("an event is too long");
    for (const line of lines) {
      if (line === "") this.#dispatch(events);
      else this.#field(line);
    }
    return events;
  }

  #field(line) {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const start = line[colon + 1] === " " ? colon + 2 : colon + 1;
    const value = colon < 0 ? "" : line.slice(start);
    if (name === "event") this.#name = value;
    else if (name === "id" && !value.includes("\0")) this.lastID = value;
    else if (name === "data") {
      this.#data.push(value);
      this.#length += value.length;
      if (this.#length > limit) throw new Error("an event is too long");
    }
  }

  #dispatch(events) {
    if (this.#data.length > 0) {
      events.push({ name: this.#name || "message", data: this.#data.join("\n"), id: this.lastID });
    }
    this.#name = "";
    this.#data = [];
    this.#length = 0;
  }
}
