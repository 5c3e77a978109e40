/**
 * What a program writes to its terminal, taken apart: text, control characters and sequences. It knows no
 * screen. Source: Paul Williams, "A parser for DEC's ANSI-compatible video terminals"; ECMA-48.
 */

/** More parameters and longer sequences are left out. */
const limits = { parameters: 32, number: 65_535, length: 4096 };

export class TerminalParser {
  #state = "ground";
  #prefix = "";
  #intermediates = "";
  #parameters = "";
  #length = 0;
  #handler;

  /**
   * @param handler `print(text)`, `control(code)`, `escape(intermediates, final)`,
   *   `sequence(prefix, parameters, intermediates, final)`; each parameter is a list, more than one number
   *   where colons separate them.
   */
  constructor(handler) {
    this.#handler = handler;
  }

  /** @param text Whole characters; a sequence may end in a later piece. */
  push(text) {
    let start = 0;
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (this.#state === "ground") {
        if (code >= 0x20 && code !== 0x7f && (code < 0x80 || code > 0x9f)) continue;
        if (index > start) this.#handler.print(text.slice(start, index));
        start = index + 1;
        this.#ground(code);
      } else {
        this.#other(code, text[index]);
        start = index + 1;
      }
    }
    if (this.#state === "ground" && start < text.length) this.#handler.print(text.slice(start));
  }

  #ground(code) {
    if (code === 0x1b) this.#begin("escape");
    else if (code === 0x9b) this.#begin("sequence");
    else if (code === 0x90 || code === 0x98 || code >= 0x9d) this.#begin("string");
    else if (code >= 0x80) this.#handler.escape("", String.fromCharCode(code - 0x40));
    else if (code < 0x20) this.#handler.control(code);
  }

  #begin(state) {
    this.#state = state;
    this.#prefix = this.#intermediates = this.#parameters = "";
    this.#length = 0;
  }

  #other(code, character) {
    this.#length += 1;
    // CAN and SUB end a sequence; ESC begins another one.
    if (code === 0x18 || code === 0x1a) return this.#begin("ground");
    if (code === 0x1b) {
      // ESC \ ends a string; the backslash is then an escape of its own that means nothing.
      return this.#begin("escape");
    }
    switch (this.#state) {
      case "string":
        if (code === 0x07 || code === 0x9c) this.#begin("ground");
        break;
      case "escape":
        this.#escape(code, character);
        break;
      default:
        this.#sequence(code, character);
    }
  }

  #escape(code, character) {
    if (code < 0x20) this.#handler.control(code);
    else if (code <= 0x2f) this.#intermediates = (this.#intermediates + character).slice(0, 2);
    else if (code > 0x7e) this.#begin("ground");
    else if (this.#intermediates === "" && character === "[") this.#begin("sequence");
    else if (this.#intermediates === "" && "]PX^_".includes(character)) this.#begin("string");
    else {
      const intermediates = this.#intermediates;
      this.#begin("ground");
      this.#handler.escape(intermediates, character);
    }
  }

  #sequence(code, character) {
    if (code < 0x20) this.#handler.control(code);
    else if (code >= 0x30 && code <= 0x3b) this.#parameters += character;
    else if (code >= 0x3c && code <= 0x3f) this.#prefix += character;
    else if (code <= 0x2f) this.#intermediates += character;
    else if (code >= 0x40 && code <= 0x7e) {
      const [prefix, given, intermediates] = [this.#prefix, this.#parameters, this.#intermediates];
      const isTooLong = this.#length > limits.length;
      this.#begin("ground");
      if (!isTooLong) this.#handler.sequence(prefix, numbers(given), intermediates, character);
    } else if (code !== 0x7f) this.#begin("ground");
    if (this.#length > limits.length) this.#prefix = this.#parameters = this.#intermediates = "";
  }
}

/** "1;38:5:9" → [[1], [38, 5, 9]]; what is left out is null. */
function numbers(text) {
  if (text === "") return [];
  return text.split(";", limits.parameters).map((entry) =>
    entry.split(":", 8).map((number) => (number === "" ? null : Math.min(Number(number), limits.number))));
}
