/** One line of a log: its colours are kept, every other escape sequence is left out. */

import { applyStyle, plain, styled } from "./sgr.js";
import { visible } from "./visible.js";

/** Longer lines are cut: a page is not to hang over one. */
export const lineLimit = 20_000;

/**
 * ESC [ … final (CSI), ESC ] … (OSC), ESC P, X, ^, _ … (strings), and the other escapes of two
 * characters or more. What ends too early is taken to the end of the line. Source: ECMA-48, section 5.
 */
const sequences =
  /(?:\u001b\[|\u009b)([0-9:;<=>?]*)([ -/]*)([@-~]|$)|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c|$)?|\u001b[ -/]*[0-~]?/g;

/**
 * @returns {{text: string, style: object}[]} Stretches of text with the style that they have, and the
 *   style with which the next line begins.
 */
export function stretches(text, style = plain) {
  const whole = text.length > lineLimit ? `${text.slice(0, lineLimit)}… (${text.length - lineLimit} more characters)` : text;
  const result = [];
  let current = style;
  let place = 0;
  for (const match of whole.matchAll(sequences)) {
    push(result, whole.slice(place, match.index), current);
    place = match.index + match[0].length;
    if (match[3] === "m" && match[2] === "" && !/[<=>?]/.test(match[1])) {
      current = styled(current, parameters(match[1]));
    }
  }
  push(result, whole.slice(place), current);
  return { parts: result, style: current };
}

function push(result, text, style) {
  // A terminal goes back to the start of the line; here the text just goes on.
  const shown = visible(text.replaceAll("\r", ""));
  if (shown !== "") result.push({ text: shown, style });
}

/** "1;38:5:9" → [[1], [38, 5, 9]] */
export function parameters(text) {
  if (text === "") return [];
  return text.split(";").slice(0, 64).map((entry) =>
    entry.split(":").map((number) => (number === "" ? null : Math.min(Number(number), 65_535))));
}

/** The line's text without any colours. */
export function plainText(text) {
  return stretches(text).parts.map((part) => part.text).join("");
}

/** @returns {Node[]} What shows the line. */
export function lineNodes(text) {
  return stretches(text).parts.map((part) => {
    if (part.style === plain) return document.createTextNode(part.text);
    const node = document.createElement("span");
    node.textContent = part.text;
    applyStyle(node, part.style);
    return node;
  });
}
