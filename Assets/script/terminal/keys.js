/** What a terminal sends when a key is pressed. Source: "XTerm Control Sequences", PC-style function keys. */

const cursorKeys = { ArrowUp: "A", ArrowDown: "B", ArrowRight: "C", ArrowLeft: "D", Home: "H", End: "F" };
const tildeKeys = {
  Insert: 2, Delete: 3, PageUp: 5, PageDown: 6, F5: 15, F6: 17, F7: 18, F8: 19, F9: 20, F10: 21, F11: 23, F12: 24,
};
const functionKeys = { F1: "P", F2: "Q", F3: "R", F4: "S" };

/**
 * @param event A key event, or an object with its `key` and its modifiers.
 * @param modes The screen's modes.
 * @returns {string | null} null: the key means nothing here, and the browser may have it.
 */
export function bytesOf(event, modes) {
  const { key, ctrlKey = false, altKey = false, shiftKey = false, metaKey = false } = event;
  if (metaKey) return null;
  const modifier = 1 + (shiftKey ? 1 : 0) + (altKey ? 2 : 0) + (ctrlKey ? 4 : 0);
  const suffix = modifier > 1 ? `;${modifier}` : "";
  if (key in cursorKeys) {
    if (modifier > 1) return `\u001b[1${suffix}${cursorKeys[key]}`;
    return `\u001b${modes.applicationCursor ? "O" : "["}${cursorKeys[key]}`;
  }
  if (key in tildeKeys) {
    // With Shift they move the page, not the program.
    if (shiftKey && (key === "PageUp" || key === "PageDown" || key === "Insert")) return null;
    return `\u001b[${tildeKeys[key]}${suffix}~`;
  }
  if (key in functionKeys) return modifier > 1 ? `\u001b[1${suffix}${functionKeys[key]}` : `\u001bO${functionKeys[key]}`;
  const escape = altKey ? "\u001b" : "";
  switch (key) {
    case "Enter": return `${escape}\r`;
    case "Backspace": return `${escape}${ctrlKey ? "\b" : "\u007f"}`;
    case "Escape": return `${escape}\u001b`;
    // With Shift the focus goes back to the page: whoever has no mouse must be able to leave.
    case "Tab": return shiftKey ? null : `${escape}\t`;
  }
  if ([...key].length !== 1) return null;
  if (ctrlKey) {
    // Ctrl+Shift+C and V copy and paste.
    if (shiftKey && "cv".includes(key.toLowerCase())) return null;
    return controlOf(key, escape);
  }
  return altKey ? `\u001b${key}` : null;
}

function controlOf(key, escape) {
  const upper = key.toUpperCase();
  const code = upper.charCodeAt(0);
  if (upper >= "@" && upper <= "_" && upper.length === 1) return escape + String.fromCharCode(code - 0x40);
  if (key === " " || key === "2") return `${escape}\u0000`;
  if (key === "?" || key === "8") return `${escape}\u007f`;
  return null;
}

/** What a paste sends: no sequence in it may end it early. */
export function pasted(text, modes) {
  const clean = text.replace(/\r\n|\n/g, "\r").replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g, "");
  return modes.bracketedPaste ? `\u001b[200~${clean}\u001b[201~` : clean;
}
