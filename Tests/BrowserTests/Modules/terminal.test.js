import { bytesOf, pasted } from "../script/terminal/keys.js";
import { TerminalParser } from "../script/terminal/parser.js";
import { Screen, scrollbackLimit } from "../script/terminal/screen.js";
import { widthOf } from "../script/terminal/width.js";
import { equal, test } from "./harness.js";

const esc = "\u001b";
const csi = "\u001b[";

/** The lines of a screen after some output, without the empty ones at its end. */
function shown(text, columns = 10, rows = 4) {
  return lines(written(text, columns, rows));
}

function written(text, columns = 10, rows = 4) {
  const screen = new Screen(columns, rows);
  screen.write(text);
  return screen;
}

function lines(screen) {
  const result = Array.from({ length: screen.rows }, (_, row) => screen.text(row));
  while (result.length > 0 && result.at(-1) === "") result.pop();
  return result;
}

function place({ cursor }) {
  return [cursor.row, cursor.column];
}

function events(...pieces) {
  const found = [];
  const parser = new TerminalParser({
    print: (text) => found.push(text),
    control: (code) => found.push(code),
    escape: (intermediates, final) => found.push(["escape", intermediates, final]),
    sequence: (...parts) => found.push(["sequence", ...parts]),
  });
  for (const piece of pieces) parser.push(piece);
  return found;
}

test("text, control characters and sequences are taken apart", () => {
  equal(events(`ab\r\n${csi}1;2Hc`), ["ab", 13, 10, ["sequence", "", [[1], [2]], "", "H"], "c"]);
  equal(events(`${csi}?25h${esc}(0${csi}!p`), [["sequence", "?", [[25]], "", "h"], ["escape", "(", "0"], ["sequence", "", [], "!", "p"]]);
  equal(events(`${csi}38:5:9;;1m`), [["sequence", "", [[38, 5, 9], [null], [1]], "", "m"]]);
});

test("a sequence may come in pieces", () => {
  const text = `x${csi}12;34Hy${esc}]0;t\u0007z`;
  const whole = events(...text);
  equal(whole, ["x", ["sequence", "", [[12], [34]], "", "H"], "y", "z"]);
});

test("titles and other strings are left out", () => {
  equal(events(`a${esc}]0;evil\u0007b${esc}]2;x${esc}\\c${esc}Pq#0${esc}\\d`).filter((event) => typeof event === "string"), ["a", "b", "c", "d"]);
});

test("CAN ends a sequence, ESC begins another", () => {
  equal(events(`${csi}1\u0018a`), ["a"]);
  equal(events(`${csi}1${csi}2J`), [["sequence", "", [[2]], "", "J"]]);
});

test("an endless sequence is left out, and does not grow", () => {
  equal(events(`${csi}${"1;".repeat(5000)}m`, "a"), ["a"]);
  equal(events(`${csi}${"9".repeat(300)}A`), [["sequence", "", [[65_535]], "", "A"]]);
});

test("lines, columns and wrapping", () => {
  equal(shown("ab\r\ncd"), ["ab", "cd"]);
  equal(shown("ab\ncd"), ["ab", "  cd"]);
  equal(shown("0123456789ab"), ["0123456789", "ab"]);
  // The line does not end before there is another character.
  equal(place(written("0123456789")), [0, 9]);
  equal(shown("0123456789\r\nab"), ["0123456789", "ab"]);
  equal(shown(`${csi}?7l0123456789abc`), ["012345678c"]);
  equal(shown("abc\b\bX"), ["aXc"]);
  equal(shown("a\tb", 20), ["a       b"]);
});

test("the screen scrolls, and what leaves it is kept", () => {
  const screen = written("1\r\n2\r\n3\r\n4\r\n5\r\n6");
  equal(lines(screen), ["3", "4", "5", "6"]);
  equal(screen.scrollback.length, 2);
  equal(screen.scrolledCount, 2);
  const long = written(Array.from({ length: scrollbackLimit + 100 }, (_, index) => `${index}`).join("\r\n"));
  equal(long.scrollback.length, scrollbackLimit);
});

test("the cursor moves and stays on the screen", () => {
  equal(place(written(`${csi}3;5H`)), [2, 4]);
  equal(place(written(`${csi}99;99H`)), [3, 9]);
  equal(place(written(`${csi}3;5H${csi}A${csi}2D`)), [1, 2]);
  equal(place(written(`${csi}3;5H${csi}9A${csi}99C`)), [0, 9]);
  equal(place(written(`${csi}2;2H${csi}E`)), [2, 0]);
  equal(place(written(`${csi}2;5H${csi}8G`)), [1, 7]);
  equal(place(written(`ab${esc}7cd${esc}8`)), [0, 2]);
});

test("erasing", () => {
  equal(shown(`abcdef${csi}1;3H${csi}K`), ["ab"]);
  equal(shown(`abcdef${csi}1;3H${csi}1K`), ["   def"]);
  equal(shown(`abcdef${csi}2K`), []);
  equal(shown(`a\r\nb\r\nc${csi}2;1H${csi}J`), ["a"]);
  equal(shown(`a\r\nb\r\nc${csi}2;1H${csi}1J`), ["", "", "c"]);
  equal(shown(`a\r\nb${csi}2J`), []);
  equal(shown(`abcdef${csi}1;2H${csi}2X`), ["a  def"]);
  // What is erased has the colour of the background.
  const screen = written(`${csi}44m${csi}K`);
  equal([screen.lines[0].cells[5].style.background, screen.lines[0].cells[5].style.foreground], [4, null]);
});

test("characters and lines are inserted and deleted", () => {
  equal(shown(`abcdef${csi}1;3H${csi}2@`), ["ab  cdef"]);
  equal(shown(`abcdef${csi}1;3H${csi}2P`), ["abef"]);
  equal(shown(`a\r\nb\r\nc${csi}1;1H${csi}L`), ["", "a", "b", "c"]);
  equal(shown(`a\r\nb\r\nc${csi}1;1H${csi}2M`), ["c"]);
  equal(shown(`abc${csi}1;2H${csi}4hX${csi}4l`), ["aXbc"]);
});

test("a scroll region keeps the rest where it is", () => {
  const text = `1\r\n2\r\n3\r\n4${csi}2;3r${csi}3;1H\nX`;
  equal(shown(text), ["1", "3", "X", "4"]);
  equal(written(text).scrollback.length, 0);
  equal(shown(`1\r\n2\r\n3\r\n4${csi}2;3r${csi}2;1H${esc}M`), ["1", "", "2", "4"]);
  equal(place(written(`${csi}2;3r${csi}?6h${csi}1;1H`)), [1, 0]);
});

test("the other screen leaves the first one as it was", () => {
  const screen = written(`main${csi}?1049hother`);
  equal(lines(screen), ["    other"]);
  screen.write(`${csi}?1049l`);
  equal(lines(screen), ["main"]);
  equal(place(screen), [0, 4]);
  const full = written(`${csi}?1049h1\r\n2\r\n3\r\n4\r\n5\r\n6`);
  equal(full.scrollback.length, 0);
});

test("wide characters take two columns and never half of one", () => {
  equal([widthOf("a"), widthOf("日"), widthOf("👍"), widthOf("\u0301"), widthOf("ö")], [1, 2, 2, 0, 1]);
  equal(place(written("日本")), [0, 4]);
  equal(shown("012345678日"), ["012345678", "日"]);
  equal(shown(`日本${csi}1;2HX`), [" X本"]);
  equal(shown(`日本${csi}1;1HX`), ["X 本"]);
  equal(shown(`a日${csi}1;1H${csi}2P`), [""].filter(Boolean));
  equal(shown("e\u0301a"), ["e\u0301a"]);
});

test("lines are drawn with DEC's graphics", () => {
  equal(shown(`${esc}(0lqk${esc}(Bq`), ["┌─┐q"]);
  equal(shown(`${esc})0\u000eq\u000fq`), ["─q"]);
});

test("questions are answered", () => {
  const screen = new Screen(10, 4);
  const answers = [];
  screen.onAnswer = (text) => answers.push(text);
  screen.write(`ab${csi}6n${csi}5n${csi}c`);
  equal(answers, [`${csi}1;3R`, `${csi}0n`, `${csi}?62;22c`]);
});

test("a new size keeps the text and the cursor", () => {
  const screen = written("1\r\n2\r\n3\r\n4");
  screen.resize(20, 2);
  equal(lines(screen), ["3", "4"]);
  equal(place(screen), [1, 1]);
  equal(screen.scrollback.length, 2);
  screen.resize(5, 6);
  equal(lines(screen), ["3", "4"]);
  screen.write("\r\nabcdefg");
  equal(lines(screen), ["3", "4", "abcde", "fg"]);
  screen.resize(2, 1);
  equal([screen.columns, screen.rows, lines(screen)], [2, 1, ["fg"]]);
});

test("repeating is bounded", () => {
  equal(shown(`a${csi}3b`), ["aaaa"]);
  written(`a${csi}65535b${csi}65535S${csi}65535T${csi}65535I${csi}65535L${csi}65535M${csi}65535@${csi}65535P`);
});

test("a reset leaves nothing", () => {
  equal(shown(`${csi}31mabc${csi}2;3r${esc}cX`), ["X"]);
  equal(written(`${csi}31m${esc}cX`).lines[0].cells[0].style.foreground, null);
});

test("random output never breaks a screen", () => {
  let seed = 42;
  const random = (bound) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * bound);
  };
  const alphabet = [esc, csi, "日", "\u0301", "\r", "\n", "\b", "\t", "a", "0", "9", ";", ":", "?", "H", "J", "K", "L", "M", "P", "@", "r", "m", "h", "l", "1049", "S", "T", "X", "(", "0", "\u009b", "]", "\u0007", "A", "B", "C", "D", "b", "G", "d"];
  const screen = new Screen(20, 6);
  for (let step = 0; step < 30_000; step += 1) {
    screen.write(alphabet[random(alphabet.length)]);
    if (step % 97 === 0) screen.resize(2 + random(40), 1 + random(10));
    const { row, column } = screen.cursor;
    if (row < 0 || row >= screen.rows || column < 0 || column >= screen.columns) throw new Error(`the cursor is at ${row}, ${column}`);
    if (screen.lines.length !== screen.rows) throw new Error(`there are ${screen.lines.length} lines`);
    if (step % 50 === 0) {
      for (const line of screen.lines) {
        if (line.cells.length !== screen.columns) throw new Error(`a line has ${line.cells.length} cells of ${screen.columns}`);
        line.cells.forEach((cell, index) => {
          if (!cell) throw new Error("a cell is missing");
          if (cell.width === 0 && line.cells[index - 1]?.width !== 2) throw new Error("half a character is alone");
          if (cell.width === 2 && line.cells[index + 1]?.width !== 0) throw new Error("a wide character has one column");
        });
      }
    }
  }
});

test("keys", () => {
  const modes = { applicationCursor: false };
  const key = (name, modifiers = {}) => bytesOf({ key: name, ...modifiers }, modes);
  equal([key("Enter"), key("Backspace"), key("Tab"), key("Escape")], ["\r", "\u007f", "\t", esc]);
  equal([key("ArrowUp"), bytesOf({ key: "ArrowUp" }, { applicationCursor: true })], [`${csi}A`, `${esc}OA`]);
  equal(key("ArrowLeft", { ctrlKey: true }), `${csi}1;5D`);
  equal([key("c", { ctrlKey: true }), key("[", { ctrlKey: true }), key(" ", { ctrlKey: true })], ["\u0003", esc, "\u0000"]);
  equal([key("F1"), key("F5"), key("Delete"), key("Home")], [`${esc}OP`, `${csi}15~`, `${csi}3~`, `${csi}H`]);
  equal(key("x", { altKey: true }), `${esc}x`);
  // Typed text comes from the input itself; what leaves the terminal is the browser's.
  equal([key("a"), key("Tab", { shiftKey: true }), key("c", { ctrlKey: true, shiftKey: true }), key("c", { metaKey: true })], [null, null, null, null]);
});

test("a paste cannot end itself", () => {
  equal(pasted("a\nb\r\nc", { bracketedPaste: false }), "a\rb\rc");
  equal(pasted(`x${esc}[201~rm\u0003`, { bracketedPaste: true }), `${csi}200~x[201~rm${csi}201~`);
});
