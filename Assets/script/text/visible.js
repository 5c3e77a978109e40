/**
 * Text that others wrote. It may hold characters that show nothing, or turn the direction of what
 * stands after them: those are shown by their numbers.
 */

import { element } from "../base/dom.js";

/**
 * Control characters, the signs of direction, separators of lines, and letters without a shape. The
 * joiners U+200C and U+200D stay: words and pictures are made with them.
 */
const hidden =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]|[\ud800-\udfff]/gu;

/** The text with every hidden character shown: U+202E becomes "⟨U+202E⟩". A tab stays. */
export function visible(text) {
  return String(text).replace(hidden, (character) =>
    character === "\t" ? character : `⟨U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** At most so many characters of it. */
export function shortened(text, limit) {
  const whole = visible(text);
  return whole.length <= limit ? whole : `${whole.slice(0, limit - 1)}…`;
}

/** A name, version or sentence that others wrote, on its own as to direction. */
export function foreign(text, attributes = {}) {
  return element("bdi", { dir: "auto", ...attributes }, visible(text ?? ""));
}

/** A web address that others wrote: a link if it leads to a page, else text. */
export function foreignLink(address) {
  const url = typeof address === "string" ? URL.parse?.(address) ?? parsed(address) : null;
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:")) return foreign(address);
  return element("a", { href: url.href, rel: "noreferrer noopener", target: "_blank" }, foreign(address));
}

function parsed(address) {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}
