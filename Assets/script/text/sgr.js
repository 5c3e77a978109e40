/**
 * Select Graphic Rendition: what an escape sequence does to the style of the text after it.
 * Source: ECMA-48, section 8.3.117; ITU T.416 for the colours with colons.
 */

/** A style is never changed: the same one may stand at many places. */
export const plain = Object.freeze({
  foreground: null,
  background: null,
  bold: false,
  faint: false,
  italic: false,
  underline: false,
  inverse: false,
  hidden: false,
  struck: false,
});

const on = { 1: "bold", 2: "faint", 3: "italic", 4: "underline", 7: "inverse", 8: "hidden", 9: "struck", 21: "underline" };
const off = { 22: ["bold", "faint"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 28: ["hidden"], 29: ["struck"] };

/**
 * @param parameters A list; each entry is a list of numbers, more than one where colons separate them.
 *   Left-out numbers are null.
 * @returns The style afterwards. A colour is 0 to 255, or "#rrggbb".
 */
export function styled(style, parameters) {
  const next = { ...style };
  const list = parameters.length === 0 ? [[0]] : parameters;
  for (let index = 0; index < list.length; index += 1) {
    const [code, ...sub] = list[index];
    const number = code ?? 0;
    if (number === 0) Object.assign(next, plain);
    else if (number === 4 && sub.length > 0) next.underline = sub[0] !== 0;
    else if (number in on) next[on[number]] = true;
    else if (number in off) for (const name of off[number]) next[name] = false;
    else if (number >= 30 && number <= 37) next.foreground = number - 30;
    else if (number >= 40 && number <= 47) next.background = number - 40;
    else if (number >= 90 && number <= 97) next.foreground = number - 82;
    else if (number >= 100 && number <= 107) next.background = number - 92;
    else if (number === 39) next.foreground = null;
    else if (number === 49) next.background = null;
    else if (number === 38 || number === 48) {
      const [colour, used] = sub.length > 0 ? [colonColour(sub), 0] : semicolonColour(list, index + 1);
      index += used;
      if (colour !== undefined) next[number === 38 ? "foreground" : "background"] = colour;
    }
  }
  return Object.freeze(next);
}

/** 38:5:N, 38:2:R:G:B and 38:2:SPACE:R:G:B */
function colonColour(sub) {
  if (sub[0] === 5) return indexed(sub[1]);
  if (sub[0] === 2) return direct(sub.length >= 5 ? sub.slice(2, 5) : sub.slice(1, 4));
  return undefined;
}

/** 38;5;N and 38;2;R;G;B: the numbers after it belong to it. */
function semicolonColour(list, start) {
  const at = (offset) => list[start + offset]?.[0] ?? 0;
  if (at(0) === 5) return [indexed(at(1)), 2];
  if (at(0) === 2) return [direct([at(1), at(2), at(3)]), 4];
  return [undefined, 0];
}

function indexed(number) {
  return number >= 0 && number <= 255 ? number : undefined;
}

function direct(parts) {
  const valid = parts.length === 3 && parts.every((part) => (part ?? 0) >= 0 && (part ?? 0) <= 255);
  return valid ? hex(parts) : undefined;
}

function hex(parts) {
  return `#${parts.map((part) => (part ?? 0).toString(16).padStart(2, "0")).join("")}`;
}

const steps = [0, 95, 135, 175, 215, 255];

/** The colours 16 to 255 of xterm: a cube of 6 × 6 × 6, then 24 greys. */
export function paletteColour(number) {
  if (number >= 232) return hex(Array(3).fill(8 + (number - 232) * 10));
  const place = number - 16;
  return hex([steps[Math.floor(place / 36)], steps[Math.floor(place / 6) % 6], steps[place % 6]]);
}

/**
 * Gives a node the look of a style. The first 16 colours are classes, so that the style sheets can keep
 * them readable.
 */
export function applyStyle(node, style) {
  let { foreground, background } = style;
  if (style.bold && typeof foreground === "number" && foreground < 8) foreground += 8;
  if (style.inverse) {
    [foreground, background] = [background ?? "page", foreground ?? "text"];
  }
  const classes = [];
  colour(node, classes, "fg", "color", foreground);
  colour(node, classes, "bg", "background-color", background);
  for (const name of ["bold", "faint", "italic", "underline", "hidden", "struck"]) {
    if (style[name]) classes.push(`sgr-${name}`);
  }
  if (classes.length > 0) node.className = classes.join(" ");
}

function colour(node, classes, prefix, property, value) {
  if (value === null) return;
  if (typeof value === "string" && value.startsWith("#")) node.style.setProperty(property, value);
  else if (typeof value === "number" && value >= 16) node.style.setProperty(property, paletteColour(value));
  else classes.push(`${prefix}-${value}`);
}
