/**
 * The screen of a terminal as xterm has it: what a program's output does to it. It draws nothing.
 * Source: "XTerm Control Sequences", Thomas Dickey; VT100 User Guide.
 */

import { plain, styled } from "../text/sgr.js";
import { TerminalParser } from "./parser.js";
import { widthOf } from "./width.js";

export const scrollbackLimit = 2000;
export const sizeLimits = { columns: 500, rows: 200 };

/** A cell that shows nothing. The second half of a wide character has width 0. */
function blank(style) {
  return { text: " ", width: 1, style: style.background === null ? plain : Object.freeze({ ...plain, background: style.background }) };
}

/** DEC special graphics: how line-drawing programs draw frames. */
const graphics = {
  "`": "◆", a: "▒", f: "°", g: "±", h: "␤", i: "␋", j: "┘", k: "┐", l: "┌", m: "└", n: "┼", o: "⎺", p: "⎻",
  q: "─", r: "⎼", s: "⎽", t: "├", u: "┤", v: "┴", w: "┬", x: "│", y: "≤", z: "≥", "{": "π", "|": "≠", "}": "£", "~": "·",
};

export class Screen {
  columns;
  rows;
  /** The lines in sight, each a list of cells with a mark whether it goes on in the next. */
  lines;
  /** The lines that have left at the top, the oldest first. */
  scrollback = [];
  /** How many lines have ever left: names for those in `scrollback`. */
  scrolledCount = 0;
  cursor = { row: 0, column: 0, isVisible: true };
  modes = { applicationCursor: false, applicationKeypad: false, bracketedPaste: false, autowrap: true, origin: false, insert: false, newLine: false };
  isAlternate = false;
  /** Rows that have changed since the last drawing. */
  dirty = new Set();
  /** Called with what the terminal answers to the program. */
  onAnswer = () => {};
  onBell = () => {};

  #parser = new TerminalParser({
    print: (text) => this.#print(text),
    control: (code) => this.#control(code),
    escape: (intermediates, final) => this.#escape(intermediates, final),
    sequence: (prefix, parameters, intermediates, final) => this.#sequence(prefix, parameters, intermediates, final),
  });
  #style = plain;
  #top = 0;
  #bottom;
  #tabs;
  /** The cursor stands behind the last column: the next character begins a line. */
  #isBehind = false;
  #saved = null;
  #main = null;
  #sets = ["B", "B"];
  #set = 0;
  #lastCharacter = "";

  constructor(columns, rows) {
    this.columns = columns;
    this.rows = rows;
    this.#bottom = rows - 1;
    this.lines = Array.from({ length: rows }, () => this.#emptyLine(plain));
    this.#tabs = tabStops(columns);
    this.#all();
  }

  write(text) {
    this.#parser.push(text);
  }

  /** The text of a line, without the blanks at its end. */
  text(row) {
    return this.lines[row].cells.map((cell) => cell.text).join("").trimEnd();
  }

  resize(columns, rows) {
    const wanted = { columns: bounded(columns, 2, sizeLimits.columns), rows: bounded(rows, 1, sizeLimits.rows) };
    if (wanted.columns === this.columns && wanted.rows === this.rows) return;
    const surplus = this.cursor.row - wanted.rows + 1;
    for (let index = 0; index < surplus; index += 1) this.#keep(this.lines.shift());
    if (surplus > 0) this.cursor.row -= surplus;
    this.columns = wanted.columns;
    this.rows = wanted.rows;
    this.lines = this.#fitted(this.lines);
    if (this.#main) this.#main.lines = this.#fitted(this.#main.lines);
    this.#top = 0;
    this.#bottom = rows - 1;
    this.#bottom = this.rows - 1;
    this.#tabs = tabStops(this.columns);
    this.#moveTo(this.cursor.row, this.cursor.column);
    this.#all();
  }

  #fitted(lines) {
    const result = lines.slice(0, this.rows);
    for (const line of result) {
      line.cells.length = Math.min(line.cells.length, this.columns);
      while (line.cells.length < this.columns) line.cells.push(blank(plain));
      if (line.cells[this.columns - 1].width === 2) line.cells[this.columns - 1] = blank(plain);
    }
    while (result.length < this.rows) result.push(this.#emptyLine(plain));
    return result;
  }

  // Text

  #print(text) {
    for (const character of text) this.#put(this.#translated(character));
  }

  #translated(character) {
    return this.#sets[this.#set] === "0" ? graphics[character] ?? character : character;
  }

  #put(character) {
    const width = widthOf(character);
    if (width === 0) {
      this.#combine(character);
      return;
    }
    if (this.#isBehind && this.modes.autowrap) {
      this.lines[this.cursor.row].isWrapped = true;
      this.cursor.column = 0;
      this.#isBehind = false;
      this.#lineFeed();
    }
    if (width === 2 && this.cursor.column === this.columns - 1) {
      if (!this.modes.autowrap) return;
      this.#fill(this.cursor.row, this.cursor.column, blank(this.#style));
      this.lines[this.cursor.row].isWrapped = true;
      this.cursor.column = 0;
      this.#lineFeed();
    }
    if (this.modes.insert) this.#insertCells(width);
    const { row, column } = this.cursor;
    this.#fill(row, column, { text: character, width, style: this.#style });
    if (width === 2) this.#fill(row, column + 1, { text: "", width: 0, style: this.#style }, true);
    this.#lastCharacter = character;
    if (column + width >= this.columns) {
      this.cursor.column = this.columns - 1;
      this.#isBehind = true;
    } else {
      this.cursor.column += width;
    }
  }

  /** A mark that belongs to the character before it. */
  #combine(mark) {
    const { row } = this.cursor;
    let column = this.#isBehind ? this.cursor.column : this.cursor.column - 1;
    if (column > 0 && this.lines[row].cells[column].width === 0) column -= 1;
    if (column < 0) return;
    const cell = this.lines[row].cells[column];
    if (cell.text.length > 16) return;
    this.lines[row].cells[column] = { ...cell, text: cell.text + mark };
    this.dirty.add(row);
  }

  /** Half a wide character does not stay. */
  #fill(row, column, cell, isSecondHalf = false) {
    const { cells } = this.lines[row];
    if (!isSecondHalf && cells[column].width === 0 && column > 0) cells[column - 1] = blank(cells[column - 1].style);
    if (cells[column].width === 2 && column + 1 < this.columns && !isSecondHalf) cells[column + 1] = blank(cells[column].style);
    if (isSecondHalf && cells[column].width === 2 && column + 1 < this.columns) cells[column + 1] = blank(cells[column].style);
    cells[column] = cell;
    this.dirty.add(row);
  }

  // Control characters and short escapes

  #control(code) {
    switch (code) {
      case 0x07:
        this.onBell();
        break;
      case 0x08:
        this.#moveTo(this.cursor.row, this.cursor.column - (this.#isBehind ? 0 : 1));
        break;
      case 0x09:
        this.#moveTo(this.cursor.row, this.#nextTab(1));
        break;
      case 0x0a:
      case 0x0b:
      case 0x0c:
        this.#isBehind = false;
        this.#lineFeed();
        if (this.modes.newLine) this.cursor.column = 0;
        break;
      case 0x0d:
        this.#moveTo(this.cursor.row, 0);
        break;
      case 0x0e:
        this.#set = 1;
        break;
      case 0x0f:
        this.#set = 0;
        break;
    }
  }

  #escape(intermediates, final) {
    if (intermediates === "(" || intermediates === ")") {
      this.#sets[intermediates === "(" ? 0 : 1] = final;
      return;
    }
    if (intermediates === "#") {
      if (final === "8") this.#align();
      return;
    }
    if (intermediates !== "") return;
    switch (final) {
      case "7":
        this.#save();
        break;
      case "8":
        this.#restore();
        break;
      case "D":
        this.#isBehind = false;
        this.#lineFeed();
        break;
      case "E":
        this.#isBehind = false;
        this.#lineFeed();
        this.cursor.column = 0;
        break;
      case "M":
        this.#reverseLineFeed();
        break;
      case "H":
        this.#tabs.add(this.cursor.column);
        break;
      case "=":
        this.modes.applicationKeypad = true;
        break;
      case ">":
        this.modes.applicationKeypad = false;
        break;
      case "c":
        this.#reset(true);
        break;
    }
  }

  // Sequences

  #sequence(prefix, parameters, intermediates, final) {
    const at = (index, missing) => parameters[index]?.[0] || missing;
    if (intermediates === "!" && final === "p") return this.#reset(false);
    if (intermediates !== "") return;
    if (prefix === "?") return this.#private(parameters, final);
    if (prefix === ">") {
      if (final === "c") this.onAnswer("\u001b[>0;1;0c");
      return;
    }
    if (prefix !== "") return;
    const { row, column } = this.cursor;
    const n = at(0, 1);
    switch (final) {
      case "A": return this.#moveTo(Math.max(row - n, row >= this.#top ? this.#top : 0), column);
      case "B": case "e": return this.#moveTo(Math.min(row + n, row <= this.#bottom ? this.#bottom : this.rows - 1), column);
      case "C": case "a": return this.#moveTo(row, column + n);
      case "D": return this.#moveTo(row, column - n);
      case "E": return this.#moveTo(Math.min(row + n, row <= this.#bottom ? this.#bottom : this.rows - 1), 0);
      case "F": return this.#moveTo(Math.max(row - n, row >= this.#top ? this.#top : 0), 0);
      case "G": case "`": return this.#moveTo(row, n - 1);
      case "d": return this.#moveTo(this.#origin() + n - 1, column);
      case "H": case "f": return this.#moveTo(this.#origin() + n - 1, at(1, 1) - 1);
      case "I": for (let index = 0; index < Math.min(n, this.columns); index += 1) this.#moveTo(row, this.#nextTab(1)); return;
      case "Z": for (let index = 0; index < Math.min(n, this.columns); index += 1) this.#moveTo(row, this.#nextTab(-1)); return;
      case "J": return this.#eraseScreen(at(0, 0));
      case "K": return this.#eraseLine(at(0, 0));
      case "L": return this.#moveLines(n, 1);
      case "M": return this.#moveLines(n, -1);
      case "@": return this.#insertCells(n);
      case "P": return this.#deleteCells(n);
      case "X": return this.#erase(row, column, column + n);
      case "S": for (let index = 0; index < Math.min(n, this.rows); index += 1) this.#scrollUp(); return;
      case "T": for (let index = 0; index < Math.min(n, this.rows); index += 1) this.#scrollDown(this.#top); return;
      case "b": return this.#repeat(n);
      case "g": return at(0, 0) === 3 ? this.#tabs.clear() : void this.#tabs.delete(column);
      case "h": return this.#ansiMode(parameters, true);
      case "l": return this.#ansiMode(parameters, false);
      case "m": this.#style = styled(this.#style, parameters); return;
      case "n": return this.#report(at(0, 0));
      case "c": return this.onAnswer("\u001b[?62;22c");
      case "r": return this.#region(at(0, 1), at(1, this.rows));
      case "s": return this.#save();
      case "u": return this.#restore();
      // Titles, sizes of windows and everything else are not the page's to change.
    }
  }

  #private(parameters, final) {
    if (final !== "h" && final !== "l") return;
    const isOn = final === "h";
    for (const [mode] of parameters) {
      switch (mode) {
        case 1: this.modes.applicationCursor = isOn; break;
        case 6:
          this.modes.origin = isOn;
          this.#moveTo(this.#origin(), 0);
          break;
        case 7: this.modes.autowrap = isOn; break;
        case 25:
          this.cursor.isVisible = isOn;
          this.dirty.add(this.cursor.row);
          break;
        case 47: case 1047: this.#alternate(isOn); break;
        case 1048: isOn ? this.#save() : this.#restore(); break;
        case 1049:
          if (isOn) this.#save();
          this.#alternate(isOn);
          if (!isOn) this.#restore();
          break;
        case 2004: this.modes.bracketedPaste = isOn; break;
      }
    }
  }

  #ansiMode(parameters, isOn) {
    for (const [mode] of parameters) {
      if (mode === 4) this.modes.insert = isOn;
      if (mode === 20) this.modes.newLine = isOn;
    }
  }

  #report(what) {
    if (what === 5) this.onAnswer("\u001b[0n");
    if (what === 6) this.onAnswer(`\u001b[${this.cursor.row - this.#origin() + 1};${this.cursor.column + 1}R`);
  }

  #repeat(times) {
    if (this.#lastCharacter === "") return;
    for (let index = 0; index < Math.min(times, this.columns * this.rows); index += 1) this.#put(this.#lastCharacter);
  }

  #region(top, bottom) {
    const last = Math.min(bottom, this.rows);
    if (top >= last) return;
    this.#top = top - 1;
    this.#bottom = last - 1;
    this.#moveTo(this.#origin(), 0);
  }

  // Cursor

  #origin() {
    return this.modes.origin ? this.#top : 0;
  }

  #moveTo(row, column) {
    this.dirty.add(this.cursor.row);
    const [first, last] = this.modes.origin ? [this.#top, this.#bottom] : [0, this.rows - 1];
    this.cursor.row = bounded(row, first, last);
    this.cursor.column = bounded(column, 0, this.columns - 1);
    this.#isBehind = false;
    this.dirty.add(this.cursor.row);
  }

  #nextTab(step) {
    let column = this.cursor.column + step;
    while (column > 0 && column < this.columns - 1 && !this.#tabs.has(column)) column += step;
    return column;
  }

  #save() {
    this.#saved = {
      row: this.cursor.row, column: this.cursor.column, isBehind: this.#isBehind, style: this.#style, origin: this.modes.origin,
      sets: [...this.#sets], set: this.#set,
    };
  }

  #restore() {
    const saved = this.#saved ?? { row: 0, column: 0, isBehind: false, style: plain, origin: false, sets: ["B", "B"], set: 0 };
    this.modes.origin = saved.origin;
    this.#style = saved.style;
    this.#sets = [...saved.sets];
    this.#set = saved.set;
    this.#moveTo(saved.row, saved.column);
    this.#isBehind = saved.isBehind;
  }

  // Lines

  #emptyLine(style) {
    return { cells: Array.from({ length: this.columns }, () => blank(style)), isWrapped: false };
  }

  #all() {
    for (let row = 0; row < this.rows; row += 1) this.dirty.add(row);
  }

  #lineFeed() {
    this.dirty.add(this.cursor.row);
    if (this.cursor.row === this.#bottom) this.#scrollUp();
    else if (this.cursor.row < this.rows - 1) this.cursor.row += 1;
    this.dirty.add(this.cursor.row);
  }

  #reverseLineFeed() {
    this.#isBehind = false;
    if (this.cursor.row === this.#top) this.#scrollDown(this.#top);
    else this.#moveTo(this.cursor.row - 1, this.cursor.column);
  }

  #scrollUp(top = this.#top) {
    const [line] = this.lines.splice(top, 1);
    this.lines.splice(this.#bottom, 0, this.#emptyLine(this.#style));
    if (top === 0 && this.#top === 0) this.#keep(line);
    for (let row = top; row <= this.#bottom; row += 1) this.dirty.add(row);
  }

  #scrollDown(top) {
    this.lines.splice(this.#bottom, 1);
    this.lines.splice(top, 0, this.#emptyLine(this.#style));
    for (let row = top; row <= this.#bottom; row += 1) this.dirty.add(row);
  }

  #keep(line) {
    if (this.isAlternate) return;
    this.scrollback.push(line);
    this.scrolledCount += 1;
    if (this.scrollback.length > scrollbackLimit) this.scrollback.shift();
  }

  #moveLines(n, direction) {
    const { row } = this.cursor;
    if (row < this.#top || row > this.#bottom) return;
    const times = Math.min(n, this.#bottom - row + 1);
    for (let index = 0; index < times; index += 1) {
      if (direction > 0) {
        this.#scrollDown(row);
      } else {
        this.lines.splice(row, 1);
        this.lines.splice(this.#bottom, 0, this.#emptyLine(this.#style));
      }
    }
    for (let place = row; place <= this.#bottom; place += 1) this.dirty.add(place);
    this.#moveTo(row, 0);
  }

  // Cells

  #insertCells(n) {
    const { row, column } = this.cursor;
    const { cells } = this.lines[row];
    const times = Math.min(n, this.columns - column);
    cells.splice(column, 0, ...Array.from({ length: times }, () => blank(this.#style)));
    cells.length = this.columns;
    this.#mend(row);
  }

  #deleteCells(n) {
    const { row, column } = this.cursor;
    const { cells } = this.lines[row];
    const times = Math.min(n, this.columns - column);
    cells.splice(column, times);
    while (cells.length < this.columns) cells.push(blank(this.#style));
    this.#mend(row);
  }

  /** After cells have moved, no half of a wide character is left alone. */
  #mend(row) {
    const { cells } = this.lines[row];
    for (let column = 0; column < this.columns; column += 1) {
      const isFirst = cells[column].width === 2;
      const isSecond = cells[column].width === 0;
      if (isFirst && cells[column + 1]?.width !== 0) cells[column] = blank(cells[column].style);
      if (isSecond && cells[column - 1]?.width !== 2) cells[column] = blank(cells[column].style);
    }
    this.#isBehind = false;
    this.dirty.add(row);
  }

  #erase(row, from, to) {
    const { cells } = this.lines[row];
    for (let column = from; column < Math.min(to, this.columns); column += 1) cells[column] = blank(this.#style);
    if (to >= this.columns) this.lines[row].isWrapped = false;
    this.#mendWithoutMoving(row);
  }

  #mendWithoutMoving(row) {
    const isBehind = this.#isBehind;
    this.#mend(row);
    this.#isBehind = isBehind;
  }

  #eraseLine(how) {
    const { row, column } = this.cursor;
    if (how === 0) this.#erase(row, column, this.columns);
    if (how === 1) this.#erase(row, 0, column + 1);
    if (how === 2) this.#erase(row, 0, this.columns);
  }

  #eraseScreen(how) {
    const { row } = this.cursor;
    if (how === 3) {
      this.scrollback = [];
      this.#all();
      return;
    }
    if (how === 0 || how === 1) this.#eraseLine(how);
    const [from, to] = how === 0 ? [row + 1, this.rows] : how === 1 ? [0, row] : how === 2 ? [0, this.rows] : [0, 0];
    for (let place = from; place < to; place += 1) this.#erase(place, 0, this.columns);
  }

  #align() {
    for (const line of this.lines) line.cells = line.cells.map(() => ({ text: "E", width: 1, style: plain }));
    this.#moveTo(0, 0);
    this.#all();
  }

  #alternate(isOn) {
    if (isOn === this.isAlternate) return;
    if (isOn) {
      this.#main = { lines: this.lines };
      this.lines = Array.from({ length: this.rows }, () => this.#emptyLine(plain));
    } else {
      this.lines = this.#main.lines;
      this.#main = null;
    }
    this.isAlternate = isOn;
    this.#all();
  }

  #reset(isHard) {
    this.#alternate(false);
    this.#style = plain;
    this.#top = 0;
    this.#bottom = this.rows - 1;
    this.#saved = null;
    this.#sets = ["B", "B"];
    this.#set = 0;
    Object.assign(this.modes, { applicationCursor: false, applicationKeypad: false, bracketedPaste: false, autowrap: true, origin: false, insert: false, newLine: false });
    this.cursor.isVisible = true;
    if (isHard) {
      this.#tabs = tabStops(this.columns);
      this.#moveTo(0, 0);
      this.#eraseScreen(2);
    }
    this.#all();
  }
}

function tabStops(columns) {
  const stops = new Set();
  for (let column = 8; column < columns; column += 8) stops.add(column);
  return stops;
}

function bounded(value, low, high) {
  return Math.max(low, Math.min(high, value));
}
